//! How long a withdrawn key can still be trusted: each row of the table in `docs/guide/rotation.md`,
//! "A key is withdrawn". A token of that key is cached in each, so the cache is held to the same
//! bounds.

use std::time::Duration;

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::Fault;

use test_support::{
    World, at_once, eventually, keys, millis, passes, ready, refreshing, remember, secs, settle,
    soon, state, verdict,
};

const DAY: u64 = 86_400;

/// Handles that start at once: each draws its own moment to refresh.
const FLEET: usize = 16;

/// A token that does not expire before its key is gone, and survives a clock set back.
fn lasting(world: &World) -> String {
    let mint = world.mint().expires_in(30 * 86_400);
    mint.without("nbf").without("iat").token()
}

/// A handle whose cache has a token of a key that has just been withdrawn; and that token.
async fn withdrawn(set: impl FnOnce(GoAuthBuilder) -> GoAuthBuilder) -> (World, GoAuth, String) {
    let world = World::new().await;
    let auth = world.ready_with(set).await;
    let old = lasting(&world);
    remember(&auth, &old);
    world.withdraw();
    (world, auth, old)
}

/// Asserts that a key withdrawn right after the answer to the first fetch was settled is rejected
/// once `bound` has passed since then and the refresh that began by then is answered.
async fn gone_within(
    bound: Duration,
    cache_control: Option<&str>,
    set: impl Fn(GoAuthBuilder) -> GoAuthBuilder,
) {
    let world = World::new().await;
    world.go.set_cache_control(cache_control);
    // The first answer is as old as a fetch's time limit allows when it comes.
    let hold = world.go.hold();
    let fleet: Vec<_> = (0..FLEET)
        .map(|_| set(world.builder()).build().expect("good"))
        .collect();
    for auth in &fleet {
        assert!(at_once(auth.ready()).is_pending());
    }
    world.fetches(FLEET).await;
    let old = lasting(&world);
    world.withdraw();
    world.clock.advance(millis(4900));
    hold.release();
    for auth in &fleet {
        ready(auth).await.expect("GO is well");
        remember(auth, &old);
    }

    world.clock.advance(bound.saturating_sub(millis(4900)));
    world.fetches(2 * FLEET).await;
    for auth in &fleet {
        eventually("the withdrawn key is gone", || !passes(auth, &old)).await;
        assert_eq!(verdict(auth, &old).await, "key_pending");
    }
    // By themselves, not because of the token.
    assert_eq!(world.go.fetches(), 2 * FLEET);
}

#[tokio::test]
async fn a_withdrawn_key_goes_within_the_interval() {
    // 0.9 × `refresh_interval`; what the fetch itself takes comes on top.
    gone_within(secs(270), None, |builder| builder).await;
    gone_within(secs(54), None, |builder| {
        builder.configure(|it| it.refresh_interval = secs(60))
    })
    .await;
}

#[tokio::test]
async fn a_withdrawn_key_goes_within_max_age() {
    gone_within(secs(90), Some("max-age=100"), |builder| builder).await;
    // Not below 30 s …
    gone_within(secs(27), Some("max-age=0"), |builder| builder).await;
    // … or the interval, where that is shorter; nor beyond it.
    let short = |builder: GoAuthBuilder| builder.configure(|it| it.refresh_interval = secs(10));
    gone_within(secs(9), Some("max-age=1"), short).await;
    gone_within(secs(270), Some("max-age=86400"), |builder| builder).await;
}

#[tokio::test]
async fn a_withdrawn_key_goes_at_the_staleness_bound() {
    for (bound, set) in [(DAY, None), (900, Some(secs(900)))] {
        let (world, auth, old) = withdrawn(|builder| match set {
            Some(bound) => builder.configure(|it| it.max_stale = bound),
            None => builder,
        })
        .await;
        world.go.fail(Fault::Status(500));
        world.clock.advance(secs(bound - 1));
        assert_eq!(verdict(&auth, &old).await, "ok");
        world.clock.advance(secs(1));
        // To the moment, whether or not the background task has noticed.
        assert!(!passes(&auth, &old));
        assert_eq!(verdict(&auth, &old).await, "keys_unavailable");
        // It does not come back with the address.
        world.go.heal();
        world.clock.advance(secs(60));
        eventually("the new keys came", || auth.health().is_ready()).await;
        assert_eq!(verdict(&auth, &old).await, "key_pending");
    }
}

#[tokio::test]
async fn a_withdrawn_key_goes_with_the_next_good_answer() {
    let (world, auth, old) = withdrawn(|builder| builder).await;
    world.go.fail_next(3, Fault::Cut);
    for (wait, n) in [(270, 2), (1, 3), (2, 4), (4, 5)] {
        world.advance_to_fetch(secs(wait), n).await;
        if n < 5 {
            assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
            assert!(passes(&auth, &old));
        }
    }
    eventually("the withdrawn key is gone", || !passes(&auth, &old)).await;
}

#[tokio::test]
async fn restarts_do_not_prolong_a_withdrawn_key() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keys.json");
    let start = || world.builder().snapshot(&path).build().expect("good");
    let auth = start();
    ready(&auth).await.unwrap();
    eventually("the snapshot is written", || path.exists()).await;
    let old = lasting(&world);
    world.withdraw();
    world.go.fail(Fault::Cut);
    drop(auth);

    for _ in 0..3 {
        world.clock.advance(secs(DAY / 4));
        let auth = start();
        assert_eq!(verdict(&auth, &old).await, "ok");
        remember(&auth, &old);
    }
    let auth = start();
    world.clock.advance(secs(DAY / 4 - 1));
    assert_eq!(verdict(&auth, &old).await, "ok");
    remember(&auth, &old);
    world.clock.advance(secs(1));
    assert_eq!(verdict(&auth, &old).await, "keys_unavailable");
    assert_eq!(verdict(&start(), &old).await, "keys_unavailable");
}

#[tokio::test]
async fn a_key_withdrawn_before_a_refresh_is_gone_after() {
    let world = World::new().await;
    let auth = world.ready().await;
    for _ in 0..5 {
        let old = lasting(&world);
        remember(&auth, &old);
        // The answer to the first is settled with the old key still in it.
        let hold = world.go.hold_next(1);
        let before = world.go.fetches();
        let first = refreshing(&auth);
        world.fetches(before + 1).await;
        remember(&auth, &old);
        world.withdraw();
        let second = refreshing(&auth);
        settle().await;
        assert!(!second.is_finished(), "it took an answer from before it");
        hold.release();
        soon(first).await.unwrap().unwrap();
        soon(second).await.unwrap().unwrap();
        assert!(!passes(&auth, &old));
        assert_eq!(verdict(&auth, &old).await, "key_pending");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        assert_eq!(world.go.fetches(), before + 2);
    }
}

#[tokio::test]
async fn a_machine_that_slept_trusts_the_wall_clock() {
    let (world, auth, old) = withdrawn(|builder| builder).await;
    let later = |seconds| UnixTime::from_secs(world.time().as_secs() + seconds);
    settle().await;

    // Asleep for less than the bound: refreshed as soon as the background task looks at the clock.
    world.clock.step_to(later(3600));
    assert_eq!(state(&auth).as_str(), "stale");
    world.advance_to_fetch(secs(60), 2).await;
    eventually("the withdrawn key is gone", || !passes(&auth, &old)).await;
    eventually("the keys are fresh", || state(&auth).as_str() == "fresh").await;

    // For longer: at once, and for all keys.
    let current = lasting(&world);
    assert_eq!(verdict(&auth, &current).await, "ok");
    world.go.fail(Fault::Cut);
    world.clock.step_to(later(DAY));
    assert!(!auth.health().is_ready());
    assert!(!passes(&auth, &current));
    assert_eq!(verdict(&auth, &current).await, "keys_unavailable");
}

#[tokio::test]
async fn whichever_clock_reaches_the_bound_first_decides() {
    // (elapsed, wall clock beside it): elapsed time alone, the wall clock alone, both.
    for (elapsed, stepped) in [(900, -100_000_i64), (60, 840), (450, 450)] {
        let set = |builder: GoAuthBuilder| builder.configure(|it| it.max_stale = secs(900));
        let (world, auth, old) = withdrawn(set).await;
        world.go.fail(Fault::Cut);
        world.clock.advance(secs(elapsed - 1));
        let now = world.time().as_secs().saturating_add_signed(stepped);
        world.clock.step_to(UnixTime::from_secs(now));
        assert!(passes(&auth, &old), "{elapsed} {stepped}");
        world.clock.advance(secs(1));
        assert!(!auth.health().is_ready(), "{elapsed} {stepped}");
        eventually("the withdrawn key is gone", || !passes(&auth, &old)).await;
        eventually("all keys are", || keys(&auth) == 0).await;
        assert_eq!(verdict(&auth, &old).await, "keys_unavailable");
    }
}
