//! Keys at an address: who fetches, who waits, and who need not.

use std::task::Poll;

use derbysoft_go_auth::{FetchError, GoAuth, VerifyErrorKind};
use derbysoft_go_simulator::{Fault, SignatureKind, SigningKey, Simulator};
use tokio::task::JoinSet;

use test_support::{
    World, at_once, eventually, millis, ready, refresh, secs, settle, soon, verdict, verifying,
};

/// The verdicts on one token, asked for by fifty at once.
fn crowd(auth: &GoAuth, token: &str) -> JoinSet<&'static str> {
    let (auth, token) = (auth.clone(), token.to_owned());
    let mut crowd = JoinSet::new();
    for _ in 0..50 {
        let (auth, token) = (auth.clone(), token.clone());
        crowd.spawn(async move { verdict(&auth, &token).await });
    }
    crowd
}

#[test]
fn building_needs_no_runtime_and_does_no_io() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::of(runtime.block_on(Simulator::start()).unwrap());
    let auth = world.auth();
    let layer = auth.layer();
    let health = auth.health();
    assert!(!health.is_ready());
    runtime.block_on(settle());
    assert_eq!(world.go.total_requests(), 0);

    runtime.block_on(ready(&auth)).unwrap();
    assert_eq!(world.go.total_requests(), 1);
    drop(layer);
}

#[test]
fn without_a_runtime_what_fetches_fails_and_nothing_panics() {
    let auth = GoAuth::builder()
        .issuer("i")
        .audience("a")
        .jwks_url("http://127.0.0.1:9/keys")
        .build()
        .unwrap();
    for failed in [at_once(auth.ready()), at_once(auth.refresh())] {
        match failed {
            Poll::Ready(Err(error)) => assert_eq!(error.source, FetchError::NoRuntime),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn ready_fetches_once() {
    let world = World::new().await;
    let auth = world.auth();
    ready(&auth).await.unwrap();
    assert_eq!(world.go.fetches(), 1);
    ready(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn ready_fails_fast_and_can_be_repeated() {
    let world = World::new().await;
    world.go.fail(Fault::Status(500));
    let auth = world.auth();
    assert_eq!(ready(&auth).await, Err(FetchError::Status(500)));
    assert_eq!(world.go.fetches(), 1);
    world.go.heal();
    ready(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn without_ready_the_first_request_fetches() {
    let world = World::new().await;
    let auth = world.auth();
    settle().await;
    assert_eq!(world.go.fetches(), 0);
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn fifty_first_requests_share_one_fetch() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let crowd = crowd(&auth, &world.token());
    let operator = tokio::spawn({
        let auth = auth.clone();
        async move { ready(&auth).await }
    });
    world.fetches(1).await;
    settle().await;
    hold.release();
    assert_eq!(soon(crowd.join_all()).await, ["ok"; 50]);
    soon(operator).await.unwrap().unwrap();
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_an_unknown_kid_all_waiters_share_one_fetch() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.clock.advance(secs(10));
    world.go.rotate();
    let hold = world.go.hold();
    let known_after = crowd(&auth, &world.token());
    let unknown_after = crowd(&auth, &world.unknown());
    world.fetches(2).await;
    settle().await;
    hold.release();
    assert_eq!(soon(known_after.join_all()).await, ["ok"; 50]);
    assert_eq!(soon(unknown_after.join_all()).await, ["unknown_key"; 50]);
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_cancelled_request_cancels_only_its_own_wait() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let token = world.token();
    let only = verifying(&auth, &token);
    world.fetches(1).await;
    only.abort();
    assert!(soon(only).await.unwrap_err().is_cancelled());
    let other = verifying(&auth, &token);
    settle().await;
    hold.release();
    soon(other).await.unwrap().unwrap();
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn when_every_request_is_cancelled_the_fetch_still_publishes() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let only = verifying(&auth, &world.token());
    world.fetches(1).await;
    only.abort();
    let _ = soon(only).await;
    hold.release();
    eventually("the keys are published", || auth.health().is_ready()).await;
    assert!(at_once(auth.verify(&world.token())).is_ready());
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_a_fetch_that_succeeded_the_cooldown_answers_401_at_once() {
    let world = World::new().await;
    let auth = world.ready().await;
    for pass in [secs(0), secs(5), millis(4999)] {
        world.clock.advance(pass);
        for _ in 0..20 {
            assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
        }
        assert_eq!(world.go.fetches(), 1);
    }
    world.clock.advance(millis(1));
    assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
    assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn given_a_fetch_that_failed_the_cooldown_answers_503_at_once() {
    let world = World::new().await;
    world.go.fail(Fault::Status(500));
    let auth = world.auth();
    for _ in 0..20 {
        let error = soon(auth.verify(&world.token())).await.unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::KeysUnavailable);
        let retry_after = error.retry_after().expect("a time to come back");
        assert!(retry_after <= secs(10), "{retry_after:?}");
    }
    assert_eq!(world.go.fetches(), 1);

    world.go.heal();
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn given_a_failed_fetch_later_an_unknown_kid_is_503_and_a_known_one_good() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Cut);
    world.clock.advance(secs(10));
    for _ in 0..20 {
        assert_eq!(verdict(&auth, &world.unknown()).await, "keys_unavailable");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_rotation_right_after_a_load_costs_at_most_a_cooldown() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.rotate();
    assert_eq!(verdict(&auth, &world.token()).await, "key_pending");
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_known_kid_never_waits_for_a_fetch_that_hangs() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Hang);
    world.clock.advance(secs(10));
    let unknown = verifying(&auth, &world.unknown());
    world.fetches(2).await;
    for _ in 0..3 {
        let token = world.token();
        assert!(matches!(at_once(auth.verify(&token)), Poll::Ready(Ok(_))));
    }
    assert!(!unknown.is_finished());
    unknown.abort();
}

#[tokio::test]
async fn a_requests_wait_is_capped() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let waiting = verifying(&auth, &world.token());
    world.fetches(1).await;
    world.advance_quietly(millis(1999)).await;
    assert!(!waiting.is_finished());
    world.clock.advance(millis(1));
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), VerifyErrorKind::KeysUnavailable);

    hold.release();
    eventually("the keys are published", || auth.health().is_ready()).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn tokens_that_no_key_could_make_good_cause_no_fetch() {
    let world = World::new().await;
    let auth = world.auth();
    let mint = || world.mint().kid("nobody's");
    for (token, kind) in [
        (mint().issuer("https://evil.example").token(), "issuer"),
        (mint().audience("somebody else").token(), "audience"),
        (mint().expires_in(-31).token(), "expired"),
        (mint().not_before_offset(31).token(), "not_yet_valid"),
        (mint().header("alg", "HS256").token(), "algorithm"),
        (mint().header("crit", vec!["exp"]).token(), "header"),
        (mint().raw_payload("[]").token(), "claims"),
        ("a.b.c".to_owned(), "malformed"),
    ] {
        assert_eq!(verdict(&auth, &token).await, kind);
    }
    settle().await;
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_token_never_says_where_its_key_is() {
    let world = World::new().await;
    let evil = Simulator::start().await.unwrap();
    let auth = world.auth();
    let path = world.go.jwks_url().replace(&world.go.origin(), "");
    for kid in [
        "../../evil",
        "?kid=1",
        "/etc/passwd",
        &*evil.jwks_url(),
        "%2e%2e",
    ] {
        world.clock.advance(secs(10));
        let mint = world.mint().kid(kid).header("jku", evil.jwks_url());
        let token = mint.header("x5u", evil.jwks_url()).token();
        assert_ne!(verdict(&auth, &token).await, "ok");
        let mint = world.mint().kid(kid).key(SigningKey::pooled());
        assert_eq!(verdict(&auth, &mint.token()).await, "key_pending");
    }
    assert!(world.go.requests().iter().all(|seen| seen.path == path));
    assert_eq!(evil.total_requests(), 0);
}

#[tokio::test]
async fn new_material_under_an_old_kid_is_picked_up_after_a_bad_signature() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    world.go.replace_material(&world.go.signing_kid());
    let new = world.token();
    // Within the cooldown no fetch, and no 503 either: the verdict stands.
    assert_eq!(verdict(&auth, &new).await, "signature");
    assert_eq!(world.go.fetches(), 1);

    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &new).await, "ok");
    assert_eq!(verdict(&auth, &old).await, "signature");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn refresh_does_not_mind_the_cooldown() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.rotate();
    assert_eq!(verdict(&auth, &world.token()).await, "key_pending");
    for n in 2..5 {
        refresh(&auth).await.unwrap();
        assert_eq!(world.go.fetches(), n);
    }
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_forged_token_of_a_known_kid_is_401_also_while_a_fetch_hangs() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Hang);
    world.clock.advance(secs(10));
    let forged = world.mint().signature(SignatureKind::Corrupted).token();
    let waiting = verifying(&auth, &forged);
    world.fetches(2).await;
    world.clock.advance(millis(2000));
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind().as_str(), "signature");
}
