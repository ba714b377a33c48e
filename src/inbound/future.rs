//! The answer on its way: an answer that is known needs no box.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ResponseBody;
use super::settings::{Outcome, Settings, Settled};
use crate::error::VerifyError;
use crate::verifier::Verified;

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
        /// Let in: the wrapped service is at work.
        Inner { #[pin] future: S::Future },
        /// Refused at once.
        Answer { response: Option<Response<Bytes>> },
        /// Waiting for a key.
        Waiting {
            check: Pin<Box<CheckFuture>>,
            held: Option<Box<Held<S, B>>>,
        },
    }
}

type CheckFuture = dyn Future<Output = Result<Verified, VerifyError>> + Send;

/// A request that waits, and the service that is ready for it.
struct Held<S, B> {
    service: S,
    request: Request<B>,
    settings: Arc<Settings>,
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
            state: State::Answer {
                response: Some(response),
            },
        }
    }

    pub(super) fn waiting(
        check: Pin<Box<CheckFuture>>,
        service: S,
        request: Request<B>,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            state: State::Waiting {
                check,
                held: Some(Box::new(Held {
                    service,
                    request,
                    settings,
                })),
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
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::service)));
                }
                StateProjection::Answer { response } => {
                    let response = response.take().expect("polled after completion");
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StateProjection::Waiting { check, held } => {
                    let outcome = match ready!(check.as_mut().poll(cx)) {
                        Ok(verified) => Outcome::Verified(verified),
                        Err(error) => Outcome::Refused(error.into()),
                    };
                    let Held {
                        mut service,
                        mut request,
                        settings,
                    } = *held.take().expect("a request waits once");
                    match settings.settle(outcome, &mut request) {
                        Settled::LetThrough => State::Inner {
                            future: service.call(request),
                        },
                        Settled::Answered(response) => State::Answer {
                            response: Some(response),
                        },
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
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
