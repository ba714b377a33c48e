//! The scenario through axum, with the layer on the router and on its routes; and what differs
//! between the two.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use derbysoft_go_auth::{GoAuthLayer, Verified};
use http::Request;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::scenario::{Calls, scenario};
use test_support::{Background, Keys};

async fn push(State(calls): State<Calls>, verified: Verified, body: String) -> String {
    calls.fetch_add(1, Ordering::Relaxed);
    format!("{} {body}", verified.subject().unwrap_or_default())
}

fn api(calls: Calls) -> Router {
    Router::new()
        .route("/ari/daily/push", post(push))
        .with_state(calls)
}

fn serve(listener: TcpListener, router: Router) -> Background {
    Background::spawn(async move {
        axum::serve(listener, router)
            .await
            .expect("a server that goes on");
    })
}

fn with_layer(listener: TcpListener, layer: GoAuthLayer, calls: Calls) -> Background {
    serve(listener, api(calls).layer(layer))
}

fn with_route_layer(listener: TcpListener, layer: GoAuthLayer, calls: Calls) -> Background {
    serve(listener, api(calls).route_layer(layer))
}

fn with_nested_layer(listener: TcpListener, layer: GoAuthLayer, calls: Calls) -> Background {
    let inner = Router::new()
        .route("/daily/push", post(push).layer(layer))
        .with_state(calls);
    serve(listener, Router::new().nest("/ari", inner))
}

mod layer {
    super::scenario!(super::with_layer);
}

mod route_layer {
    super::scenario!(super::with_route_layer);
}

mod nested_layer {
    super::scenario!(super::with_nested_layer);
}

async fn status(router: &Router, path: &str) -> u16 {
    let request = Request::get(path)
        .body(axum::body::Body::empty())
        .expect("a request");
    let Ok(response) = router.clone().oneshot(request).await;
    response.status().as_u16()
}

#[tokio::test]
async fn only_a_layer_guards_unknown_paths() {
    let keys = Keys::new();
    let open = || Router::new().route("/ping", get(|| async { "\"ok\"" }));
    let layered = open().layer(keys.layer());
    assert_eq!(status(&layered, "/ping").await, 401);
    assert_eq!(status(&layered, "/nowhere").await, 401);
    let routed = open().route_layer(keys.layer());
    assert_eq!(status(&routed, "/ping").await, 401);
    assert_eq!(status(&routed, "/nowhere").await, 404);
}

#[tokio::test]
async fn routes_added_after_the_layer_stay_open() {
    let keys = Keys::new();
    let router = Router::new()
        .route("/ping", get(|| async { "\"ok\"" }))
        .layer(keys.layer())
        .route("/healthz", get(|| async { "up" }));
    assert_eq!(status(&router, "/ping").await, 401);
    assert_eq!(status(&router, "/healthz").await, 200);
}
