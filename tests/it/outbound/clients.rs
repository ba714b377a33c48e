//! The layers over other clients, and under tower's own layers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::outbound::{EndpointTokens, HttpClient, reqwest_body};
use derbysoft_go_simulator::{PartnerApi, PushCredential};
use http::{Request, Response};
use http_body_util::{Empty, Full, StreamBody};
use hyper_util::rt::TokioExecutor;
use tower::limit::ConcurrencyLimit;
use tower::retry::{Policy, RetryLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use super::{World, http_client, send};
use test_support::{at_once, eventually, secs, settle, soon};

#[tokio::test]
async fn hyper_utils_client_pushes_and_repeats() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = gateway.layer().layer(hyper);
    let push = || world.push().map(Full::new);
    assert_eq!(send(&client, push()).await.unwrap().status(), 200);
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    assert_eq!(send(&client, push()).await.unwrap().status(), 200);
    assert_eq!(world.go.token_fetches(), 2);

    let usb = world.go.api_url(PartnerApi::BookingUsb);
    let tokens = EndpointTokens::builder()
        .booking_usb(&*usb, world.go.access_token(PartnerApi::BookingUsb))
        .build()
        .unwrap();
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .build_http::<Empty<Bytes>>();
    let ping = Request::get(format!("{usb}/ping")).body(Empty::new());
    let answer = send(&tokens.layer().layer(hyper), ping.unwrap()).await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn reqwest_pushes_and_repeats_with_its_own_body() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let client = gateway
        .layer()
        .replay_with(reqwest_body)
        .layer(http_client());
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    let push = world.push().map(reqwest::Body::from);
    assert_eq!(send(&client, push).await.unwrap().status(), 200);
    assert_eq!(world.go.token_fetches(), 2);

    // A stream cannot be replayed.
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    let frame = http_body::Frame::data(Bytes::from_static(b"{}"));
    let stream = tokio_stream::iter([Ok::<_, Infallible>(frame)]);
    let push = world
        .push()
        .map(|_| reqwest::Body::wrap(StreamBody::new(stream)));
    assert_eq!(send(&client, push).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_plain_reqwest_client_is_wrapped_by_conversion() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let reqwest = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let client = ServiceBuilder::new()
        .layer(gateway.layer())
        .map_response(Response::<reqwest::Body>::from)
        .map_request(|request: Request<Bytes>| {
            reqwest::Request::try_from(request).expect("an absolute address")
        })
        .service(reqwest);
    assert_eq!(send(&client, world.push()).await.unwrap().status(), 200);
}

/// Three times, on any answer but a 2xx and on any error.
#[derive(Clone)]
struct Thrice(u32);

impl<E> Policy<Request<Bytes>, Response<reqwest::Body>, E> for Thrice {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Bytes>,
        result: &mut Result<Response<reqwest::Body>, E>,
    ) -> Option<Ready<()>> {
        let good = (result.as_ref()).is_ok_and(|answer| answer.status().is_success());
        self.0 += 1;
        (!good && self.0 < 3).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Bytes>) -> Option<Request<Bytes>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn towers_retry_and_timeout_wrap_either_side() {
    let world = World::new().await;
    let gateway = world.gateway();
    let around = ServiceBuilder::new()
        .layer(RetryLayer::new(Thrice(0)))
        .timeout(Duration::from_secs(5))
        .layer(gateway.layer())
        .timeout(Duration::from_secs(5))
        .service(http_client());
    assert_eq!(send(&around, world.push()).await.unwrap().status(), 200);

    // A retry below sends the token that it was given; one around gets its own each time.
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    let below = ServiceBuilder::new()
        .layer(gateway.layer())
        .layer(RetryLayer::new(Thrice(0)))
        .service(http_client());
    let calls = world.go.total_requests();
    assert_eq!(send(&below, world.push()).await.unwrap().status(), 200);
    assert_eq!(world.go.total_requests() - calls, 3 + 1 + 1);

    // A call that times out leaves the fetch to later ones.
    world.clock.advance(secs(3600));
    let held = world.go.hold_tokens();
    let fetches = world.go.token_fetches();
    let hasty = ServiceBuilder::new()
        .timeout(Duration::from_millis(50))
        .layer(gateway.layer())
        .service(http_client());
    assert!(send(&hasty, world.push()).await.is_err());
    eventually("held", || world.go.token_fetches() == fetches + 1).await;
    held.release();
    assert_eq!(send(&around, world.push()).await.unwrap().status(), 200);
    assert_eq!(world.go.token_fetches(), fetches + 1);
}

#[tokio::test]
async fn a_repetition_polls_the_service_ready_again() {
    /// Panics where it is called without having been polled ready since the last call.
    struct Strict(HttpClient, bool);

    impl Clone for Strict {
        fn clone(&self) -> Self {
            Self(self.0.clone(), false)
        }
    }

    impl Service<Request<Bytes>> for Strict {
        type Response = Response<reqwest::Body>;
        type Error = reqwest::Error;
        type Future = <HttpClient as Service<Request<Bytes>>>::Future;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), reqwest::Error>> {
            self.1 = true;
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Bytes>) -> Self::Future {
            assert!(std::mem::take(&mut self.1), "not polled ready");
            self.0.call(request)
        }
    }

    let world = World::new().await;
    let gateway = world.ready().await;
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    let client = gateway.layer().layer(Strict(http_client(), false));
    assert_eq!(send(&client, world.push()).await.unwrap().status(), 200);
}

/// What a caller does not need while it waits is left to others.
#[tokio::test]
async fn a_call_that_waits_for_a_token_holds_no_permit() {
    let world = World::new().await;
    let gateway = world.gateway();
    let mut limited = ConcurrencyLimit::new(http_client(), 1);
    let client = gateway.layer().layer(limited.clone());

    // For its first token, and for another after a 401.
    for fetches in 1..=2 {
        let held = world.go.hold_tokens();
        let pushing = tokio::spawn(client.clone().oneshot(world.push()));
        soon(world.go.wait_for_token_fetches(fetches)).await;
        let place = at_once(ServiceExt::<Request<Bytes>>::ready(&mut limited));
        assert!(matches!(place, Poll::Ready(Ok(_))), "fetch {fetches}");
        held.release();
        eventually("the token is there", || gateway.health().is_ready()).await;
        settle().await;
        assert!(!pushing.is_finished(), "it waits for its place");
        // Gives the place back.
        limited = limited.clone();
        let answer = soon(pushing).await.expect("no panic");
        assert_eq!(answer.unwrap().status(), 200);
        world.clock.advance(secs(60));
        world.go.revoke_gateway_tokens();
    }
}

#[tokio::test]
async fn go_pushes_to_a_distributor_with_either_credential() {
    let world = World::new().await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let app = {
        let seen = Arc::clone(&seen);
        axum::Router::new().fallback(move |request: axum::extract::Request| {
            let authorization = request.headers().get("authorization").cloned();
            let path = request.uri().path().to_owned();
            seen.lock()
                .expect("not poisoned")
                .push((path, authorization));
            ready("")
        })
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());

    let go = &world.go;
    assert_eq!(soon(go.push(&*base).send()).await.unwrap(), 200);
    let los = go.push(&*base).path("/ari/los/push");
    let los = los.credential(PushCredential::AccessToken).bare();
    assert_eq!(soon(los.send()).await.unwrap(), 200);
    let none = go.push(&*base).credential(PushCredential::None);
    assert_eq!(soon(none.send()).await.unwrap(), 200);

    let seen = seen.lock().expect("not poisoned");
    let text = |at: usize| {
        let value = seen[at].1.as_ref();
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(seen[0].0, "/ari/daily/push");
    assert!(text(0).unwrap().starts_with("Bearer eyJ"));
    assert_eq!(seen[1].0, "/ari/los/push");
    assert_eq!(text(1), Some(go.access_token(PartnerApi::AvailabilityPeer)));
    assert_eq!(text(2), None);
}

#[tokio::test]
async fn many_layers_share_one_gateway() {
    let world = World::new().await;
    let gateway = world.gateway();
    for _ in 0..3 {
        let client = gateway.layer().layer(http_client());
        let answer = soon(client.oneshot(world.push())).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(world.go.token_fetches(), 1);
}
