//! The response future: one request, and at most one repetition.
//!
//! ```text
//!  Waiting ──► Sent ──► any answer but 401: done
//!                │ 401
//!                ▼
//!             Renewing ──► Turning ──► Repeated ──► done
//!                │ no other token
//!                └──► the 401
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::Gateway;
use super::error::GatewayError;
use super::refresher::Issued;
use crate::outbound::BoxError;

/// A call in progress.
pub(super) struct Call<S, B> {
    pub(super) service: S,
    pub(super) gateway: Gateway,
    /// A copy of the request, without its token.
    pub(super) spare: Option<Request<B>>,
}

impl<S: Service<Request<B>>, B> Call<S, B> {
    pub(super) fn send(&mut self, mut request: Request<B>, issued: &Arc<Issued>) -> S::Future {
        let value = issued.value.clone();
        request.headers_mut().insert(AUTHORIZATION, value);
        self.service.call(request)
    }
}

pin_project! {
    /// The response future of [`GatewayService`](super::GatewayService).
    pub struct GatewayFuture<S, B>
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
        Failed { error: Option<BoxError> },
        /// For the first token.
        Waiting {
            token: Pin<Box<TokenFuture>>,
            held: Option<Box<(Call<S, B>, Request<B>)>>,
        },
        Sent {
            #[pin]
            future: S::Future,
            issued: Arc<Issued>,
            call: Option<Box<Call<S, B>>>,
        },
        /// For another token, after a 401.
        Renewing {
            token: Pin<Box<TokenFuture>>,
            answer: Option<S::Response>,
            held: Option<Box<(Call<S, B>, Request<B>)>>,
        },
        /// For the service to be ready once more.
        Turning {
            issued: Arc<Issued>,
            held: Option<Box<(Call<S, B>, Request<B>)>>,
        },
        Repeated { #[pin] future: S::Future },
    }
}

type TokenFuture = dyn Future<Output = Result<Arc<Issued>, GatewayError>> + Send;

fn token(gateway: &Gateway, refused: Option<u64>) -> Pin<Box<TokenFuture>> {
    let gateway = gateway.clone();
    Box::pin(async move { gateway.token(refused).await })
}

impl<S: Service<Request<B>>, B> GatewayFuture<S, B> {
    pub(super) const fn failed(error: BoxError) -> Self {
        Self {
            state: State::Failed { error: Some(error) },
        }
    }

    pub(super) fn sent(mut call: Call<S, B>, request: Request<B>, issued: Arc<Issued>) -> Self {
        Self {
            state: State::Sent {
                future: call.send(request, &issued),
                issued,
                call: Some(Box::new(call)),
            },
        }
    }

    pub(super) fn waiting(call: Call<S, B>, request: Request<B>) -> Self {
        Self {
            state: State::Waiting {
                token: token(&call.gateway, None),
                held: Some(Box::new((call, request))),
            },
        }
    }
}

impl<S, B, ResBody> Future for GatewayFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<ResBody>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const ONCE: &str = "polled after completion";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Failed { error } => {
                    return Poll::Ready(Err(error.take().expect(ONCE)));
                }
                StateProjection::Waiting { token, held } => {
                    let issued = ready!(token.as_mut().poll(cx))?;
                    let (mut call, request) = *held.take().expect(ONCE);
                    State::Sent {
                        future: call.send(request, &issued),
                        issued,
                        call: Some(Box::new(call)),
                    }
                }
                StateProjection::Sent {
                    future,
                    issued,
                    call,
                } => {
                    let answer = ready!(future.poll(cx)).map_err(Into::into)?;
                    let call = call.take().expect(ONCE);
                    match repetition(*call, issued, answer.status()) {
                        Some((call, request)) => State::Renewing {
                            token: token(&call.gateway, Some(issued.number)),
                            answer: Some(answer),
                            held: Some(Box::new((call, request))),
                        },
                        None => return Poll::Ready(Ok(answer)),
                    }
                }
                StateProjection::Renewing {
                    token,
                    answer,
                    held,
                } => match ready!(token.as_mut().poll(cx)) {
                    Ok(issued) => State::Turning {
                        issued,
                        held: held.take(),
                    },
                    // The refresher has reported why.
                    Err(_) => return Poll::Ready(Ok(answer.take().expect(ONCE))),
                },
                StateProjection::Turning { issued, held } => {
                    let (call, _) = &mut **held.as_mut().expect(ONCE);
                    ready!(call.service.poll_ready(cx)).map_err(Into::into)?;
                    let (mut call, request) = *held.take().expect(ONCE);
                    State::Repeated {
                        future: call.send(request, issued),
                    }
                }
                StateProjection::Repeated { future } => {
                    return future.poll(cx).map_err(Into::into);
                }
            };
            state.set(next);
        }
    }
}

/// What to send after an answer with this status; `None` if it is final.
fn repetition<S, B>(
    mut call: Call<S, B>,
    issued: &Issued,
    status: StatusCode,
) -> Option<(Call<S, B>, Request<B>)> {
    if status != StatusCode::UNAUTHORIZED || !call.gateway.is_worth_another(issued) {
        return None;
    }
    let Some(request) = call.spare.take() else {
        call.gateway.fetch_another(issued);
        return None;
    };
    Some((call, request))
}

impl<S: Service<Request<B>>, B> fmt::Debug for GatewayFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Failed { .. } => "failed",
            State::Waiting { .. } => "waiting",
            State::Sent { .. } => "sent",
            State::Renewing { .. } => "renewing",
            State::Turning { .. } => "turning",
            State::Repeated { .. } => "repeated",
        };
        f.debug_struct("GatewayFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
