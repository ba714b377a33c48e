//! Which routes this layer guards, by where they are added.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use derbysoft_go_auth::{GoAuth, Verified};
use http::Request;
use tower::Layer;

use super::ask;
use test_support::Keys;

async fn ping() -> &'static str {
    "\"ok\""
}

/// The statuses of these paths for a stranger.
async fn statuses<const N: usize>(app: &Router, paths: [&str; N]) -> [u16; N] {
    let mut statuses = [0; N];
    for (status, path) in statuses.iter_mut().zip(paths) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        *status = ask(app.clone(), request).await.status.as_u16();
    }
    statuses
}

fn auth() -> GoAuth {
    Keys::new().builder().build().expect("a good configuration")
}

#[tokio::test]
async fn late_routes_and_fallbacks_escape_route_layer() {
    let before = Router::new().route("/ping", get(ping)).fallback(ping);
    let guarded = before.route_layer(auth().layer());
    let app = guarded.clone().route("/late", get(ping));
    let paths = ["/ping", "/late", "/nowhere"];
    assert_eq!(statuses(&app, paths).await, [401, 200, 200]);
    let app = guarded.fallback(ping);
    assert_eq!(statuses(&app, ["/nowhere"]).await, [200]);
}

#[tokio::test]
async fn a_fallback_is_guarded_by_a_layer_after_it() {
    let router = Router::new().route("/ping", get(ping));
    let before = router.clone().fallback(ping).layer(auth().layer());
    assert_eq!(statuses(&before, ["/ping", "/nowhere"]).await, [401, 401]);
    let after = router.layer(auth().layer()).fallback(ping);
    assert_eq!(statuses(&after, ["/ping", "/nowhere"]).await, [401, 200]);
}

/// What the guide recommends: behind the layer is a service, on which there is no `route`.
#[tokio::test]
async fn a_guarded_service_takes_no_more_routes() {
    let api = Router::new().route("/ping", get(ping)).fallback(ping);
    let guarded = auth().layer().layer(api);
    let app = Router::new()
        .route("/healthz", get(ping))
        .fallback_service(guarded);
    let paths = ["/healthz", "/ping", "/nowhere"];
    assert_eq!(statuses(&app, paths).await, [200, 401, 401]);
}

#[tokio::test]
async fn a_guarded_service_can_have_a_path() {
    let api = Router::new().route("/ping", get(ping));
    let app = Router::new()
        .route("/healthz", get(ping))
        .nest_service("/go", auth().layer().layer(api));
    let paths = ["/healthz", "/go/ping", "/go/nowhere", "/nowhere"];
    assert_eq!(statuses(&app, paths).await, [200, 401, 401, 404]);
}

#[tokio::test]
async fn a_handler_that_takes_its_caller_is_never_open() {
    let caller = async |_: Verified| "\"ok\"";
    let app = Router::new()
        .route("/ping", get(ping))
        .route_layer(auth().layer())
        .route("/late", get(caller))
        .fallback(caller);
    assert_eq!(statuses(&app, ["/late", "/nowhere"]).await, [500, 500]);
}
