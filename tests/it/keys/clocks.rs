//! The wall clock is stepped: by an operator, by NTP, or by a machine that slept.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::Fault;

use test_support::{
    World, eventually, keys, millis, ready, readyz, secs, settle, soon, state, verdict, verifying,
};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Steps the wall clock by so many seconds; no time elapses.
fn step(world: &World, seconds: i64) {
    let now = world.time().as_secs().saturating_add_signed(seconds);
    world.clock.step_to(UnixTime::from_secs(now));
}

async fn one_hour(world: &World) -> GoAuth {
    world
        .ready_with(|builder| builder.configure(|it| it.max_stale = secs(HOUR)))
        .await
}

#[tokio::test]
async fn a_swinging_clock_neither_rejects_nor_storms() {
    let world = World::new().await;
    let auth = world.ready().await;
    let mut swing = 40_000;
    for _ in 0..20 {
        step(&world, swing);
        swing = -swing;
        world.clock.advance(secs(60));
        settle().await;
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        assert_eq!(readyz(&auth), 200);
    }
    // At worst each step forward makes the keys look old once.
    let fetches = world.go.fetches();
    assert!((5..=21).contains(&fetches), "{fetches}");
}

#[tokio::test]
async fn a_clock_set_back_does_not_delay_the_refresh() {
    let world = World::new().await;
    let auth = world.ready().await;
    step(&world, -400_000);
    world.advance_quietly(secs(209)).await;
    world.advance_to_fetch(secs(61), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_clock_set_back_leaves_the_cooldown_alone() {
    let world = World::new().await;
    let auth = world.ready().await;
    for by in [-400_000, 200_000, -1] {
        step(&world, by);
        assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
    }
    assert_eq!(world.go.fetches(), 1);
    world.clock.advance(secs(10));
    world.go.rotate();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_stepped_clock_changes_no_wait_under_way() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let builder = world.builder().configure(|it| it.fetch_timeout = secs(60));
    let auth = builder.build().unwrap();
    let waiting = verifying(&auth, &world.token());
    world.fetches(1).await;
    step(&world, 10);
    step(&world, -20);
    settle().await;
    assert!(!waiting.is_finished());
    world.clock.advance(millis(2000));
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind().as_str(), "keys_unavailable");
}

#[tokio::test]
async fn after_a_clock_swing_in_an_outage_health_is_true() {
    let world = World::new().await;
    let auth = one_hour(&world).await;
    world.go.fail(Fault::Status(500));
    step(&world, 7200);
    world.advance_to_fetch(secs(60), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
    settle().await;
    assert_eq!((readyz(&auth), keys(&auth)), (503, 0));

    step(&world, -7200);
    settle().await;
    let served = verdict(&auth, &world.token()).await == "ok";
    // Whether they verify again is open; that it is reported truly is not.
    assert_eq!(readyz(&auth) == 200, served, "{:?}", state(&auth));
    assert_eq!(keys(&auth) > 0, served);
    if ready(&auth).await.is_ok() {
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }

    world.go.heal();
    world.clock.advance(secs(60));
    eventually("the keys are fresh", || state(&auth).as_str() == "fresh").await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_clock_at_either_end_of_time_panics_nothing() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.token();
    let now = world.time();
    for (wall, kinds) in [
        (UnixTime::MAX, ["expired", "expired"]),
        (UnixTime::EPOCH, ["not_yet_valid", "not_yet_valid"]),
        (now, ["ok", "ok"]),
    ] {
        world.clock.step_to(wall);
        for kind in kinds {
            assert_eq!(verdict(&auth, &token).await, kind);
        }
        let _ = auth.health();
        world.clock.advance(secs(60));
        settle().await;
    }
}

#[tokio::test]
async fn a_snapshot_from_the_future_is_not_used() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keys.json");
    step(&world, i64::try_from(DAY).unwrap());
    let auth = world.ready_with(|builder| builder.snapshot(&path)).await;
    eventually("the snapshot is written", || path.exists()).await;
    drop(auth);

    step(&world, -i64::try_from(DAY).unwrap());
    world.go.fail(Fault::Cut);
    let auth = world.builder().snapshot(&path).build().unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    assert_eq!(readyz(&auth), 503);
}
