//! Several fetches and withdrawn keys: the newest answer decides, for cached tokens too.

use derbysoft_go_auth::GoAuthBuilder;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::FetchError;

use test_support::{World, millis, refresh, refreshing, remember, secs, settle, soon, verdict};

#[tokio::test]
async fn refreshes_requested_together_share_a_fetch() {
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
    let auth = world.ready().await;
    let old = world.token();
    let hold = world.go.hold_next(1);
    let late = refreshing(&auth);
    world.fetches(2).await;
    world.withdraw();
    let new = world.token();
    world.clock.advance(secs(5));
    assert_eq!(soon(late).await.unwrap(), Err(FetchError::Timeout));
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &new).await, "ok");

    hold.release();
    settle().await;
    assert_eq!(verdict(&auth, &new).await, "ok");
    assert_eq!(verdict(&auth, &old).await, "key_pending");
}

#[tokio::test]
async fn a_withdrawn_key_verifies_no_cached_token() {
    // With a token cache and without one.
    for bytes in [16 << 20, 0] {
        let world = World::new().await;
        let set = |builder: GoAuthBuilder| builder.configure(|it| it.token_cache_bytes = bytes);
        let auth = world.ready_with(set).await;
        let old = world.token();
        remember(&auth, &old);
        world.go.rotate();
        remember(&auth, &old);
        world.go.retire_all_but_current();
        refresh(&auth).await.unwrap();
        for _ in 0..3 {
            assert_eq!(verdict(&auth, &old).await, "key_pending");
        }
    }
}

#[tokio::test]
async fn replaced_material_verifies_no_cached_token() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    remember(&auth, &old);
    world.go.replace_material(&world.go.signing_kid());
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &old).await, "signature");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_cached_token_expires_to_the_moment() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.mint().expires_in(60).token();
    remember(&auth, &token);
    // 30 s of leeway.
    world.clock.advance(millis(88_000));
    assert_eq!(verdict(&auth, &token).await, "ok");
    world.clock.advance(secs(2));
    assert_eq!(verdict(&auth, &token).await, "expired");
    // Its time is checked again, whichever way the clock goes.
    world.clock.step_to(UnixTime::from_secs(1));
    assert_eq!(verdict(&auth, &token).await, "not_yet_valid");
}

#[tokio::test]
async fn a_token_that_differs_in_one_byte_is_another_token() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.token();
    remember(&auth, &token);
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
    remember(&lax, &token);
    assert_eq!(verdict(&strict, &token).await, "subject");
    assert_eq!(verdict(&lax, &token).await, "ok");
}
