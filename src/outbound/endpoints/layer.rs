//! The layer over [`EndpointTokens`]: decides at once, and waits for nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::EndpointTokens;
use crate::outbound::{BoxError, CallRefused};

/// Puts the right Access Token on each request; a request to an unknown address is an
/// error. Made by [`EndpointTokens::layer`].
#[derive(Debug, Clone)]
pub struct EndpointTokensLayer {
    tokens: EndpointTokens,
}

impl EndpointTokensLayer {
    pub(super) const fn new(tokens: EndpointTokens) -> Self {
        Self { tokens }
    }
}

impl<S> Layer<S> for EndpointTokensLayer {
    type Service = EndpointTokensService<S>;

    fn layer(&self, inner: S) -> EndpointTokensService<S> {
        EndpointTokensService {
            inner,
            tokens: self.tokens.clone(),
        }
    }
}

/// A client whose requests carry the right Access Token. Made by an
/// [`EndpointTokensLayer`].
///
/// It fails with a [`CallRefused`] if a request may not be sent, and with the wrapped
/// service's own error otherwise.
#[derive(Debug, Clone)]
pub struct EndpointTokensService<S> {
    inner: S,
    tokens: EndpointTokens,
}

impl<S, B> Service<Request<B>> for EndpointTokensService<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = EndpointFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> EndpointFuture<S::Future> {
        let (mut head, body) = request.into_parts();
        let state = match self.tokens.authorize(&head.uri, &mut head.headers) {
            Ok(()) => State::Sent {
                future: self.inner.call(Request::from_parts(head, body)),
            },
            Err(refused) => State::Refused { refused },
        };
        EndpointFuture { state }
    }
}

pin_project! {
    /// The response future of [`EndpointTokensService`].
    #[derive(Debug)]
    pub struct EndpointFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Sent { #[pin] future: F },
        Refused { refused: CallRefused },
    }
}

impl<F, T, E> Future for EndpointFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().state.project() {
            StateProjection::Sent { future } => ready!(future.poll(cx)).map_err(Into::into),
            StateProjection::Refused { refused } => Err((*refused).into()),
        })
    }
}
