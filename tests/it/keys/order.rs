//! Several fetches and withdrawn keys: what is newest counts, also for tokens seen before.

use derbysoft_go_auth::{FetchError, GoAuth};
use derbysoft_go_simulator::Fault;

use test_support::{World, eventually, millis, refresh, secs, settle, soon, verdict};

fn refreshing(auth: &GoAuth) -> tokio::task::JoinHandle<Result<(), FetchError>> {
    let auth = auth.clone();
    tokio::spawn(async move { refresh(&auth).await })
}

/// Verifies often enough for the token to be remembered.
async fn remember(auth: &GoAuth, token: &str) {
    for _ in 0..4 {
        assert_eq!(verdict(auth, token).await, "ok");
    }
}

#[tokio::test]
async fn a_key_withdrawn_during_a_fetch_is_gone_once_a_later_refresh_returns() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    remember(&auth, &old).await;

    // The answer to the first is settled with the old key still in it.
    let hold = world.go.hold_next(1);
    let first = refreshing(&auth);
    world.fetches(2).await;
    world.go.rotate();
    world.go.retire_all_but_current();
    let second = refreshing(&auth);
    settle().await;
    assert!(!second.is_finished(), "it took an answer from before it");
    hold.release();
    soon(first).await.unwrap().unwrap();
    soon(second).await.unwrap().unwrap();
    assert_eq!(verdict(&auth, &old).await, "key_pending");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 3);
}

#[tokio::test]
async fn refreshes_asked_for_together_share_a_fetch() {
    let world = World::new().await;
    let auth = world.ready().await;
    let hold = world.go.hold_next(1);
    let first = refreshing(&auth);
    world.fetches(2).await;
    let later: Vec<_> = (0..20).map(|_| refreshing(&auth)).collect();
    settle().await;
    hold.release();
    soon(first).await.unwrap().unwrap();
    for later in later {
        soon(later).await.unwrap().unwrap();
    }
    assert_eq!(world.go.fetches(), 3);
}

#[tokio::test]
async fn an_older_reply_that_comes_late_replaces_nothing() {
    let world = World::new().await;
    let set = |builder: derbysoft_go_auth::GoAuthBuilder| builder.fetch_timeout(millis(300));
    let auth = world.ready_with(set).await;
    let old = world.token();
    let hold = world.go.hold_next(1);
    let late = refreshing(&auth);
    world.fetches(2).await;
    world.go.rotate();
    world.go.retire_all_but_current();
    let new = world.token();
    assert_eq!(soon(late).await.unwrap(), Err(FetchError::Timeout));
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &new).await, "ok");

    hold.release();
    settle().await;
    assert_eq!(verdict(&auth, &new).await, "ok");
    assert_eq!(verdict(&auth, &old).await, "key_pending");
}

#[tokio::test]
async fn a_withdrawn_key_stops_verifying_tokens_seen_before() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    remember(&auth, &old).await;
    world.go.rotate();
    remember(&auth, &old).await;
    world.go.retire_all_but_current();
    refresh(&auth).await.unwrap();
    for _ in 0..3 {
        assert_eq!(verdict(&auth, &old).await, "key_pending");
    }
}

#[tokio::test]
async fn replaced_material_stops_verifying_tokens_seen_before() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    remember(&auth, &old).await;
    world.go.replace_material(&world.go.signing_kid());
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &old).await, "signature");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_token_seen_before_still_expires_to_the_moment() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.mint().expires_in(60).token();
    remember(&auth, &token).await;
    // 30 s of leeway.
    world.clock.advance(millis(88_000));
    assert_eq!(verdict(&auth, &token).await, "ok");
    world.clock.advance(secs(2));
    assert_eq!(verdict(&auth, &token).await, "expired");
    // Nor does it come back to life without a look at its time.
    world
        .clock
        .step_to(derbysoft_go_auth::UnixTime::from_secs(1));
    assert_eq!(verdict(&auth, &token).await, "not_yet_valid");
}

#[tokio::test]
async fn a_token_seen_before_is_not_good_without_usable_keys() {
    let world = World::new().await;
    let set = |builder: derbysoft_go_auth::GoAuthBuilder| {
        builder.refresh_interval(secs(10)).max_stale(secs(60))
    };
    let auth = world.ready_with(set).await;
    let token = world.token();
    remember(&auth, &token).await;
    world.go.fail(Fault::Cut);
    world.clock.advance(secs(59));
    assert_eq!(verdict(&auth, &token).await, "ok");
    world.clock.advance(secs(1));
    assert_eq!(verdict(&auth, &token).await, "keys_unavailable");
}

#[tokio::test]
async fn verdicts_are_the_same_without_memory() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.token_cache_bytes(0))
        .await;
    let old = world.token();
    remember(&auth, &old).await;
    world.go.rotate();
    world.go.retire_all_but_current();
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &old).await, "key_pending");
}

#[tokio::test]
async fn a_token_that_differs_in_one_byte_is_another_token() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.token();
    remember(&auth, &token).await;
    for at in [0, 1, token.find('.').unwrap() + 5, token.len() - 40] {
        let mut other = token.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert_ne!(verdict(&auth, &other).await, "ok", "byte {at}");
        assert_eq!(verdict(&auth, &token).await, "ok");
    }
    // The same signature at the end, and other claims before it.
    let (_, signature) = token.rsplit_once('.').unwrap();
    let foreign = world.mint().subject("admin").token();
    let (signed, _) = foreign.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{signature}");
    assert_eq!(verdict(&auth, &forged).await, "signature");
}

#[tokio::test]
async fn two_handles_share_no_verdict() {
    let world = World::new().await;
    let lax = world.ready().await;
    let strict = world.ready_with(|builder| builder.subject("another")).await;
    let token = world.token();
    remember(&lax, &token).await;
    assert_eq!(verdict(&strict, &token).await, "subject");
    assert_eq!(verdict(&lax, &token).await, "ok");
}

#[tokio::test]
async fn a_refresh_that_fails_keeps_the_keys_and_says_so() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail_next(1, Fault::Status(503));
    assert_eq!(refresh(&auth).await, Err(FetchError::Status(503)));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    refresh(&auth).await.unwrap();
    eventually("the keys are fresh", || auth.health().is_ready()).await;
}
