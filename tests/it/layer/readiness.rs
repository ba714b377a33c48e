//! The layer under tower's contract: which service is called, and when an answer is ready.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::inbound::{GoAuthService, ResponseBody};
use derbysoft_go_simulator::{Fault, Hold};
use http::{Request, Response};
use http_body_util::Full;
use tokio::task::{JoinHandle, JoinSet};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;

use super::strict::{Strict, ready_to, with};
use test_support::{Keys, World, at_once, eventually, secs, settle, soon};

#[tokio::test]
async fn the_service_polled_ready_is_the_one_called() {
    let keys = Keys::new();
    let strict = Strict::default();
    let mut service = keys.layer().layer(strict.clone());
    for _ in 0..3 {
        let response = soon(ready_to(&mut service).await.call(with(&keys.token()))).await;
        assert_eq!(response.unwrap().status(), 200);
        // A rejection in between leaves the service ready or polled again, never called unready.
        let rejected = ready_to(&mut service).await.call(with("53ac0777"));
        assert_eq!(soon(rejected).await.unwrap().status(), 401);
    }
    assert_eq!(strict.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_waiting_call_takes_the_service_polled_ready() {
    let world = World::new().await;
    let strict = Strict::default();
    let mut service = world.auth().layer().layer(strict.clone());
    let hold = world.go.hold();
    let first = ready_to(&mut service).await.call(with(&world.token()));
    let second = ready_to(&mut service).await.call(with(&world.token()));
    let waiting = tokio::spawn(async { tokio::join!(first, second) });
    world.fetches(1).await;
    hold.release();
    let (first, second) = soon(waiting).await.unwrap();
    assert_eq!(first.unwrap().status(), 200);
    assert_eq!(second.unwrap().status(), 200);
    assert_eq!(strict.calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn each_call_reaches_the_service_once() {
    let keys = Keys::new();
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(keys.layer());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = service.call(with(&keys.token()));
    // The one permit is spent.
    assert!(service.poll_ready().is_pending());
    let (_, reply) = soon(handle.next_request()).await.expect("a request");
    reply.send_response(Response::new(Full::from("handled")));
    assert_eq!(soon(answer).await.unwrap().status(), 200);

    // A rejected request reaches nobody.
    handle.allow(2);
    assert!(service.is_woken());
    assert!(service.poll_ready().is_ready());
    assert_eq!(
        soon(service.call(with("53ac0777"))).await.unwrap().status(),
        401
    );
    assert!(handle.poll_request().is_pending());
}

#[tokio::test]
async fn errors_of_the_wrapped_service_are_passed_on() {
    let keys = Keys::new();
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(keys.layer());
    assert!(service.poll_ready().is_ready());
    let answer = service.call(with(&keys.token()));
    let (_, reply) = soon(handle.next_request()).await.expect("a request");
    reply.send_error("the handler broke");
    assert_eq!(
        soon(answer).await.unwrap_err().to_string(),
        "the handler broke"
    );

    handle.send_error("not ready, ever");
    match service.poll_ready() {
        Poll::Ready(Err(error)) => assert_eq!(error.to_string(), "not ready, ever"),
        other => panic!("the error is gone: {other:?}"),
    }
}

type Limited = GoAuthService<ConcurrencyLimit<Strict>>;

/// A service that takes one request at a time.
fn with_one_place(auth: &GoAuth) -> Limited {
    auth.layer()
        .layer(ConcurrencyLimit::new(Strict::default(), 1))
}

/// A request that waits for the first fetch of keys, and what holds that back.
async fn waiting_in(
    service: &mut Limited,
    world: &World,
    token: &str,
) -> (
    JoinHandle<Result<Response<ResponseBody<Full<Bytes>>>, Infallible>>,
    Hold,
) {
    let hold = world.go.hold();
    let answer = ready_to(service).await.call(with(token));
    let waiting = tokio::spawn(answer);
    world.fetches(1).await;
    (waiting, hold)
}

#[tokio::test]
async fn a_waiting_request_holds_no_permit() {
    let world = World::new().await;
    let mut service = with_one_place(&world.auth());
    // The fetch does not bring its key: the request is rejected after the wait.
    let (rejected, hold) = waiting_in(&mut service, &world, &world.unknown()).await;
    assert!(at_once(ready_to(&mut service)).is_ready());
    hold.release();
    assert_eq!(soon(rejected).await.unwrap().unwrap().status(), 401);

    let accepted = soon(ready_to(&mut service))
        .await
        .call(with(&world.token()));
    assert_eq!(soon(accepted).await.unwrap().status(), 200);
}

/// Eight forged tokens with an unknown kid, and a key address that hangs.
#[tokio::test]
async fn waiting_strangers_keep_out_no_genuine_push() {
    let world = World::new().await;
    let auth = world.ready().await;
    let limited = ServiceBuilder::new()
        .layer(auth.layer())
        .load_shed()
        .concurrency_limit(8)
        .service(Strict::default());
    world.clock.advance(secs(10));
    world.go.fail(Fault::Hang);
    let mut strangers = JoinSet::new();
    for _ in 0..8 {
        let service = limited.clone();
        strangers.spawn(service.oneshot(with(&world.unknown())));
    }
    world.fetches(2).await;
    let push = limited.clone().oneshot(with(&world.token()));
    match at_once(push) {
        Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
        other => panic!("{other:?}"),
    }
    assert_eq!(strangers.len(), 8);
    world.clock.advance(secs(2));
    while let Some(answer) = soon(strangers.join_next()).await {
        assert_eq!(answer.unwrap().unwrap().status(), 503);
    }
}

type Mocked = mock::Handle<Request<()>, Response<Full<Bytes>>>;

/// A request whose key has arrived, in front of a busy service; and that service.
async fn waiting_for_the_service(world: &World) -> (JoinHandle<u16>, Mocked) {
    let auth = world.auth();
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(auth.layer());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = service.call(with(&world.token()));
    let answer = tokio::spawn(async move { answer.await.expect("an answer").status().as_u16() });
    handle.allow(0);
    world.fetches(1).await;
    eventually("the keys are published", || auth.health().is_ready()).await;
    settle().await;
    assert!(at_once(handle.next_request()).is_pending());
    (answer, handle)
}

#[tokio::test]
async fn a_request_waits_for_keys_then_the_service() {
    let world = World::new().await;
    let (answer, mut handle) = waiting_for_the_service(&world).await;
    handle.allow(1);
    let (_, reply) = soon(handle.next_request()).await.expect("a request");
    reply.send_response(Response::default());
    assert_eq!(soon(answer).await.expect("no panic"), 200);
}

#[tokio::test]
async fn a_token_is_judged_again_after_a_long_wait() {
    let world = World::new().await;
    let (answer, mut handle) = waiting_for_the_service(&world).await;
    // Its token expires meanwhile.
    world.clock.advance(secs(331));
    handle.allow(1);
    assert_eq!(soon(answer).await.expect("no panic"), 401);
}

#[tokio::test]
async fn a_dropped_waiting_request_returns_its_permit() {
    let world = World::new().await;
    let mut service = with_one_place(&world.auth());
    let (dropped, hold) = waiting_in(&mut service, &world, &world.token()).await;
    dropped.abort();
    soon(ready_to(&mut service)).await;
    hold.release();
}

#[test]
fn a_ready_answer_comes_with_the_first_poll() {
    let keys = Keys::new();
    let mut service = keys.layer().layer(Strict::default());
    for (token, status) in [(keys.token(), 200), ("53ac0777".to_owned(), 401)] {
        let Poll::Ready(service) = at_once(ready_to(&mut service)) else {
            panic!("not ready");
        };
        match at_once(service.call(with(&token))) {
            Poll::Ready(Ok(response)) => assert_eq!(response.status(), status),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn fetched_keys_answer_with_the_first_poll() {
    let world = World::new().await;
    let auth = world.ready().await;
    let mut service = auth.layer().layer(Strict::default());
    let call = ready_to(&mut service).await.call(with(&world.token()));
    assert!(at_once(call).is_ready());
}

#[tokio::test]
async fn a_cancelled_service_call_leaves_the_others_alone() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let service = auth.layer().layer(Strict::default());
    let cancelled = tokio::spawn(service.clone().oneshot(with(&world.token())));
    let patient = tokio::spawn(service.oneshot(with(&world.token())));
    world.fetches(1).await;
    cancelled.abort();
    settle().await;
    hold.release();
    assert_eq!(soon(patient).await.unwrap().unwrap().status(), 200);
    assert_eq!(world.go.fetches(), 1);
}
