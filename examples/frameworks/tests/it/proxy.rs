//! What passes the proxy, and what of it arrives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use tokio::net::TcpListener;

use crate::stage::{ACCESS_TOKEN, Stage};

/// The requests that arrived behind the proxy.
type Arrived = Arc<Mutex<Vec<Request>>>;

async fn proxying(stage: &Stage) -> (SocketAddr, Arrived, tokio::task::JoinHandle<()>) {
    let behind = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = behind.local_addr().expect("an address").to_string();
    let arrived = Arrived::default();
    let seen = Arc::clone(&arrived);
    let app = Router::new().fallback(async move |request: Request| {
        seen.lock().expect("not poisoned").push(request);
        let headers = [
            ("connection", "x-inner"),
            ("x-inner", "1"),
            ("x-outer", "1"),
        ];
        (headers, "handled")
    });
    let server = tokio::spawn(async { drop(axum::serve(behind, app).await) });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let upstream = upstream.parse().expect("an authority");
    let auth = stage.auth.clone();
    tokio::spawn(frameworks::proxy::serve(listener, auth, upstream));
    (address, arrived, server)
}

#[tokio::test]
async fn a_push_arrives_with_its_caller() {
    let stage = Stage::set().await;
    let (address, arrived, _server) = proxying(&stage).await;
    let token = stage.go.token();
    let lines = [
        ("authorization", token.as_str()),
        ("connection", "x-named, x-go-subject"),
        ("x-named", "1"),
        ("x-go-subject", "forged"),
        ("x_go_subject", "forged"),
        ("x.go-subject", "forged"),
        ("proxy-authorization", "Basic dXNlcjpwYXNz"),
        ("te", "trailers"),
        ("x-kept", "1"),
    ];
    let answer = stage.push(address, "/ari/daily/push?x=1", &lines).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "handled"));
    assert!(answer.headers.contains_key("x-outer"));
    assert!(!answer.headers.contains_key("x-inner"));

    let request = arrived.lock().expect("not poisoned").pop();
    let (head, _) = request.expect("a request").into_parts();
    assert_eq!(
        (head.method.as_str(), head.uri.path()),
        ("POST", "/ari/daily/push")
    );
    assert_eq!(head.uri.query(), Some("x=1"));
    assert_eq!(head.headers["x-go-subject"], "ds-go-module");
    assert_eq!(head.headers.get_all("x-go-subject").iter().count(), 1);
    assert_eq!(head.headers["x-kept"], "1");
    assert_ne!(head.headers["host"], address.to_string());
    assert_eq!(head.headers["content-length"], "5");
    for gone in [
        "authorization",
        "connection",
        "x-named",
        "x_go_subject",
        "x.go-subject",
        "proxy-authorization",
        "te",
    ] {
        assert!(!head.headers.contains_key(gone), "{gone}");
    }
}

/// An Access Token names nobody: neither may the caller.
#[tokio::test]
async fn a_caller_without_a_subject_can_not_forge_one() {
    let stage = Stage::set().await;
    let (address, arrived, _server) = proxying(&stage).await;
    let lines = [("authorization", ACCESS_TOKEN), ("x-go-subject", "forged")];
    assert_eq!(stage.push(address, "/", &lines).await.status, 200);
    let request = arrived.lock().expect("not poisoned").pop();
    let headers = request.expect("a request").into_parts().0.headers;
    assert!(!headers.contains_key("x-go-subject"));
}

#[tokio::test]
async fn a_stranger_does_not_get_past_the_proxy() {
    let stage = Stage::set().await;
    let (address, arrived, _server) = proxying(&stage).await;
    let expired = stage.go.mint().expires_in(-60).token();
    for lines in [&[][..], &[("authorization", expired.as_str())]] {
        assert_eq!(stage.push(address, "/", lines).await.status, 401);
    }
    assert!(arrived.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn a_dead_server_behind_is_502() {
    let stage = Stage::set().await;
    let (address, _arrived, server) = proxying(&stage).await;
    server.abort();
    assert!(server.await.expect_err("aborted").is_cancelled());
    let token = stage.go.token();
    let answer = stage.push(address, "/", &[("authorization", &token)]).await;
    assert_eq!(answer.status, 502);
}
