//! Calls in process: requests, a service that answers at once, and timing.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::Service;

/// The time of `calls`. Everything that is timed passes through here and nothing else
/// does, so that a profiler can be switched on and off with this function.
#[inline(never)]
pub(crate) fn measured(calls: impl FnOnce()) -> Duration {
    let start = Instant::now();
    calls();
    start.elapsed()
}

/// A runtime with its own thread, so that background fetches can run.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The output of a future that is ready at once.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// One GO push request for each of the tokens.
pub(crate) fn requests<B: Default>(tokens: &[String]) -> Vec<Request<B>> {
    (tokens.iter())
        .map(|token| {
            Request::post("/ari/daily/push")
                .header(AUTHORIZATION, format!("Bearer {token}"))
                .body(B::default())
                .expect("a request")
        })
        .collect()
}

/// The time that `service` takes for all requests, one after the other.
pub(crate) fn time_service<S, B>(service: &mut S, requests: Vec<Request<B>>) -> Duration
where
    S: Service<Request<B>, Error = Infallible>,
{
    measured(|| serve(service, requests))
}

/// Makes all of the requests, untimed.
pub(crate) fn serve<S, B>(service: &mut S, requests: Vec<Request<B>>)
where
    S: Service<Request<B>, Error = Infallible>,
{
    for request in requests {
        black_box(now(service.call(request))).expect("infallible");
    }
}

/// A service that answers at once.
#[derive(Debug, Clone)]
pub(crate) struct Echo;

impl Service<Request<()>> for Echo {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(request);
        ready(Ok(Response::new(())))
    }
}
