//! `docs/guide/layers.md`, row by row: what a layer does on either side of this one.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

use test_support::distributor::PUSH;
use test_support::soon;

mod inside;
mod outside;
mod routes;
mod time;

/// What GO calls; it answers with the length of the body.
fn api() -> Router {
    Router::new().route(PUSH, post(async |body: Bytes| body.len().to_string()))
}

/// A push with this credential, or without any.
fn push<'a>(token: impl Into<Option<&'a str>>) -> Request<Body> {
    let mut request = Request::post(PUSH);
    if let Some(token) = token.into() {
        request = request.header("authorization", token);
    }
    request.body(Body::from("rates")).expect("a request")
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("visible ASCII"))
    }
}

async fn ask<S>(app: S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response: IntoResponse, Error = Infallible>,
{
    let Ok(response) = soon(app.oneshot(request)).await;
    let (head, body) = Response::into_parts(response.into_response());
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.expect("a whole body").to_bytes(),
    }
}
