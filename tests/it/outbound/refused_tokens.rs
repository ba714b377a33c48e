//! A 401 of the API: one other token, one repetition, never two.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use derbysoft_go_auth::outbound::{BoxError, CallRefused, GatewayRefusal};
use derbysoft_go_simulator::{Endpoint, Fault, GatewayFailure};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

use super::{World, client, http_client, send, status};
use test_support::{secs, settle, soon};

/// With a token that is old enough to be refused for its age.
async fn aged(world: &World) -> derbysoft_go_auth::outbound::Gateway {
    let gateway = world.ready().await;
    world.clock.advance(secs(60));
    gateway
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_retried() {
    let world = World::new().await;
    let gateway = aged(&world).await;
    world.go.revoke_gateway_tokens();
    let calls = world.go.total_requests();
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(world.go.token_fetches(), 2);
    assert_eq!(world.go.pushes(), 1);
    assert_eq!(world.go.total_requests() - calls, 3, "401, token, 200");
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(world.go.token_fetches(), 2);
}

#[tokio::test]
async fn a_second_401_is_returned_to_the_caller() {
    let world = World::new().await;
    let gateway = aged(&world).await;
    for failure in GatewayFailure::ALL {
        world.clock.advance(secs(60));
        world.go.refuse_pushes(Some(failure));
        let (code, message) = failure.documented();
        let (calls, fetches) = (world.go.total_requests(), world.go.token_fetches());
        let answer = send(&client(&gateway), world.push()).await.unwrap();
        assert_eq!(answer.status(), code);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let refusal = GatewayRefusal::read(code, &body).expect("documented");
        assert_eq!(refusal.to_string(), message);
        // A 403 has nothing to do with the token's age.
        let repeated = usize::from(code == 401);
        assert_eq!(world.go.token_fetches() - fetches, repeated, "{message}");
        assert_eq!(world.go.total_requests() - calls, 1 + 2 * repeated);
    }
    assert_eq!(world.go.pushes(), 0);
}

#[tokio::test]
async fn a_young_token_that_is_refused_stays() {
    let world = World::new().await;
    let gateway = world.ready().await;
    world.go.refuse_pushes(Some(GatewayFailure::NotVerified));
    for _ in 0..20 {
        assert_eq!(world.status(&gateway).await, 401);
    }
    assert_eq!(world.go.token_fetches(), 1);
    world.clock.advance(secs(10));
    for _ in 0..20 {
        assert_eq!(world.status(&gateway).await, 401);
    }
    assert_eq!(world.go.token_fetches(), 2);
}

#[tokio::test]
async fn a_thousand_refused_callers_share_one_fetch() {
    let world = World::new().await;
    let gateway = aged(&world).await;
    world.go.revoke_gateway_tokens();
    let callers = world.a_thousand_pushing(&gateway);
    world.all_accepted(callers, 2).await;
}

#[tokio::test]
async fn a_late_refusal_uses_the_newer_token() {
    let world = World::new().await;
    let gateway = aged(&world).await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    // A client whose answers come late.
    let slow = {
        let (gate, http) = (Arc::clone(&gate), http_client());
        tower::service_fn(move |request: Request<Bytes>| {
            let (gate, http) = (Arc::clone(&gate), http.clone());
            async move {
                let answer = http.oneshot(request).await?;
                let _ = gate.acquire().await;
                Ok::<_, reqwest::Error>(answer)
            }
        })
    };
    world.go.revoke_gateway_tokens();
    let late = tokio::spawn(gateway.layer().layer(slow).oneshot(world.push()));
    settle().await;
    assert_eq!(world.status(&gateway).await, 200);
    assert_eq!(world.go.token_fetches(), 2);
    gate.add_permits(2);
    assert_eq!(soon(late).await.unwrap().unwrap().status(), 200);
    assert_eq!(world.go.token_fetches(), 2, "the newer one was there");
}

#[tokio::test]
async fn a_body_that_cannot_be_replayed_keeps_its_401() {
    let world = World::new().await;
    let gateway = aged(&world).await;
    world.go.revoke_gateway_tokens();
    let layer = gateway.layer().replay_with(|_: &Bytes| None);
    let client = layer.layer(http_client());
    let calls = world.go.total_requests();
    let answer = send(&client, world.push()).await.unwrap();
    assert_eq!(answer.status(), 401);
    soon(world.go.wait_for_token_fetches(2)).await;
    assert_eq!(world.go.total_requests() - calls, 2, "401 and token");
    test_support::eventually("the other token serves", || {
        gateway.health().last_error.is_none()
    })
    .await;
    settle().await;
    let answer = send(&client, world.push()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn without_another_token_the_401_is_returned() {
    for fault in [Fault::Status(500), Fault::Cut, Fault::NotJson] {
        let world = World::new().await;
        let gateway = aged(&world).await;
        world.go.revoke_gateway_tokens();
        world.go.fail_at(Endpoint::Token, fault);
        assert_eq!(world.status(&gateway).await, 401);
        assert_eq!(world.status(&gateway).await, 401);
        assert_eq!(world.go.token_fetches(), 2, "one for both");
        world.go.heal();
        world.clock.advance(secs(60));
        assert_eq!(world.status(&gateway).await, 200);
    }
}

#[tokio::test]
async fn the_token_goes_to_the_gateway_alone() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let client = client(&gateway);
    let stranger = super::Stranger::answering("HTTP/1.1 200 OK").await;
    for (address, expected) in [
        (format!("{}/ari", stranger.origin), CallRefused::Stranger),
        (
            format!("{}/bookingusb/ping", world.go.origin()),
            CallRefused::Stranger,
        ),
        (
            format!("{}/../bookingusb/ping", world.go.gateway_url()),
            CallRefused::MistakablePath,
        ),
    ] {
        let request = Request::post(&address).body(Bytes::new()).unwrap();
        let error = send(&client, request).await.expect_err("not sent");
        assert_eq!(error.downcast_ref(), Some(&expected), "{address}");
    }
    let mut request = world.push();
    let own = http::HeaderValue::from_static("Bearer mine");
    request.headers_mut().insert(AUTHORIZATION, own);
    let error = send(&client, request).await.expect_err("not sent");
    assert_eq!(error.downcast_ref(), Some(&CallRefused::AlreadyAuthorized));
    assert_eq!(stranger.heard(), "");
}

#[tokio::test]
async fn a_redirect_of_the_api_is_the_answer() {
    let world = World::new().await;
    let stranger = super::Stranger::answering("HTTP/1.1 200 OK").await;
    let door = super::Stranger::redirecting(&format!("{}/x", stranger.origin)).await;
    let gateway = world.builder().api(&*door.origin).build().unwrap();
    let request = Request::post(format!("{}/ari", door.origin));
    let request = request.body(Bytes::from_static(b"{}")).unwrap();
    assert_eq!(status(&client(&gateway), request).await, 307);
    assert!(door.heard().contains("authorization: Bearer eyJ"));
    assert_eq!(stranger.heard(), "");
}

#[tokio::test]
async fn an_error_of_the_client_below_is_returned() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let broken = tower::service_fn(move |_: Request<Bytes>| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Err::<Response<Bytes>, BoxError>("the cable is cut".into()))
    });
    let error = send(&gateway.layer().layer(broken), world.push()).await;
    assert_eq!(error.expect_err("broken").to_string(), "the cable is cut");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
