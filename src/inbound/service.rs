//! The service: decides at once if it can, and waits if a key must be fetched.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::ResponseBody;
use super::credentials::Read;
use super::future::ResponseFuture;
use super::rejection::Rejection;
use super::settings::{Outcome, Settings, Settled};
use super::unverified::Unverified;
use crate::authenticate::Verified;
use crate::authenticate::authenticator::{Authenticator, Check, KeyWait};

/// A service that only GO's genuine requests reach. Made by a
/// [`GoAuthLayer`](super::GoAuthLayer).
#[derive(Debug, Clone)]
pub struct GoAuthService<S> {
    pub(super) inner: S,
    authenticator: Arc<Authenticator>,
    pub(super) settings: Arc<Settings>,
}

/// What can be decided about a credential without waiting.
enum First {
    Settled(Outcome),
    Wait { wait: KeyWait, token: Box<[u8]> },
}

impl<S> GoAuthService<S> {
    pub(super) const fn new(
        inner: S,
        authenticator: Arc<Authenticator>,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            inner,
            authenticator,
            settings,
        }
    }

    fn look<B>(&self, request: &Request<B>) -> First {
        First::Settled(match self.settings.source.read(request) {
            Read::Missing => Outcome::Missing,
            Read::Invalid => Outcome::Refused(Rejection::INVALID),
            Read::Token(token) => match self.authenticator.check(&token, &self.settings.api) {
                Check::Done(result) => result.into(),
                Check::Wait(wait) => {
                    return First::Wait {
                        wait,
                        token: token.into(),
                    };
                }
            },
        })
    }

    pub(super) fn check_again(&self, verified: Verified) -> Outcome {
        self.authenticator.check_again(verified).into()
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

        match self.look(&request) {
            First::Settled(outcome) => match self.settings.settle(outcome, &mut request) {
                Settled::LetThrough => ResponseFuture::inner(self.inner.call(request)),
                Settled::Answered(response) => ResponseFuture::answer(response),
            },
            First::Wait { wait, token } => {
                // Drops the service that was polled ready, and its permit.
                self.inner = self.inner.clone();
                let authenticator = Arc::clone(&self.authenticator);
                ResponseFuture::waiting(
                    Box::pin(async move { authenticator.check_after(wait, &token).await }),
                    self.clone(),
                    request,
                )
            }
        }
    }
}
