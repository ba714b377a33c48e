//! A service behind the layer, called in process: its requests and answers.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use derbysoft_go_auth::{GoAuthLayer, Rejection};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};

use crate::soon;

/// A service behind the layer; it records the requests that reach it.
pub struct Api {
    layer: GoAuthLayer,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Api {
    pub fn behind(layer: GoAuthLayer) -> Self {
        Self {
            layer,
            seen: Arc::default(),
        }
    }

    /// The heads of the requests that were admitted.
    pub fn seen(&self) -> Vec<http::request::Parts> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    pub fn calls(&self) -> usize {
        self.seen().len()
    }

    pub async fn send<B>(&self, request: Request<B>) -> Answer {
        let handler = tower::service_fn(|request: Request<B>| {
            let (head, _) = request.into_parts();
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(head);
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(Full::<
                Bytes,
            >::from(
                "handled",
            ))))
        });
        let Ok(response) = soon(self.layer.layer(handler).oneshot(request)).await;
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        Answer {
            head,
            body: body.to_bytes(),
        }
    }

    /// With one `Authorization` header.
    pub async fn call(&self, authorization: &str) -> Answer {
        self.send(request(&[authorization.as_bytes()])).await
    }
}

/// Headers with no credential, or one for another kind of authentication.
pub const OTHER: [&[&[u8]]; 3] = [&[], &[b"Basic dXNlcjpwYXNz"], &[b"Digest realm=\"x\""]];

/// Headers that cannot be read as one credential.
pub const UNUSABLE: [&[&[u8]]; 10] = [
    &[b"Bearer a", b"Bearer a"],
    &[b"Bearer a", b"Basic b"],
    &[b"Bearer a, Bearer b"],
    &[b"Bearer a,b"],
    &[b"Bearer"],
    &[b"bearer "],
    &[b""],
    &[b"Bearer\ta"],
    &[b"Bearer a\tb"],
    &[b"Bearer \xc3\xa9"],
];

/// A request with these `Authorization` header lines.
pub fn request(authorization: &[&[u8]]) -> Request<()> {
    let mut request = Request::new(());
    for line in authorization {
        let value = http::HeaderValue::from_bytes(line).expect("a header value");
        request.headers_mut().append(AUTHORIZATION, value);
    }
    request
}

pub struct Answer {
    pub head: http::response::Parts,
    pub body: Bytes,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.head.headers.get(name)?;
        Some(value.to_str().expect("visible ASCII"))
    }

    /// The kind in the extensions, as an outer layer sees it.
    pub fn kind(&self) -> Option<&'static str> {
        let rejection = self.head.extensions.get::<Rejection>()?;
        Some(rejection.kind().as_str())
    }

    /// Header names and values and the body, for a search in all of it.
    pub fn text(&self) -> String {
        format!(
            "{:?} {}",
            self.head.headers,
            String::from_utf8_lossy(&self.body)
        )
    }
}
