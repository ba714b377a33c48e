//! Client ID and client secret through rotation, revocation and their 180 days.

use std::time::Duration;

use derbysoft_go_auth::clock::Clock;
use derbysoft_go_auth::outbound::{ClientPair, Gateway, GatewayError, GatewayErrorKind};

use super::{World, pair};
use test_support::raw_server::{answer, server};
use test_support::{clock, eventually, millis, secs, soon};

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
async fn what_either_pair_is_told_counts() {
    // What the next pair and the current one get, and how long neither is sent again.
    for (next, current, wait) in [
        ((500, ""), (403, ""), secs(10)),
        ((403, ""), (500, ""), secs(10)),
        ((500, ""), (429, "retry-after: 30\r\n"), secs(30)),
        ((403, ""), (503, "retry-after: 30\r\n"), secs(30)),
        ((500, ""), (500, ""), millis(50)),
    ] {
        let (origin, heads) = server(move |head| {
            let is_next = head.contains("\r\nclient-id: next\r\n");
            let (status, lines) = if is_next { next } else { current };
            answer(status, lines.as_bytes(), "{}")
        })
        .await;
        let clock = clock();
        let gateway = Gateway::builder()
            .token_url(format!("{origin}/token"))
            .api(&origin)
            .credentials(ClientPair::new("current", "x"))
            .next_credentials(ClientPair::new("next", "x"))
            .clock(clock.clone())
            .build()
            .unwrap();
        let asked = || heads.lock().unwrap().len();
        soon(gateway.ready()).await.expect_err("no token");
        assert_eq!(asked(), 2, "both are tried");
        clock.advance(wait.saturating_sub(millis(1)));
        let error = soon(gateway.ready()).await.expect_err("no token");
        assert_eq!(asked(), 2, "{next:?} and {current:?}: {error}");
        // The pair that is to take over is the one to fix.
        assert_eq!(error.is_refusal(), next.0 == 403);
        // A wait that is asked for is spread by up to a half.
        clock.advance(millis(1) + wait / 2);
        soon(gateway.ready()).await.expect_err("no token");
        assert_eq!(asked(), 4, "{next:?} and {current:?}");
    }
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
