//! Keys at an address: who causes a fetch, who waits for it, and for how long.

use std::task::Poll;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::authenticate::VerifyErrorKind;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, SignatureKind, SigningKey, Simulator};

use test_support::{
    World, agreed, at_once, crowd, eventually, invented, millis, ready, readyz, refresh, secs,
    settle, soon, verdict, verifying,
};

#[test]
fn building_needs_no_runtime_and_does_no_io() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::new());
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

#[test]
fn fetching_without_a_runtime_is_an_error() {
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
async fn fifty_first_requests_share_one_fetch() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let crowd = crowd(&auth, vec![world.token(); 50]);
    let operator = tokio::spawn({
        let auth = auth.clone();
        async move { ready(&auth).await }
    });
    world.fetches(1).await;
    settle().await;
    hold.release();
    assert_eq!(agreed(crowd).await, "ok");
    soon(operator).await.unwrap().unwrap();
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn ready_shares_a_fetch_and_fails_with_it() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let auth = world.auth();
    let request = verifying(&auth, &world.token());
    world.fetches(1).await;
    let (outcome, ()) = tokio::join!(ready(&auth), async { world.clock.advance(secs(5)) });
    assert_eq!(outcome, Err(FetchError::Timeout));
    soon(request).await.unwrap().expect_err("no keys");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn a_request_waits_for_a_fetch_two_seconds_at_most() {
    let world = World::new().await;
    let builder = world.builder().configure(|it| it.fetch_timeout = secs(60));
    let auth = builder.build().unwrap();
    let hold = world.go.hold();
    let first = crowd(&auth, vec![world.token(); 50]);
    world.fetches(1).await;
    world.advance_quietly(millis(1999)).await;
    assert_eq!(first.len(), 50);
    world.clock.advance(millis(1));
    assert_eq!(agreed(first).await, "keys_unavailable");
    assert_eq!(readyz(&auth), 503);

    // The fetch itself goes on.
    hold.release();
    eventually("the keys are published", || auth.health().is_ready()).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn a_failed_fetch_is_followed_by_503_at_once() {
    let world = World::new().await;
    world.go.fail(Fault::Status(500));
    let auth = world.auth();
    soon(auth.verify(&world.token()))
        .await
        .expect_err("no keys");
    for _ in 0..100 {
        let Poll::Ready(Err(error)) = at_once(auth.verify(&world.token())) else {
            panic!("it waits, or is accepted");
        };
        assert_eq!(error.kind(), VerifyErrorKind::KeysUnavailable);
        let retry_after = error.retry_after().expect("a time to come back");
        assert!(retry_after <= secs(10), "{retry_after:?}");
    }
    settle().await;
    assert_eq!(world.go.fetches(), 1);

    world.go.heal();
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_token_that_no_key_can_save_causes_no_fetch() {
    let world = World::new().await;
    let auth = world.auth();
    let mint = || world.mint().kid("nobody's");
    let foreign = mint().issuer("https://evil.example").token();
    let strayed = mint().audience("somebody else").token();
    let expired = mint().expires_in(-31).token();
    for token in [&foreign, &strayed, &expired] {
        for stranger in invented(token, 0..300) {
            assert!(at_once(auth.verify(&stranger)).is_ready());
        }
    }
    for (token, kind) in [
        (foreign, "issuer"),
        (strayed, "audience"),
        (expired, "expired"),
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
    ready(&auth).await.unwrap();
}

#[tokio::test]
async fn a_token_never_says_where_its_key_is() {
    let world = World::new().await;
    let evil = Simulator::start().await.unwrap();
    let auth = world.auth();
    let path = world.go.jwks_url().replace(&world.go.origin(), "");
    let long = "k".repeat(256);
    for kid in [
        "../../evil",
        "../..",
        "?kid=1",
        "/etc/passwd",
        &*evil.jwks_url(),
        "%2e%2e",
        "%00",
        &*long,
        " ",
        "{}",
        "🔑",
        "*",
        "null",
    ] {
        world.clock.advance(secs(10));
        let mint = world.mint().kid(kid).header("jku", evil.jwks_url());
        let token = mint.header("x5u", evil.jwks_url()).token();
        assert_eq!(verdict(&auth, &token).await, "key_pending", "{kid}");
        let mint = world.mint().kid(kid).key(SigningKey::pooled());
        assert_eq!(verdict(&auth, &mint.token()).await, "key_pending", "{kid}");
    }
    assert!(world.go.requests().iter().all(|seen| seen.path == path));
    assert_eq!(evil.total_requests(), 0);
    // None of them is mistaken for a key's.
    let genuine = soon(auth.verify(&world.token())).await.unwrap();
    assert_eq!(genuine.key_id(), Some(&*world.go.signing_kid()));
}

#[tokio::test]
async fn refresh_ignores_the_cooldown() {
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
async fn a_forgery_is_401_even_while_a_fetch_hangs() {
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
