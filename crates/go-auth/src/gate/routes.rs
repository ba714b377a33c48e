//! What each path answers.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};

use super::shared::Shared;
use derbysoft_go_auth::inbound::ResponseBody;

/// An answer's body: a verdict's, or another's.
pub(super) type Body = Either<ResponseBody<Full<Bytes>>, Full<Bytes>>;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// As Prometheus defines it.
const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// What a port answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Everything,
    /// Nothing else gets a 200, whatever path a proxy asks at.
    Verdicts,
    Status,
}

impl Offer {
    /// What a path is, as far as it is offered.
    fn route(self, path: &str) -> Route {
        match (self, Route::of(path)) {
            (Self::Everything, route)
            | (Self::Verdicts, route @ Route::Verdict)
            | (Self::Status, route @ (Route::Alive | Route::Ready | Route::Metrics)) => route,
            (Self::Verdicts | Self::Status, _) => Route::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Verdict,
    Alive,
    Ready,
    Metrics,
    Unknown,
}

impl Route {
    /// The path is used as it is written: Envoy puts the client's own behind `/auth`, and
    /// `/auth/../healthz` must not pass as something else.
    fn of(path: &str) -> Self {
        match path {
            "/auth" => Self::Verdict,
            "/healthz" => Self::Alive,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ if path.starts_with("/auth/") => Self::Verdict,
            _ => Self::Unknown,
        }
    }
}

/// Answers a request without reading its body, whatever its method.
pub(super) async fn answer<B>(
    shared: &Shared,
    offer: Offer,
    request: Request<B>,
) -> Response<Body> {
    match offer.route(request.uri().path()) {
        Route::Verdict => {
            let verdict = shared.live().verdict(request.map(|_| ()));
            verdict.await.map(Either::Left)
        }
        Route::Alive => whole(StatusCode::OK, TEXT, "ok\n"),
        Route::Ready => ready(shared),
        Route::Metrics => whole(StatusCode::OK, EXPOSITION, shared.metrics()),
        Route::Unknown => whole(StatusCode::NOT_FOUND, TEXT, "not found\n"),
    }
}

fn ready(shared: &Shared) -> Response<Body> {
    let health = shared.live().auth().health();
    let status = if health.is_ready() && !shared.draining.has_begun() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    match serde_json::to_vec(&health) {
        Ok(json) => whole(status, JSON, json),
        Err(_) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, ""),
    }
}

fn whole(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::new(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_at_or_under_auth_get_a_verdict() {
        for path in [
            "/auth",
            "/auth/",
            "/auth//",
            "/auth/ari/daily/push",
            "/auth/../healthz",
            "/auth/%2e%2e/healthz",
        ] {
            assert_eq!(Route::of(path), Route::Verdict, "{path}");
        }
        for path in [
            "",
            "/",
            "*",
            "/authx",
            "/auth%2f",
            "/auth;x",
            "/Auth",
            "//auth",
            "/x/auth",
            "/healthz/",
            "/metrics/auth",
            "/readyz/",
            "/./auth",
        ] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
        assert_eq!(Route::of("/healthz"), Route::Alive);
        assert_eq!(Route::of("/readyz"), Route::Ready);
        assert_eq!(Route::of("/metrics"), Route::Metrics);
    }
}
