//! A rejected request's line names its trace.

use axum::body::Body;
use axum::routing::post;
use derbysoft_go_auth::{GoAuth, TokenClaims};
use http::HeaderValue;
use tower::ServiceExt;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use super::witness::{Logged, Witness};
use test_support::{Api, Keys, request};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0b1902b7-00";

fn auth() -> (Keys, GoAuth) {
    let keys = Keys::new();
    let auth = keys.builder().build().expect("a good configuration");
    (keys, auth)
}

/// A bad token, with these values of `traceparent`.
fn traced(values: &[&str]) -> http::Request<()> {
    let mut request = request(&[b"53ac0777"]);
    for value in values {
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().append("traceparent", value);
    }
    request
}

/// The level of each line, and its trace.
fn traces(logged: &[Logged]) -> Vec<(Level, Option<&str>)> {
    let trace = |it: &Logged| it.fields.contains_key("traceparent");
    (logged.iter())
        .map(|it| (it.level, trace(it).then(|| it.field("traceparent"))))
        .collect()
}

#[tokio::test]
async fn each_rejection_is_logged_with_its_own_trace() {
    let (witness, _guard) = Witness::listening(LevelFilter::DEBUG);
    let (_keys, auth) = auth();
    let door = Api::behind(auth.layer());
    for values in [&[TRACE][..], &[OTHER], &[]] {
        door.send(traced(values)).await;
    }
    let mut logged = witness.verdicts();
    // The first is emitted by another thread.
    logged.sort_by_key(|it| it.level);
    assert_eq!(
        traces(&logged),
        [
            (Level::INFO, Some(TRACE)),
            (Level::DEBUG, Some(OTHER)),
            (Level::DEBUG, None)
        ]
    );
}

#[tokio::test]
async fn a_trace_of_another_form_is_not_logged() {
    for values in [
        &["00-MaRk-b7ad6b7169203331-01"][..],
        &["0-1"],
        &[TRACE, TRACE],
        &[TRACE, "MaRk"],
        &["01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ] {
        let (witness, _guard) = Witness::listening(LevelFilter::DEBUG);
        let (_keys, auth) = auth();
        let door = Api::behind(auth.layer());
        for _ in 0..2 {
            door.send(traced(values)).await;
        }
        let logged = witness.verdicts();
        assert_eq!(logged.len(), 2);
        assert!(traces(&logged).iter().all(|(_, trace)| trace.is_none()));
    }
}

#[tokio::test]
async fn every_way_to_reject_names_the_trace() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let (keys, auth) = auth();
    Api::behind(auth.layer().danger_observe_only())
        .send(traced(&[TRACE]))
        .await;
    let head = traced(&[TRACE]).into_parts().0;
    auth.authenticate(&head.headers).await.expect_err("bad");
    let handler = async |_: TokenClaims<(u8,)>| ();
    let app = axum::Router::new()
        .route("/", post(handler))
        .layer(auth.layer());
    let request = http::Request::post("/")
        .header("authorization", keys.token())
        .header("traceparent", TRACE)
        .body(Body::empty());
    let answer = app.oneshot(request.expect("a request")).await;
    assert_eq!(answer.expect("infallible").status(), 500);
    let logged = witness.verdicts();
    let kinds: Vec<_> = logged.iter().map(|it| it.field("kind")).collect();
    assert_eq!(kinds, ["malformed", "malformed", "claims_mismatch"]);
    for (_, trace) in traces(&logged) {
        assert_eq!(trace, Some(TRACE));
    }
}
