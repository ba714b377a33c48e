//! Client ID and client secret through rotation, revocation and their 180 days.

use std::time::Duration;

use derbysoft_go_auth::clock::Clock;
use derbysoft_go_auth::outbound::{ClientPair, Gateway, GatewayError, GatewayErrorKind};

use super::{World, pair};
use test_support::{eventually, secs, soon};

const DAY: Duration = Duration::from_secs(86_400);

fn names(gateway: &Gateway) -> Vec<String> {
    let credentials = gateway.health().credentials;
    credentials.into_iter().map(|pair| pair.name).collect()
}

/// Lets the token expire, and fetches another.
async fn renew(world: &World, gateway: &Gateway) -> Result<(), GatewayError> {
    world.clock.advance(secs(3600));
    soon(gateway.ready()).await
}

#[tokio::test]
async fn the_next_pair_takes_over_once_it_has_worked() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let next = world.go.rotate_client();
    gateway.rotate_to(pair(&next)).unwrap();
    eventually("the next pair took over", || names(&gateway) == ["current"]).await;
    assert_eq!(world.go.token_fetches(), 2);
    // The old one is invalid by now, and not needed.
    world.clock.advance(DAY * 8);
    assert_eq!(renew(&world, &gateway).await, Ok(()));
    assert_eq!(world.status(&gateway).await, 200);
}

#[tokio::test]
async fn the_current_pair_serves_until_the_next_works() {
    let world = World::new().await;
    let gateway = world.ready().await;
    world.clock.advance(secs(60));
    // Entered before GO knows it, or mistyped.
    gateway.rotate_to(ClientPair::new("mistyped", "x")).unwrap();
    eventually("the current pair served", || {
        gateway.health().token_left == Some(secs(3600))
    })
    .await;
    assert_eq!(world.go.token_fetches(), 3);
    assert_eq!(names(&gateway), ["current", "next"]);
    assert_eq!(renew(&world, &gateway).await, Ok(()));
    assert_eq!(world.status(&gateway).await, 200);

    let right = world.go.rotate_client();
    gateway.rotate_to(pair(&right)).unwrap();
    eventually("the right one took over", || names(&gateway) == ["current"]).await;
}

#[tokio::test]
async fn after_seven_days_only_the_next_pair_is_tried() {
    let world = World::new().await;
    let gateway = world.ready().await;
    gateway.rotate_to(ClientPair::new("mistyped", "x")).unwrap();
    world.clock.advance(DAY * 7);
    let error = renew(&world, &gateway).await.expect_err("refused");
    assert!(error.is_refusal());
    let fetches = world.go.token_fetches();
    world.clock.advance(secs(10));
    let error = soon(gateway.ready()).await.expect_err("refused");
    assert!(error.is_refusal());
    assert!(
        world.go.token_fetches() - fetches <= 2,
        "one pair each time"
    );
    assert_eq!(names(&gateway), ["current"]);
}

#[tokio::test]
async fn after_a_revocation_the_new_pair_takes_over() {
    let world = World::new().await;
    let old = world.go.client();
    let new = world.go.revoke_client();
    let gateway = world
        .builder()
        .credentials(pair(&old))
        .next_credentials(pair(&new))
        .build()
        .unwrap();
    assert_eq!(soon(gateway.ready()).await, Ok(()));
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(names(&gateway), ["current"]);
}

#[tokio::test]
async fn a_replaced_pairs_pending_fetch_is_discarded() {
    let world = World::new().await;
    let gateway = world.gateway();
    let held = world.go.hold_tokens();
    let waiting = {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.ready().await })
    };
    // The answer to the old pair is settled: a token.
    soon(world.go.wait_for_token_fetches(1)).await;
    let new = world.go.revoke_client();
    world.go.revoke_gateway_tokens();
    gateway.replace(pair(&new)).unwrap();
    held.release();
    assert_eq!(soon(waiting).await.unwrap(), Ok(()));
    assert_eq!(world.go.token_fetches(), 2);
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(world.go.token_fetches(), 2, "the new pair's token, at once");
}

#[tokio::test]
async fn a_pair_that_cannot_be_sent_changes_nothing() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let bad = || ClientPair::new("id", "with\r\nnewline");
    for result in [gateway.rotate_to(bad()), gateway.replace(bad())] {
        let error = result.expect_err("a newline");
        assert_eq!(error.kind(), &GatewayErrorKind::UnusableCredentials);
    }
    assert_eq!(names(&gateway), ["current"]);
    assert_eq!(renew(&world, &gateway).await, Ok(()));
}

#[tokio::test]
async fn a_pair_ends_after_180_days_and_health_shows_it() {
    let world = World::new().await;
    let issued = world.clock.now();
    let current = pair(&world.go.client()).issued_at(issued);
    let gateway = world.builder().credentials(current).build().unwrap();
    let health = gateway.health().credentials;
    assert_eq!(health[0].left, Some(DAY * 180));
    assert_eq!(world.go.token_fetches(), 0, "asking fetches nothing");

    world.clock.advance(DAY * 179);
    assert_eq!(soon(gateway.ready()).await, Ok(()));
    world.clock.advance(DAY);
    let health = gateway.health().credentials;
    assert!(health[0].is_expired());
    let error = soon(gateway.ready()).await.expect_err("GO knows it too");
    assert!(error.is_refusal());

    let next = world.go.rotate_client();
    gateway
        .rotate_to(pair(&next).issued_at(world.clock.now()))
        .unwrap();
    eventually("the new pair serves", || gateway.health().is_ready()).await;
    assert_eq!(gateway.health().credentials[0].left, Some(DAY * 180));
}
