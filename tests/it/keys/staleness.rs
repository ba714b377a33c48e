//! How long keys verify that cannot be refreshed, and what health reports meanwhile.

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::{FetchError, KeysState};
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::Fault;
use serde_json::{Value, json};

use test_support::{
    Keys, World, eventually, keys, millis, ready, refresh, secs, settle, state, verdict,
};

/// The only issuer's part of health, as JSON; the whole has the same state.
fn health(auth: &GoAuth) -> Value {
    let mut health = serde_json::to_value(auth.health()).expect("health as JSON");
    let issuer = health["issuers"][0].take();
    assert_eq!(health["state"], issuer["state"]);
    assert_eq!(health["issuers"].as_array().map(Vec::len), Some(1));
    issuer
}

#[tokio::test]
async fn health_follows_the_keys_through_each_state() {
    let world = World::new().await;
    let auth = world
        .builder()
        .configure(|it| it.max_stale = secs(3600))
        .build()
        .unwrap();
    let issuer = world.go.issuer();
    assert_eq!(
        health(&auth),
        json!({ "issuer": issuer, "keys": 0, "state": "empty" })
    );
    assert!(!auth.health().is_ready());

    world.go.fail_next(1, Fault::Status(500));
    ready(&auth).await.unwrap_err();
    let failed = "the key address answered with status 500";
    assert_eq!(
        health(&auth),
        json!({ "issuer": issuer, "keys": 0, "state": "empty", "last_error": failed })
    );

    let fetched_at = world.time();
    ready(&auth).await.unwrap();
    assert_eq!(
        health(&auth),
        json!({ "issuer": issuer, "keys": 2, "state": "fresh" })
    );
    assert_eq!(state(&auth), KeysState::Fresh);
    assert!(auth.health().is_ready());

    // A refresh that fails within the interval leaves them fresh.
    world.go.fail(Fault::Status(500));
    world.advance_to_fetch(secs(299), 3).await;
    assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
    assert_eq!(state(&auth), KeysState::Fresh);

    world.clock.advance(secs(1));
    let deadline = UnixTime::from_secs(fetched_at.as_secs() + 3600).to_string();
    assert_eq!(
        health(&auth),
        json!({
            "issuer": issuer, "keys": 2, "state": "stale", "age_seconds": 300,
            "deadline": deadline, "last_error": failed,
        })
    );
    match state(&auth) {
        KeysState::Stale {
            age, last_error, ..
        } => {
            assert_eq!(age, secs(300));
            assert_eq!(last_error, Some(FetchError::Status(500)));
        }
        other => panic!("{other:?}"),
    }
    assert!(auth.health().is_ready());
    assert_eq!(verdict(&auth, &world.token()).await, "ok");

    world.clock.advance(secs(3299));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    world.clock.advance(secs(1));
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    assert_eq!(
        health(&auth),
        json!({ "issuer": issuer, "keys": 0, "state": "empty", "last_error": failed })
    );
    assert!(!auth.health().is_ready());

    world.go.heal();
    world.clock.advance(secs(60));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(health(&auth)["state"], "fresh");
    // The document was dropped with its keys: it is fetched whole.
    let last = world.go.requests().pop().unwrap();
    assert_eq!((last.if_none_match, last.status), (None, Some(200)));
}

/// A refresh is due at the same time, and takes as long as a fetch may.
#[tokio::test]
async fn a_hanging_key_address_prolongs_no_trust() {
    let world = World::new().await;
    let patient = |builder: GoAuthBuilder| {
        builder
            .configure(|it| it.max_stale = secs(3600))
            .configure(|it| it.fetch_timeout = secs(60))
    };
    let auth = world.ready_with(patient).await;
    let earlier = world.time().as_secs() - 86_400;
    world.clock.step_to(UnixTime::from_secs(earlier));
    world.go.fail(Fault::Hang);
    world.clock.advance(secs(3600));
    eventually("the keys are dropped", || keys(&auth) == 0).await;
    world.fetches(2).await;
}

#[tokio::test]
async fn a_304_prolongs_trust_in_the_keys() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.max_stale = secs(600)))
        .await;
    for n in 2..10 {
        world.advance_to_fetch(secs(270), n).await;
        eventually("confirmed", || state(&auth).as_str() == "fresh").await;
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }
    let requests = world.go.requests();
    assert!(requests[1..].iter().all(|seen| seen.status == Some(304)));
}

#[tokio::test]
async fn no_max_age_moves_the_staleness_bound() {
    for cache_control in ["max-age=315360000, immutable", "max-age=0, no-store"] {
        let world = World::new().await;
        world.go.set_cache_control(Some(cache_control));
        let auth = world
            .ready_with(|builder| builder.configure(|it| it.max_stale = secs(3600)))
            .await;
        world.go.fail(Fault::Cut);
        world.clock.advance(secs(3599));
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        world.clock.advance(secs(1));
        assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    }
}

#[tokio::test]
async fn fixed_keys_are_always_fresh() {
    let gos = Keys::new();
    let auth = gos.builder().build().unwrap();
    assert_eq!(state(&auth), KeysState::Fresh);
    assert_eq!(keys(&auth), 1);
    ready(&auth).await.unwrap();
    refresh(&auth).await.unwrap();
    settle().await;
    assert_eq!(state(&auth), KeysState::Fresh);
    let unknown = gos.mint().kid("nobody's").token();
    assert_eq!(verdict(&auth, &unknown).await, "unknown_key");
}

#[tokio::test]
async fn requests_with_stale_keys_cause_no_fetch_before_its_time() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Status(500));
    world.advance_to_fetch(millis(310_700), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "keys_unavailable");
    // In another second, which has an own look at whether a refresh is due.
    world.advance_quietly(millis(350)).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    settle().await;
    assert_eq!(world.go.fetches(), 2);
}
