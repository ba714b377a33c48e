//! A service that insists on being polled ready.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceExt};

use test_support::request;

/// Panics when called without having been polled ready; clones are not ready.
#[derive(Debug, Default)]
pub(super) struct Strict {
    ready: bool,
    pub(super) calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(Full::from("handled"))))
    }
}

/// The service, ready for one request.
pub(super) async fn ready_to<S: Service<Request<()>, Error: std::fmt::Debug>>(
    service: &mut S,
) -> &mut S {
    service.ready().await.expect("a service that gets ready")
}

/// A request with this credential.
pub(super) fn with(token: &str) -> Request<()> {
    request(&[token.as_bytes()])
}
