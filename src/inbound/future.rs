//! The response future: an answer that is ready needs no box.
//!
//! ```text
//!  Answer ◄─ rejected ── Waiting ── verified ──► Turning ──► Inner ──► done
//!                     for a key      for the service to be ready
//! ```
//!
//! While a request waits for a key it holds nothing that others need: the service that
//! was polled ready for it is dropped, with whatever it had reserved, and another is
//! polled ready when there is a call to make.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::admission::Admission;
use super::body::ResponseBody;
use super::rejection::Rejection;
use crate::authenticate::authenticator::Verdict;

pin_project! {
    /// The response future of [`GoAuthService`](super::GoAuthService).
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        /// Accepted: the wrapped service is at work.
        Inner { #[pin] future: S::Future },
        /// Rejected at once.
        Answer { response: Option<Response<Bytes>> },
        /// Waiting for a key.
        Waiting {
            check: Pin<Box<CheckFuture>>,
            held: Option<Box<Held<S, B>>>,
        },
        /// Accepted, waiting for the wrapped service to be ready.
        Turning {
            verdict: Option<Verdict<Rejection>>,
            held: Option<Box<Held<S, B>>>,
        },
    }
}

impl<S, B> State<S, B>
where
    S: Service<Request<B>>,
{
    const fn answer(response: Response<Bytes>) -> Self {
        Self::Answer {
            response: Some(response),
        }
    }
}

type CheckFuture = dyn Future<Output = Verdict> + Send;

/// A request that waits, and its service, not polled ready yet.
struct Held<S, B> {
    inner: S,
    admission: Arc<Admission>,
    request: Request<B>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) const fn inner(future: S::Future) -> Self {
        Self {
            state: State::Inner { future },
        }
    }

    pub(super) const fn answer(response: Response<Bytes>) -> Self {
        Self {
            state: State::answer(response),
        }
    }

    pub(super) fn waiting(
        check: Pin<Box<CheckFuture>>,
        inner: S,
        admission: Arc<Admission>,
        request: Request<B>,
    ) -> Self {
        let held = Held {
            inner,
            admission,
            request,
        };
        Self {
            state: State::Waiting {
                check,
                held: Some(Box::new(held)),
            },
        }
    }
}

impl<S, B, ResBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const ONCE: &str = "polled after completion";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::service)));
                }
                StateProjection::Answer { response } => {
                    let response = response.take().expect(ONCE);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StateProjection::Waiting { check, held } => {
                    let Verdict { outcome, issuer } = ready!(check.as_mut().poll(cx)).into();
                    let mut held = held.take().expect(ONCE);
                    match outcome {
                        Err(rejection) if !held.admission.observe_only => {
                            let admission = Arc::clone(&held.admission);
                            let request = &mut held.request;
                            State::answer(admission.refuse(request, rejection, issuer))
                        }
                        outcome => State::Turning {
                            verdict: Some(Verdict { outcome, issuer }),
                            held: Some(held),
                        },
                    }
                }
                StateProjection::Turning { verdict, held } => {
                    let waiting = held.as_mut().expect(ONCE);
                    ready!(waiting.inner.poll_ready(cx))?;
                    let Held {
                        mut inner,
                        admission,
                        mut request,
                    } = *held.take().expect(ONCE);
                    // The service may have taken its time to get ready.
                    let Verdict { outcome, issuer } = verdict.take().expect(ONCE);
                    let outcome = outcome.and_then(|verified| {
                        let again = admission.authenticator.check_again(verified);
                        again.map_err(Rejection::from)
                    });
                    match admission.settle(Verdict { outcome, issuer }, &mut request) {
                        None => State::Inner {
                            future: inner.call(request),
                        },
                        Some(response) => State::answer(response),
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Inner { .. } => "inner",
            State::Answer { .. } => "answer",
            State::Waiting { .. } => "waiting",
            State::Turning { .. } => "turning",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
