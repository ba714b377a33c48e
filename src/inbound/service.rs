//! The service: decides at once if it can, and waits if a key must be fetched.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::admission::Admission;
use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::unverified::Unverified;
use crate::authenticate::Verified;
use crate::authenticate::authenticator::Check;

/// A service that only GO's genuine requests reach. Made by a
/// [`GoAuthLayer`](super::GoAuthLayer).
#[derive(Debug, Clone)]
pub struct GoAuthService<S> {
    inner: S,
    admission: Arc<Admission>,
}

impl<S> GoAuthService<S> {
    pub(super) const fn new(inner: S, admission: Arc<Admission>) -> Self {
        Self { inner, admission }
    }
}

impl<S, B, ResBody> Service<Request<B>> for GoAuthService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture<S, B> {
        // An outer layer's verdict is not this one's.
        let extensions = request.extensions_mut();
        extensions.remove::<Verified>();
        extensions.remove::<Unverified>();

        let admission = &self.admission;
        let verdict = match admission.source.read((&request).into()) {
            Ok(token) => match admission.authenticator.check(&token, &admission.api) {
                Check::Done(verdict) => verdict.into(),
                Check::Wait(wait) => {
                    // Drops the service that was polled ready, and its permit.
                    self.inner = self.inner.clone();
                    let token: Box<[u8]> = token.into();
                    let authenticator = Arc::clone(&admission.authenticator);
                    return ResponseFuture::waiting(
                        Box::pin(async move { authenticator.check_after(wait, &token).await }),
                        self.inner.clone(),
                        Arc::clone(admission),
                        request,
                    );
                }
            },
            Err(none) => none.into(),
        };
        match admission.settle(verdict, &mut request) {
            None => ResponseFuture::inner(self.inner.call(request)),
            Some(response) => ResponseFuture::answer(response),
        }
    }
}
