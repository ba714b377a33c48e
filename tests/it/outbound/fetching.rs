//! Tokens of the gateway: one fetch for all callers, ahead of time, by the earlier of two ends.

use std::task::Poll;

use derbysoft_go_auth::clock::Clock;
use derbysoft_go_auth::outbound::{Gateway, GatewayErrorKind};
use derbysoft_go_simulator::{Endpoint, Fault};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use tower::ServiceExt;

use super::{World, client, pair, send};
use test_support::{at_once, eventually, millis, secs, settle, soon};

fn left(gateway: &Gateway) -> u64 {
    gateway.health().token_left.map_or(0, |left| left.as_secs())
}

#[tokio::test]
async fn one_token_is_fetched_when_it_is_needed() {
    let world = World::new().await;
    for address in [world.go.token_url(), world.go.toker_url()] {
        let before = world.go.token_fetches();
        let gateway = world.builder().token_url(address).build().unwrap();
        settle().await;
        assert_eq!(world.go.token_fetches(), before);
        assert!(!gateway.health().is_ready());
        for _ in 0..3 {
            assert_eq!(world.status(&gateway).await, 200);
        }
        assert_eq!(world.go.token_fetches(), before + 1);
        assert!(gateway.health().is_ready());
    }
    assert_eq!(world.go.pushes(), 6);
}

#[tokio::test]
async fn a_token_ends_by_its_own_exp_if_that_is_sooner() {
    let world = World::new().await;
    let gateway = world.ready().await;
    assert_eq!(left(&gateway), 3600);
    world.go.set_token_times(7200, 1800);
    let other = world.ready().await;
    assert_eq!(left(&other), 1800);
}

#[tokio::test]
async fn a_thousand_callers_at_expiry_share_one_fetch() {
    let world = World::new().await;
    let gateway = world.ready().await;
    // Past the token's end before the background task had a chance.
    let held = world.go.hold_tokens();
    world.clock.advance(secs(3600));
    let callers = world.a_thousand_pushing(&gateway);
    soon(world.go.wait_for_token_fetches(2)).await;
    settle().await;
    held.release();
    world.all_accepted(callers, 2).await;
}

#[tokio::test]
async fn a_caller_who_goes_cancels_nobodys_fetch() {
    let world = World::new().await;
    let gateway = world.gateway();
    let client = client(&gateway);
    let held = world.go.hold_tokens();
    let first = world.pushing(&client);
    soon(world.go.wait_for_token_fetches(1)).await;
    let second = world.pushing(&client);
    settle().await;
    first.abort();
    assert!(soon(first).await.unwrap_err().is_cancelled());
    held.release();
    assert_eq!(soon(second).await.unwrap(), 200);
    assert_eq!(world.go.token_fetches(), 1);

    // The last caller cancels it as little.
    let gateway = world.gateway();
    let held = world.go.hold_tokens();
    let only = world.pushing(&super::client(&gateway));
    soon(world.go.wait_for_token_fetches(2)).await;
    only.abort();
    held.release();
    eventually("the token arrives nevertheless", || {
        gateway.health().is_ready()
    })
    .await;
    assert_eq!(world.go.token_fetches(), 2);
}

#[tokio::test]
async fn an_answer_past_its_tokens_end_is_fetched_again() {
    // During a fetch the wall clock is put forward by more than a token's life.
    let world = World::new().await;
    let gateway = world.gateway();
    let held = world.go.hold_tokens();
    let waiting = world.pushing(&client(&gateway));
    world.go.wait_for_token_fetches(1).await;
    let later = world.clock.now().saturating_add(secs(3 * 60 * 60));
    world.clock.step_to(later);
    held.release();
    assert_eq!(soon(waiting).await.expect("no panic"), 200);
    assert_eq!(world.go.token_fetches(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_and_callers_never_wait() {
    let world = World::new().await;
    let gateway = world.ready().await;
    // Usable for 3480 s: renewed at 70 to 90 % of them, 2436 s to 3132 s.
    world.clock.advance(secs(2430));
    settle().await;
    assert_eq!(world.go.token_fetches(), 1);
    let held = world.go.hold_tokens();
    world.clock.advance(secs(705));
    soon(world.go.wait_for_token_fetches(2)).await;
    assert_eq!(world.status(&gateway).await, 200, "with the old one");
    held.release();
    eventually("it is renewed", || left(&gateway) > 3000).await;
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(world.go.token_fetches(), 2);
}

#[tokio::test]
async fn while_renewal_fails_the_token_serves_to_its_end() {
    let world = World::new().await;
    let gateway = world.ready().await;
    world.go.fail_at(Endpoint::Token, Fault::Status(500));
    world.clock.advance(secs(3200));
    soon(world.go.wait_for_token_fetches(2)).await;
    eventually("the failure shows", || {
        gateway.health().last_error.is_some()
    })
    .await;
    assert_eq!(world.status(&gateway).await, 200);

    // Within the margin a caller waits for a fetch; that fails, and the token serves.
    world.clock.advance(secs(390));
    assert_eq!(world.status(&gateway).await, 200);
    assert!(world.go.token_fetches() >= 3);
    assert!(gateway.health().is_ready());

    world.clock.advance(secs(10));
    let error = send(&client(&gateway), world.push()).await;
    let error = error.expect_err("the token is past its end");
    let error = super::gateway_error(&error);
    assert!(matches!(
        error.kind(),
        GatewayErrorKind::Answer { status: 500, .. }
    ));

    world.go.heal();
    world.clock.advance(secs(60));
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(gateway.health().last_error, None);
}

#[tokio::test]
async fn an_outage_causes_few_fetches() {
    let world = World::new().await;
    let gateway = world.gateway();
    world
        .go
        .fail_next_at(Endpoint::Token, usize::MAX, Fault::Cut);
    let client = client(&gateway);
    for _ in 0..50 {
        let error = send(&client, world.push()).await.expect_err("no token");
        let error = super::gateway_error(&error);
        assert!(
            matches!(error.kind(), GatewayErrorKind::Unreachable(_)),
            "{error}"
        );
    }
    assert_eq!(world.go.token_fetches(), 1);
    // Asked without pause, and for so long that the first failures are made up for.
    for _ in 0..200 {
        world.clock.advance(millis(50));
        let _ = send(&client, world.push()).await.expect_err("no token");
    }
    let fetches = world.go.token_fetches();
    assert!((10..=15).contains(&fetches), "{fetches} in 10 s");
    world.go.heal();
    world.clock.advance(secs(2));
    assert_eq!(world.status(&gateway).await, 200);
}

/// Three tries, 100 ms apart: what most clients do.
#[tokio::test]
async fn three_tries_in_a_row_outlast_two_failures() {
    for failures in 0..4 {
        let world = World::new().await;
        let client = client(&world.gateway());
        let fault = Fault::Status(503);
        world.go.fail_next_at(Endpoint::Token, failures, fault);
        let mut answers = Vec::new();
        for _ in 0..3 {
            let answer = send(&client, world.push()).await;
            answers.push(answer.is_ok());
            world.clock.advance(millis(100));
        }
        assert_eq!(answers[2], failures < 3, "{answers:?}");
        assert_eq!(world.go.token_fetches(), (failures + 1).min(3));
    }
}

#[tokio::test]
async fn a_refresh_fetches_another_token() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let held = world.go.hold_tokens();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.refresh().await })
        })
        .collect();
    soon(world.go.wait_for_token_fetches(2)).await;
    settle().await;
    held.release();
    for waiting in waiting {
        assert_eq!(soon(waiting).await.expect("no panic"), Ok(()));
    }
    assert_eq!(world.go.token_fetches(), 2, "one for all");

    // Where it fails the token stays, and the endpoint is left alone for a while.
    world.go.fail_at(Endpoint::Token, Fault::Status(500));
    for _ in 0..3 {
        assert!(soon(gateway.refresh()).await.is_err());
    }
    assert_eq!(world.go.token_fetches(), 3);
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(world.go.token_fetches(), 3);
}

#[tokio::test]
async fn the_token_is_available_without_tower() {
    let world = World::new().await;
    let gateway = world.gateway();
    let uri: Uri = format!("{}/x", world.go.gateway_url()).parse().unwrap();
    let mut headers = HeaderMap::new();
    let _authorized = soon(gateway.authorize(&uri, &mut headers)).await.unwrap();
    let value = &headers[AUTHORIZATION];
    assert!(value.is_sensitive());
    assert!(value.to_str().unwrap().starts_with("Bearer eyJ"));
    let again = soon(gateway.authorize(&uri, &mut headers)).await;
    assert!(again.is_err(), "there is one already");
    let stranger: Uri = format!("{}/x", world.go.origin()).parse().unwrap();
    let mut headers = HeaderMap::new();
    let refused = soon(gateway.authorize(&stranger, &mut headers)).await;
    assert!(refused.is_err());
    assert!(headers.is_empty());
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let service = client(&gateway);
    drop(gateway);
    world.clock.advance(secs(3200));
    soon(world.go.wait_for_token_fetches(2)).await;
    drop(service);
    settle().await;
    world.clock.advance(secs(3200));
    settle().await;
    assert_eq!(world.go.token_fetches(), 2);
}

#[test]
fn a_gateway_outlives_the_runtime_that_it_ran_in() {
    let first = test_support::runtime();
    let (world, gateway) = first.block_on(async {
        let world = World::new().await;
        let gateway = world.ready().await;
        (world, gateway)
    });
    let settings = (world.go.client(), world.clock.clone());
    drop(first);
    test_support::runtime().block_on(async {
        // Its server went with the first runtime; another takes its place.
        let go = derbysoft_go_simulator::Simulator::builder()
            .address(world.go.address())
            .clock(settings.1.clone())
            .start()
            .await
            .expect("the same port");
        world.clock.advance(secs(3600));
        gateway.replace(pair(&go.client())).unwrap();
        soon(gateway.ready()).await.expect("fetched anew");
    });
    drop(settings);
}

#[tokio::test]
async fn without_a_runtime_there_is_an_error_not_a_panic() {
    let world = World::new().await;
    let gateway = world.gateway();
    let result = std::thread::spawn(move || at_once(gateway.ready()))
        .join()
        .expect("no panic");
    let Poll::Ready(Err(error)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(error.kind(), &GatewayErrorKind::NoRuntime);
}

#[tokio::test]
async fn a_service_is_ready_when_the_client_below_is() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let mut client = client(&gateway);
    assert!(soon(client.ready()).await.is_ok());
}
