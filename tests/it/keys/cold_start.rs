//! A start while the key address is down, hangs or is slow.

use derbysoft_go_auth::{FetchError, GoAuth};
use derbysoft_go_simulator::{Fault, Simulator};

use super::{agreed, crowd, readyz};
use test_support::{
    Api, World, at_once, eventually, keys, millis, ready, secs, settle, soon, verdict, verifying,
};

/// With a fetch's time limit that a test can wait for.
fn impatient(world: &World) -> GoAuth {
    let builder = world.builder().fetch_timeout(millis(100));
    builder.build().expect("a good configuration")
}

#[tokio::test]
async fn given_nobody_listens_when_go_comes_back_then_requests_are_served_without_a_restart() {
    let world = World::new().await;
    let (auth, token) = (world.auth(), world.token());
    let World { go, clock } = world;
    let (address, published) = (go.address(), go.published_keys());
    go.stop().await;

    let error = ready(&auth).await.expect_err("nobody is there");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(verdict(&auth, &token).await, "keys_unavailable");
    assert_eq!(readyz(&auth), 503);

    let back = Simulator::builder().address(address).keys(published);
    let world = World {
        go: back.start().await.expect("the same port"),
        clock,
    };
    world.advance_to_fetch(secs(1), 1).await;
    eventually("the keys came by themselves", || readyz(&auth) == 200).await;
    assert_eq!(verdict(&auth, &token).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_an_address_that_hangs_when_fifty_ask_first_then_all_get_503_after_the_wait() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let builder = world.builder().fetch_timeout(secs(60));
    let auth = builder.build().unwrap();
    let first = crowd(&auth, vec![world.token(); 50]);
    world.fetches(1).await;
    world.advance_quietly(millis(1999)).await;
    assert_eq!(first.len(), 50);
    world.clock.advance(millis(1));
    assert_eq!(agreed(first).await, "keys_unavailable");
    assert_eq!(world.go.fetches(), 1);
    assert_eq!(readyz(&auth), 503);
}

#[tokio::test]
async fn given_an_address_that_hung_when_it_answers_again_then_no_restart_is_needed() {
    let world = World::new().await;
    world.go.fail_next(1, Fault::Hang);
    let auth = impatient(&world);
    assert_eq!(ready(&auth).await, Err(FetchError::Timeout));
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    world.advance_to_fetch(secs(1), 2).await;
    eventually("the retry brought the keys", || keys(&auth) == 2).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn given_a_slow_address_when_fifty_ask_first_then_all_are_served_by_one_fetch() {
    let world = World::new().await;
    world.go.fail(Fault::Delay(millis(40)));
    let auth = world.auth();
    assert_eq!(agreed(crowd(&auth, vec![world.token(); 50])).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_a_fetch_that_hangs_when_ready_is_asked_then_it_shares_it_and_fails_with_it() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let auth = impatient(&world);
    let request = verifying(&auth, &world.token());
    world.fetches(1).await;
    assert_eq!(ready(&auth).await, Err(FetchError::Timeout));
    soon(request).await.unwrap().expect_err("no keys");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_a_failed_first_fetch_when_requests_follow_then_503_at_once_and_one_fetch_a_cooldown()
{
    let world = World::new().await;
    world.go.fail(Fault::Status(503));
    let auth = world.auth();
    ready(&auth).await.unwrap_err();
    for _ in 0..100 {
        assert!(at_once(auth.verify(&world.token())).is_ready());
    }
    settle().await;
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn given_no_keys_when_a_push_comes_then_503_asks_it_back_and_does_not_challenge() {
    let world = World::new().await;
    world.go.fail(Fault::Cut);
    let auth = world.auth();
    let api = Api::behind(auth.layer());
    for _ in 0..3 {
        let answer = api.call(&format!("Bearer {}", world.token())).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.kind(), Some("keys_unavailable"));
        assert_eq!(answer.header("www-authenticate"), None);
        let retry_after = answer.header("retry-after").expect("a time to come back");
        let seconds: u64 = retry_after.parse().expect("seconds");
        assert!((1..=10).contains(&seconds), "{seconds}");
    }
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn given_no_keys_when_the_token_is_bad_in_itself_then_it_is_401_and_no_outage() {
    let world = World::new().await;
    world.go.fail(Fault::Cut);
    let auth = world.auth();
    ready(&auth).await.unwrap_err();
    for (token, kind) in [
        (world.mint().expires_in(-31).token(), "expired"),
        (world.mint().audience("another").token(), "audience"),
        (world.mint().header("alg", "none").token(), "algorithm"),
    ] {
        assert_eq!(verdict(&auth, &token).await, kind);
    }
}
