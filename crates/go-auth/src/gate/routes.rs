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

/// Answers a request without reading its body, whatever its method.
pub(super) async fn answer<B>(
    shared: &Shared,
    offer: Offer,
    request: Request<B>,
) -> Response<Body> {
    let has_verdicts = offer != Offer::Status;
    let has_status = offer != Offer::Verdicts;
    // Used as it is written: Envoy puts the client's own path behind `/auth`, and
    // `/auth/../healthz` must not pass as something else.
    let path = request.uri().path();
    match path {
        _ if has_verdicts && (path == "/auth" || path.starts_with("/auth/")) => {
            let verdict = shared.live.load().verdict(request.map(|_| ()));
            verdict.await.map(Either::Left)
        }
        "/healthz" if has_status => whole(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" if has_status => ready(shared),
        "/metrics" if has_status => {
            let auth = &shared.live.load().auth;
            let metrics = shared.exposition.render(auth, shared.connections());
            whole(StatusCode::OK, EXPOSITION, metrics)
        }
        _ => whole(StatusCode::NOT_FOUND, TEXT, "not found\n"),
    }
}

fn ready(shared: &Shared) -> Response<Body> {
    let health = shared.live.load().auth.health();
    let status = if health.is_ready() && !shared.draining.is_cancelled() {
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
    use http::header::WWW_AUTHENTICATE;

    use super::*;

    #[tokio::test]
    async fn only_paths_at_or_under_auth_get_a_verdict() {
        let shared = Shared::of_nobody();
        let answered = async |offer, path: &str| {
            let request = Request::builder().uri(path).body(());
            let answer = answer(&shared, offer, request.expect("a path")).await;
            let challenged = answer.headers().contains_key(WWW_AUTHENTICATE);
            (answer.status().as_u16(), challenged)
        };
        for path in [
            "/auth",
            "/auth/",
            "/auth//",
            "/auth/ari/daily/push",
            "/auth/../healthz",
            "/auth/%2e%2e/healthz",
        ] {
            for offer in [Offer::Everything, Offer::Verdicts] {
                assert_eq!(answered(offer, path).await, (401, true), "{path}");
            }
            assert_eq!(answered(Offer::Status, path).await, (404, false), "{path}");
        }
        for path in [
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
            for offer in [Offer::Everything, Offer::Verdicts, Offer::Status] {
                assert_eq!(answered(offer, path).await, (404, false), "{path}");
            }
        }
        for (path, status) in [("/healthz", 200), ("/readyz", 503), ("/metrics", 200)] {
            for offer in [Offer::Everything, Offer::Status] {
                assert_eq!(answered(offer, path).await, (status, false), "{path}");
            }
            assert_eq!(
                answered(Offer::Verdicts, path).await,
                (404, false),
                "{path}"
            );
        }
    }
}
