//! The layer over [`Gateway`], and its service.

use std::fmt;
use std::future::{poll_fn, ready};
use std::mem;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::replay::{Cloned, Replay};
use super::{Authorized, Gateway};
use crate::outbound::{BoxError, CallFuture};

/// Puts the gateway's token on each request, and repeats a request once if the API
/// rejected its token. Made by [`Gateway::layer`].
///
/// Every answer but a 401 is passed on unchanged. After a 401 another token is fetched,
/// unless another caller already has it, and the request repeated with that; the second
/// answer is passed on whatever it is. The 401 itself is passed on if
///
/// - the body can't be produced again (a token is fetched for later callers),
/// - no other token can be fetched,
/// - the token was fetched less than 10 s before: then it was not rejected for its age,
///   and every call would cause a fetch.
#[derive(Clone)]
pub struct GatewayLayer<R = Cloned> {
    pub(super) gateway: Gateway,
    pub(super) replay: R,
}

impl<R> GatewayLayer<R> {
    /// Produces bodies again by other means: [`reqwest_body`](super::reqwest_body), a
    /// closure, or `|_: &B| None` so that nothing is repeated.
    pub fn replay_with<T>(self, replay: T) -> GatewayLayer<T> {
        GatewayLayer {
            gateway: self.gateway,
            replay,
        }
    }
}

impl<S, R: Clone> Layer<S> for GatewayLayer<R> {
    type Service = GatewayService<S, R>;

    fn layer(&self, inner: S) -> GatewayService<S, R> {
        GatewayService {
            inner,
            gateway: self.gateway.clone(),
            replay: self.replay.clone(),
        }
    }
}

/// A client whose requests carry the gateway's token. Made by a [`GatewayLayer`].
///
/// While a request waits for a token it holds nothing that others need: the readiness of
/// the wrapped service, with a permit of a concurrency limit, is given up and asked for
/// again.
///
/// It fails with a [`CallRefused`](crate::outbound::CallRefused) if a request may not be
/// sent, with a [`GatewayError`](super::GatewayError) if no token can be fetched, and
/// with the wrapped service's own error otherwise. A rejection by the API is an answer,
/// not an error; see [`GatewayRefusal::read`](super::GatewayRefusal::read).
#[derive(Clone)]
pub struct GatewayService<S, R = Cloned> {
    inner: S,
    gateway: Gateway,
    replay: R,
}

impl<S, B, ResBody, R> Service<Request<B>> for GatewayService<S, R>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
    ResBody: Send + 'static,
    R: Replay<B>,
{
    type Response = Response<ResBody>;
    type Error = BoxError;
    type Future = CallFuture<Response<ResBody>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        if let Err(refused) = self.gateway.admit(&head.uri, &head.headers) {
            return Box::pin(ready(Err(refused.into())));
        }
        let spare = self.replay.replay(&body);
        let gateway = self.gateway.clone();
        let cached = gateway.cached();
        let mut service = self.inner.clone();
        if cached.is_some() {
            // The service that was polled ready is the one to call.
            mem::swap(&mut self.inner, &mut service);
        } else {
            // It is dropped, and its permit is not held during the wait.
            self.inner.clone_from(&service);
        }
        Box::pin(async move {
            let issued = if let Some(issued) = cached {
                issued
            } else {
                let issued = gateway.token(None).await?;
                until_ready(&mut service).await?;
                issued
            };
            let authorized = Authorized::put(gateway, issued, &mut head.headers);
            let mut again = spare.map(|body| Request::from_parts(head.clone(), body));
            let request = Request::from_parts(head, body);
            let answer = service.call(request).await.map_err(Into::into)?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let renewed = match &mut again {
                Some(again) => authorized.renew(again.headers_mut()).await,
                None => authorized.renew(&mut HeaderMap::new()).await,
            };
            // If there is no other token, the refresher has reported why.
            let (Ok(true), Some(again)) = (renewed, again) else {
                return Ok(answer);
            };
            drop(answer);
            until_ready(&mut service).await?;
            service.call(again).await.map_err(Into::into)
        })
    }
}

async fn until_ready<S, B>(service: &mut S) -> Result<(), BoxError>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(Into::into)
}

impl<R> fmt::Debug for GatewayLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayLayer")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, R> fmt::Debug for GatewayService<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayService")
            .field("inner", &self.inner)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}
