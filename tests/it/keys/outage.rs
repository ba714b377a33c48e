//! The key address fails while there are good keys.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::Fault;

use test_support::{Api, World, at_once, eventually, keys, readyz, secs, state, verdict};

const DAY: u64 = 86_400;

/// The statuses for a known and an unknown `kid`, and of the readiness check.
async fn statuses(world: &World, auth: &GoAuth) -> (u16, u16, u16) {
    let api = Api::behind(auth.layer());
    let known = api.call(&format!("Bearer {}", world.token())).await;
    let unknown = api.call(&format!("Bearer {}", world.unknown())).await;
    if unknown.status() == 503 {
        assert!(unknown.header("retry-after").is_some());
        assert_eq!(unknown.header("www-authenticate"), None);
    }
    (known.status(), unknown.status(), readyz(auth))
}

#[tokio::test]
async fn each_state_of_an_outage_is_as_documented() {
    let world = World::new().await;
    let auth = world.ready().await;
    assert_eq!(statuses(&world, &auth).await, (200, 401, 200));

    world.go.fail(Fault::Hang);
    world.go.fail_next(1000, Fault::Status(502));
    let mut passed = 0;
    for (at, health, expected) in [
        (10, "fresh", (200, 503, 200)),
        (299, "fresh", (200, 503, 200)),
        (300, "stale", (200, 503, 200)),
        (3600, "stale", (200, 503, 200)),
        (DAY - 1, "stale", (200, 503, 200)),
        (DAY, "empty", (503, 503, 503)),
        (2 * DAY, "empty", (503, 503, 503)),
    ] {
        world.clock.advance(secs(at - passed));
        passed = at;
        assert_eq!(statuses(&world, &auth).await, expected, "after {at} s");
        assert_eq!(state(&auth).as_str(), health, "after {at} s");
    }

    world.go.heal();
    world.clock.advance(secs(60));
    eventually("the keys are fresh", || state(&auth).as_str() == "fresh").await;
    assert_eq!(statuses(&world, &auth).await, (200, 401, 200));
}

#[tokio::test]
async fn recovery_past_the_bound_needs_no_request() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.max_stale = secs(600)))
        .await;
    world.go.fail(Fault::Status(500));
    world.advance_to_fetch(secs(600), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
    assert_eq!(keys(&auth), 0);
    assert_eq!(readyz(&auth), 503);

    world.go.heal();
    world.clock.advance(secs(60));
    eventually("new keys came", || keys(&auth) == 2).await;
    assert_eq!(readyz(&auth), 200);
    assert!(at_once(auth.verify(&world.token())).is_ready());
}

#[tokio::test]
async fn every_other_failed_fetch_rejects_no_known_key() {
    let world = World::new().await;
    let auth = world.ready().await;
    for round in 0..12 {
        if round % 2 == 0 {
            world.go.fail_next(1, Fault::Cut);
        }
        let fetches = world.go.fetches();
        world.advance_to_fetch(secs(300), fetches + 1).await;
        let failed = world.last_attempt(&auth).await == "keys_unavailable";
        assert_eq!(failed, round % 2 == 0);
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        assert_eq!(readyz(&auth), 200);
    }
}

/// Everything that can go wrong at the key address.
fn all_faults() -> Vec<Fault> {
    let elsewhere = "http://127.0.0.1:9/keys".to_owned();
    let mut faults: Vec<_> = [204, 206, 304, 404, 429, 500]
        .map(Fault::Status)
        .into_iter()
        .collect();
    faults.extend([301, 307].map(|status| Fault::Redirect {
        location: elsewhere.clone(),
        status,
    }));
    faults.extend([
        Fault::RedirectNotFound,
        Fault::Hang,
        Fault::HangBody,
        Fault::Drip {
            bytes: 1,
            every: secs(1),
        },
        Fault::Delay(secs(10)),
        Fault::Truncated,
        Fault::Cut,
        Fault::Html,
        Fault::EmptySet,
        Fault::NotJson,
        Fault::Endless,
        Fault::GzipBomb,
        Fault::Oversized(256 * 1024 + 1),
        Fault::Raw(b"\0".to_vec()),
    ]);
    faults
}

fn runs_out_of_time(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Hang | Fault::HangBody | Fault::Drip { .. } | Fault::Delay(_)
    )
}

#[tokio::test]
async fn no_fault_of_a_refresh_touches_known_keys() {
    let world = World::new().await;
    // No document to be confirmed by a 304.
    world.go.set_etag(false);
    let auth = world.ready().await;
    world.clock.advance(secs(240));
    for fault in all_faults() {
        let before = world.go.fetches();
        world.go.fail(fault.clone());
        world.advance_to_fetch(secs(60), before + 1).await;
        assert!(at_once(auth.verify(&world.token())).is_ready(), "{fault:?}");
        if runs_out_of_time(&fault) {
            world.clock.advance(secs(5));
        }
        let last = world.last_attempt(&auth).await;
        assert_eq!(last, "keys_unavailable", "{fault:?}");
        assert_eq!(verdict(&auth, &world.token()).await, "ok", "{fault:?}");
        assert_eq!((keys(&auth), readyz(&auth)), (2, 200), "{fault:?}");
    }
    world.go.heal();
    let before = world.go.fetches();
    world.advance_to_fetch(secs(60), before + 1).await;
    assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    assert_eq!(state(&auth).as_str(), "fresh");
}

#[tokio::test]
async fn a_rotation_during_an_outage_is_503_never_401() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Cut);
    world.go.rotate();
    // Verified before the outage is known, within the cooldown of a success.
    world.clock.advance(secs(10));
    for _ in 0..10 {
        assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
        world.clock.advance(secs(3));
    }
    world.go.heal();
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}
