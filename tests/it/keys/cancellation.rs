//! Requests that are cancelled during a fetch.

use derbysoft_go_simulator::Fault;
use tower::{Layer as _, ServiceExt as _};

use test_support::{
    World, agreed, at_once, crowd, eventually, passes, request, settle, soon, verdict, verifying,
};

#[tokio::test]
async fn a_caller_who_leaves_takes_no_fetch_along() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let first = verifying(&auth, &world.token());
    world.fetches(1).await;
    let others = crowd(&auth, vec![world.token(); 49]);
    settle().await;
    first.abort();
    assert!(soon(first).await.unwrap_err().is_cancelled());
    // A later caller joins in, too.
    let late = verifying(&auth, &world.token());
    settle().await;
    hold.release();
    assert_eq!(agreed(others).await, "ok");
    soon(late).await.unwrap().unwrap();
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn a_fetch_that_fails_unattended_cools_down_too() {
    let world = World::new().await;
    world.go.fail(Fault::Status(500));
    let auth = world.auth();
    let hold = world.go.hold();
    let mut waiters = crowd(&auth, vec![world.token(); 20]);
    world.fetches(1).await;
    waiters.shutdown().await;
    hold.release();
    eventually("the failure is known", || {
        auth.health().state().last_error().is_some()
    })
    .await;
    for _ in 0..20 {
        assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    }
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn a_cancelled_ready_or_refresh_still_publishes() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    assert!(at_once(auth.ready()).is_pending());
    assert!(at_once(auth.refresh()).is_pending());
    world.fetches(1).await;
    hold.release();
    eventually("the keys are there", || auth.health().is_ready()).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_closed_connection_takes_no_fetch_along() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let handler = tower::service_fn(|_: http::Request<()>| {
        std::future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(
            http_body_util::Empty::<bytes::Bytes>::new(),
        )))
    });
    let call = auth.layer().layer(handler).oneshot({
        let token = world.token();
        request(&[token.as_bytes()])
    });
    let call = tokio::spawn(call);
    world.fetches(1).await;
    call.abort();
    let _ = soon(call).await;
    hold.release();
    eventually("the keys are there", || auth.health().is_ready()).await;
    assert!(passes(&auth, &world.token()));
    assert_eq!(world.go.fetches(), 1);
}
