//! The background refresh: when it runs, and what a failure or a header changes about that.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::keys::{FetchError, KeysState};
use derbysoft_go_simulator::Fault;

use test_support::{
    World, at_once, eventually, keys, millis, ready, readying, refresh, secs, settle, soon, state,
    verdict,
};

#[tokio::test]
async fn a_refresh_comes_early_and_delays_no_request() {
    let world = World::new().await;
    let auth = world.ready().await;
    for n in 2..5 {
        world.advance_quietly(secs(209)).await;
        let hold = world.go.hold();
        world.advance_to_fetch(secs(61), n).await;
        assert!(at_once(auth.verify(&world.token())).is_ready());
        assert_eq!(state(&auth), KeysState::Fresh);
        hold.release();
        assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    }
}

#[tokio::test]
async fn a_fleet_started_at_once_drifts_apart() {
    let world = World::new().await;
    let mut fleet = Vec::new();
    for _ in 0..16 {
        fleet.push(world.ready().await);
    }
    world.advance_quietly(secs(209)).await;
    world.clock.advance(secs(31));
    settle().await;
    let by_half_time = world.go.fetches() - 16;
    assert!((1..16).contains(&by_half_time), "{by_half_time}");
    world.advance_to_fetch(secs(31), 32).await;
}

#[tokio::test]
async fn retries_back_off_from_a_second_to_a_minute() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Status(500));
    world.advance_to_fetch(secs(270), 2).await;
    // Asking for an unknown key would cause a fetch of its own once the cooldown is over, so the
    // end of an attempt is awaited right after its beginning.
    assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
    for (n, wait) in [1, 2, 4, 8, 16, 32, 60, 60, 60].into_iter().enumerate() {
        world.advance_quietly(millis(wait * 499)).await;
        world.advance_to_fetch(millis(wait * 501), n + 3).await;
        assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }

    // After a success the back-off starts anew.
    world.go.heal();
    world.advance_to_fetch(secs(60), 12).await;
    assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    world.advance_quietly(secs(209)).await;
    world.go.fail(Fault::Status(500));
    world.advance_to_fetch(secs(61), 13).await;
    assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
    world.advance_to_fetch(secs(1), 14).await;
}

#[tokio::test]
async fn a_failed_first_fetch_is_retried_in_the_background() {
    for fault in [Fault::Cut, Fault::Hang] {
        let world = World::new().await;
        world.go.fail_next(2, fault);
        let auth = world.auth();
        let failed = readying(&auth);
        world.fetches(1).await;
        world.clock.advance(secs(5));
        soon(failed).await.unwrap().unwrap_err();
        assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
        world.advance_to_fetch(secs(1), 2).await;
        world.clock.advance(secs(5));
        assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
        world.advance_to_fetch(secs(2), 3).await;
        assert_eq!(world.last_attempt(&auth).await, "unknown_key");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        assert_eq!(world.go.fetches(), 3);
    }
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_use() {
    let world = World::new().await;
    let _auth = world.auth();
    world.advance_quietly(secs(86_400)).await;
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_readiness_check_alone_brings_the_keys() {
    let world = World::new().await;
    let auth = world.auth();
    assert!(!auth.health().is_ready());
    eventually("ready", || auth.health().is_ready()).await;
    for _ in 0..3 {
        assert!(auth.health().is_ready());
        settle().await;
    }
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.advance_to_fetch(secs(270), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    let requests = world.go.requests();
    assert_eq!(requests[0].if_none_match, None);
    assert!(requests[1].if_none_match.is_some());
    assert_eq!(requests[1].status, Some(304));

    // 304 is a success: the keys stay, and their age starts anew.
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    world.clock.advance(secs(200));
    settle().await;
    assert_eq!(state(&auth), KeysState::Fresh);
    assert_eq!(world.go.fetches(), 2);
    world.go.rotate();
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_304_without_a_stored_document_is_a_failure() {
    let world = World::new().await;
    world.go.fail(Fault::Status(304));
    let auth = world.auth();
    let unexpected = Err(FetchError::UnexpectedNotModified);
    assert_eq!(ready(&auth).await, unexpected);
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");

    // It may not answer a request that was not conditional.
    world.go.heal();
    world.go.set_etag(false);
    refresh(&auth).await.unwrap();
    world.go.fail(Fault::Status(304));
    assert_eq!(refresh(&auth).await, unexpected);
    assert_eq!(verdict(&auth, &world.token()).await, "ok");

    // It may not confirm a document that is dropped by now.
    world.go.heal();
    world.go.set_etag(true);
    refresh(&auth).await.unwrap();
    world.go.fail(Fault::Cut);
    world.clock.advance(secs(86_400));
    eventually("the keys are dropped", || keys(&auth) == 0).await;
    world.go.fail(Fault::Status(304));
    assert_eq!(refresh(&auth).await, unexpected);
    assert!(!auth.health().is_ready());
}

/// Keys fetched under this `Cache-Control`.
async fn cached(world: &World, cache_control: &str, interval: u64) -> GoAuth {
    world.go.set_cache_control(Some(cache_control));
    world
        .ready_with(|builder| builder.configure(|it| it.refresh_interval = secs(interval)))
        .await
}

#[tokio::test]
async fn max_age_decides_within_its_bounds() {
    for (cache_control, interval, lifetime) in [
        ("max-age=100", 300, 100),
        ("public, max-age=100, must-revalidate", 300, 100),
        // Not below 30 s …
        ("max-age=0", 300, 30),
        ("max-age=1", 300, 30),
        // … or the interval, where that is shorter …
        ("max-age=0", 10, 10),
        ("max-age=20", 10, 10),
        // … and never beyond it.
        ("max-age=315360000", 300, 300),
        ("max-age=99999999999999999999999", 300, 300),
        ("no-store", 300, 300),
        ("max-age=-1", 300, 300),
    ] {
        let world = World::new().await;
        let auth = cached(&world, cache_control, interval).await;
        world.advance_quietly(millis(lifetime * 699)).await;
        world.advance_to_fetch(millis(lifetime * 202), 2).await;
        ready(&auth).await.unwrap();
    }
}

#[tokio::test]
async fn max_age_of_a_304_counts_too() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.set_cache_control(Some("max-age=60"));
    world.advance_to_fetch(secs(270), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    assert_eq!(world.go.requests()[1].status, Some(304));
    world.advance_quietly(secs(41)).await;
    world.advance_to_fetch(secs(14), 3).await;
}

#[tokio::test]
async fn a_refresh_waits_for_a_slow_fetch_and_then_for_its_own() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.fetch_timeout = secs(5)))
        .await;
    let hold = world.go.hold();
    world.advance_to_fetch(secs(270), 2).await;
    let refreshing = tokio::spawn(async move { auth.refresh().await });
    settle().await;
    world.advance_to_fetch(secs(5), 3).await;
    world.clock.advance(millis(4900));
    settle().await;
    assert!(!refreshing.is_finished());
    drop(hold);
    soon(refreshing).await.unwrap().expect("GO is well again");
}
