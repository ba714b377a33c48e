//! The layer over [`EndpointTokens`]: decides at once, and waits for nothing.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::EndpointTokens;
use crate::outbound::{BoxError, CallFuture};

/// Puts the right Access Token on each request; a request to an unknown address is an
/// error. Made by [`EndpointTokens::layer`].
#[derive(Debug, Clone)]
pub struct EndpointTokensLayer {
    pub(super) tokens: EndpointTokens,
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
/// It fails with a [`CallRefused`](crate::outbound::CallRefused) if a request may not be
/// sent, and with the wrapped service's own error otherwise.
#[derive(Debug, Clone)]
pub struct EndpointTokensService<S> {
    inner: S,
    tokens: EndpointTokens,
}

impl<S, B> Service<Request<B>> for EndpointTokensService<S>
where
    S: Service<Request<B>>,
    S::Response: 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = CallFuture<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let authorized = self.tokens.authorize(&head.uri, &mut head.headers);
        let answer = authorized.map(|()| self.inner.call(Request::from_parts(head, body)));
        Box::pin(async move { answer?.await.map_err(Into::into) })
    }
}
