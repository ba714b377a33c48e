//! Requests, handles and runtimes that go away while keys are fetched.

use derbysoft_go_auth::{FetchError, GoAuth};
use derbysoft_go_simulator::{Fault, Simulator};
use tokio::runtime::Handle;
use tower::{Layer as _, ServiceExt as _};

use super::{agreed, crowd, invented};
use test_support::{
    World, at_once, eventually, passive_runtime, ready, refresh, request, runtime, secs, settle,
    soon, verdict, verifying,
};

#[tokio::test]
async fn given_fifty_waiters_when_the_one_that_started_the_fetch_leaves_then_the_others_are_served()
{
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let first = verifying(&auth, &world.token());
    world.fetches(1).await;
    let others = crowd(&auth, vec![world.token(); 49]);
    settle().await;
    first.abort();
    assert!(soon(first).await.unwrap_err().is_cancelled());
    hold.release();
    assert_eq!(agreed(others).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_all_waiters_left_when_the_fetch_fails_then_it_cools_down_all_the_same() {
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
async fn given_a_request_behind_the_layer_when_its_connection_closes_then_the_fetch_goes_on() {
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
    assert!(at_once(auth.verify(&world.token())).is_ready());
}

#[tokio::test]
async fn given_ready_and_refresh_when_they_are_given_up_then_the_fetch_still_publishes() {
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

#[test]
fn given_the_last_handle_when_it_drops_then_no_task_is_left() {
    for hangs in [false, true] {
        let passive = passive_runtime();
        passive.block_on(async {
            let of_go = runtime();
            let go = of_go.spawn(Simulator::start()).await.expect("it ends");
            let world = World::of(go.expect("a free port"));
            let alive = || Handle::current().metrics().num_alive_tasks();
            assert_eq!(alive(), 0);
            let auth = world.auth();
            if hangs {
                world.go.fail(Fault::Hang);
                let mut flood = crowd(&auth, invented(&world.token(), 0..100));
                world.fetches(1).await;
                flood.shutdown().await;
            } else {
                ready(&auth).await.unwrap();
            }
            assert!(alive() >= 1);
            drop(auth);
            eventually("every task has ended", || alive() == 0).await;
            of_go.shutdown_background();
        });
    }
}

#[test]
fn given_a_runtime_that_goes_before_its_fetch_began_when_others_wait_for_it_then_none_is_stranded()
{
    let of_go = runtime();
    let world = World::of(of_go.block_on(Simulator::start()).unwrap());
    let auth = world.auth();
    let own = passive_runtime();
    {
        // The background task is spawned here, and never gets to run.
        let _entered = own.enter();
        assert!(at_once(auth.ready()).is_pending());
    }
    let other = runtime();
    let waiting = other.spawn({
        let auth = auth.clone();
        async move { ready(&auth).await }
    });
    other.block_on(settle());
    drop(own);
    let outcome = other.block_on(soon(waiting)).unwrap();
    assert!(
        matches!(outcome, Ok(()) | Err(FetchError::Stopped)),
        "{outcome:?}"
    );
}

#[test]
fn given_a_runtime_that_goes_during_a_fetch_when_another_fetch_was_to_follow_then_none_is_stranded()
{
    let of_go = runtime();
    let world = World::of(of_go.block_on(Simulator::start()).unwrap());
    let auth = world.auth();
    let hold = world.go.hold();
    let own = runtime();
    own.block_on(async {
        verifying(&auth, &world.token());
        world.fetches(1).await;
    });
    let other = runtime();
    let refreshing = |auth: &GoAuth| {
        let auth = auth.clone();
        other.spawn(async move { refresh(&auth).await })
    };
    // It wants a fetch that begins after the one under way.
    let waiting = refreshing(&auth);
    other.block_on(settle());
    drop(own);
    drop(hold);
    let outcome = other.block_on(soon(waiting)).unwrap();
    assert!(
        matches!(outcome, Ok(()) | Err(FetchError::Stopped)),
        "{outcome:?}"
    );
}

#[test]
fn given_a_reply_to_a_runtime_that_is_gone_when_it_comes_late_then_it_replaces_nothing() {
    let of_go = runtime();
    let world = World::of(of_go.block_on(Simulator::start()).unwrap());
    let auth = world.auth();
    let old = world.token();
    let hold = world.go.hold_next(1);
    let own = runtime();
    own.block_on(async {
        verifying(&auth, &old);
        world.fetches(1).await;
    });
    drop(own);

    world.go.rotate();
    world.go.retire_all_but_current();
    world.clock.advance(secs(10));
    let other = runtime();
    other.block_on(async {
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        hold.release();
        settle().await;
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        assert_eq!(verdict(&auth, &old).await, "key_pending");
    });
}
