//! The background task: what keeps it alive, and what happens to it with its runtime.

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, Simulator};
use tokio::runtime::{Handle, Runtime};

use test_support::log::Lines;
use test_support::{
    World, at_once, builder_for, crowd, eventually, invented, millis, passive_runtime, ready,
    refresh, runtime, secs, settle, soon, verdict, verifying,
};

#[tokio::test]
async fn the_last_handle_ends_the_background_task() {
    let world = World::new().await;
    let auth = world.ready().await;
    let layer = auth.layer();
    let clone = auth.clone();
    drop(auth);
    drop(clone);
    // The layer is a handle too.
    world.advance_to_fetch(secs(270), 2).await;
    settle().await;
    drop(layer);
    world.advance_quietly(secs(86_400)).await;
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_service_keeps_the_background_task_alive() {
    use tower::Layer as _;
    let world = World::new().await;
    let service = world.ready().await.layer().layer(());
    world.advance_to_fetch(secs(270), 2).await;
    settle().await;
    drop(service);
    world.advance_quietly(secs(300)).await;
}

#[test]
fn the_last_handle_leaves_no_task_behind() {
    for hangs in [false, true] {
        let passive = passive_runtime();
        passive.block_on(async {
            let of_go = runtime();
            let world = of_go.spawn(World::new()).await.expect("it ends");
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

#[tokio::test]
async fn a_request_outlives_the_handle_it_came_from() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let request = verifying(&auth, &world.token());
    world.fetches(1).await;
    drop(auth);
    hold.release();
    soon(request).await.unwrap().unwrap();
    world.advance_quietly(secs(300)).await;
}

#[test]
fn a_handle_outlives_the_runtime_it_ran_in() {
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    let auth = world.auth();
    for n in [1, 2, 3] {
        // On one thread: time passes only while the background task sleeps.
        let own = passive_runtime();
        own.block_on(async {
            assert_eq!(verdict(&auth, &world.token()).await, "ok");
            assert_eq!(world.go.fetches(), n);
            // Known keys, no fetch; then the refresh that is due runs in this runtime.
            world.advance_to_fetch(secs(270), n + 1).await;
            assert_eq!(world.last_attempt(&auth).await, "unknown_key");
        });
        // Gone with all of its tasks.
        drop(own);
    }
}

#[test]
fn many_short_runtimes_share_one_set_of_keys() {
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    let auth = world.auth();
    for _ in 0..10 {
        let own = passive_runtime();
        assert_eq!(own.block_on(verdict(&auth, &world.token())), "ok");
    }
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn a_rotation_is_seen_by_the_system_clock_too() {
    let go = Simulator::start().await.unwrap();
    let auth = builder_for(&go)
        .configure(|it| it.cooldown = millis(100))
        .configure(|it| it.refresh_interval = secs(1))
        .configure(|it| it.max_stale = secs(60))
        .build()
        .unwrap();
    assert_eq!(verdict(&auth, &go.token()).await, "ok");
    go.rotate();
    for _ in 0..200 {
        if verdict(&auth, &go.token()).await == "ok" {
            return;
        }
        tokio::time::sleep(millis(5)).await;
    }
    panic!("the cooldown does not end");
}

/// What this call comes to when the runtime of the background task goes during it.
fn abandoned(
    own: Runtime,
    call: impl Future<Output = Result<(), FetchError>> + Send + 'static,
) -> Result<(), FetchError> {
    let other = runtime();
    let waiting = other.spawn(call);
    other.block_on(settle());
    drop(own);
    other.block_on(soon(waiting)).expect("no panic")
}

#[test]
fn a_runtime_that_goes_before_a_fetch_strands_nobody() {
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    let auth = world.auth();
    let own = passive_runtime();
    {
        // The background task is spawned here, and never runs.
        let _entered = own.enter();
        assert!(at_once(auth.ready()).is_pending());
    }
    let outcome = abandoned(own, {
        let auth = auth.clone();
        async move { ready(&auth).await }
    });
    assert!(
        matches!(outcome, Ok(()) | Err(FetchError::Stopped)),
        "{outcome:?}"
    );
}

#[test]
fn a_runtime_that_goes_during_a_fetch_strands_nobody() {
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    let auth = world.auth();
    let hold = world.go.hold();
    let own = runtime();
    own.block_on(async {
        verifying(&auth, &world.token());
        world.fetches(1).await;
    });

    // One waits for this fetch, the other for one that starts after it.
    let other = runtime();
    let waiting = other.spawn({
        let auth = auth.clone();
        async move { ready(&auth).await }
    });
    let refreshing = other.spawn({
        let auth = auth.clone();
        async move { refresh(&auth).await }
    });
    other.block_on(settle());
    drop(own);
    let stopped = other.block_on(soon(waiting)).unwrap();
    assert_eq!(stopped, Err(FetchError::Stopped));
    drop(hold);
    let outcome = other.block_on(soon(refreshing)).unwrap();
    assert!(
        matches!(outcome, Ok(()) | Err(FetchError::Stopped)),
        "{outcome:?}"
    );
    other.block_on(async {
        world.clock.advance(secs(10));
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    });
}

#[test]
fn an_idle_runtime_that_goes_strands_nobody() {
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    let auth = world.auth();
    let idle = passive_runtime();
    idle.block_on(auth.ready()).expect("the keys");

    let (lines, _guard) = Lines::capture();
    let outcome = abandoned(idle, {
        let auth = auth.clone();
        async move { refresh(&auth).await }
    });
    assert_eq!(outcome, Err(FetchError::Stopped));
    of_go.block_on(eventually("it is logged", || {
        lines
            .text()
            .contains("the runtime shut down during a fetch")
    }));
}

#[test]
fn a_reply_to_a_runtime_that_is_gone_is_dropped() {
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    let auth = world.auth();
    let old = world.token();
    let hold = world.go.hold_next(1);
    let own = runtime();
    own.block_on(async {
        verifying(&auth, &old);
        world.fetches(1).await;
    });
    drop(own);

    world.withdraw();
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
