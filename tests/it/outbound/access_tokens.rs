//! Each call carries the right Access Token, and no stranger gets one.

use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::clock::{Clock, UnixTime};
use derbysoft_go_auth::outbound::{
    BOOKING_USB, BoxError, CallRefused, EndpointToken, EndpointTokens, EndpointTokensBuilder,
    HeaderForm, ReplaceError, SHOPPING_ENGINE,
};
use derbysoft_go_simulator::{PartnerApi, PartnerRefusal};
use http::Request;
use http::header::AUTHORIZATION;
use tower::Layer;

use super::{Stranger, World, http_client, send};
use test_support::{at_once, soon};

const DAY: Duration = Duration::from_secs(86_400);

fn tokens(world: &World) -> EndpointTokensBuilder {
    let go = &world.go;
    EndpointTokens::builder()
        .booking_usb(
            go.api_url(PartnerApi::BookingUsb),
            go.access_token(PartnerApi::BookingUsb),
        )
        .shopping_engine(
            go.api_url(PartnerApi::ShoppingEngine),
            go.access_token(PartnerApi::ShoppingEngine),
        )
        .clock(world.clock.clone())
}

async fn call(tokens: &EndpointTokens, request: Request<Bytes>) -> Result<u16, BoxError> {
    let client = tokens.layer().layer(http_client());
    send(&client, request)
        .await
        .map(|answer| answer.status().as_u16())
}

async fn get(tokens: &EndpointTokens, address: &str) -> Result<u16, BoxError> {
    let request = Request::get(address).body(Bytes::new()).expect("a request");
    call(tokens, request).await
}

fn refused(result: Result<u16, BoxError>) -> CallRefused {
    let error = result.expect_err("not sent");
    *error.downcast_ref().expect("refused here")
}

#[tokio::test]
async fn each_api_gets_its_own_token_on_equal_paths() {
    let world = World::new().await;
    let usb = world.go.api_url(PartnerApi::BookingUsb);
    let shop = world.go.api_url(PartnerApi::ShoppingEngine);
    for form in [HeaderForm::Bearer, HeaderForm::Bare] {
        let tokens = tokens(&world).header_form(form).build().unwrap();
        for address in [
            format!("{usb}/ping"),
            format!("{usb}/hotels/ACME"),
            format!("{usb}/hotel/ACME/H1?lang=en"),
            format!("{shop}/ping"),
            format!("{shop}/hotels/ACME/setup"),
        ] {
            assert_eq!(get(&tokens, &address).await.unwrap(), 200, "{address}");
        }
        for address in [
            format!("{usb}/availability"),
            format!("{usb}/reservation/prebook"),
            format!("{usb}/reservation/book"),
            format!("{usb}/reservation/modify"),
            format!("{usb}/reservation/cancel"),
            format!("{usb}/reservations"),
            format!("{usb}/reservation/detail"),
            format!("{shop}/shopping/multihotels"),
        ] {
            let request = Request::post(&address).body(Bytes::from_static(b"{}"));
            let status = call(&tokens, request.unwrap()).await;
            assert_eq!(status.unwrap(), 200, "{address}");
        }
        assert_eq!(get(&tokens, &format!("{usb}/nowhere")).await.unwrap(), 500);
    }
    // The simulator does distinguish them.
    let swapped = EndpointTokens::builder()
        .booking_usb(&*usb, world.go.access_token(PartnerApi::ShoppingEngine))
        .build()
        .unwrap();
    let ping = format!("{usb}/ping");
    assert_eq!(get(&swapped, &ping).await.unwrap(), 403);
    world
        .go
        .set_partner_refusal(PartnerRefusal::KeyNotAuthorised);
    assert_eq!(get(&swapped, &ping).await.unwrap(), 401);
}

#[tokio::test]
async fn a_stranger_is_not_called_at_all() {
    let world = World::new().await;
    let stranger = Stranger::answering("HTTP/1.1 200 OK").await;
    let tokens = tokens(&world).build().unwrap();
    let calls = world.go.total_requests();
    let origin = world.go.origin();
    for address in [
        format!("{}/ping", stranger.origin),
        format!("{origin}/ping"),
        format!("{origin}/bookingusbx/ping"),
        format!("{origin}/BookingUSB/ping"),
        origin.replace("127.0.0.1", "localhost") + "/bookingusb/ping",
        format!(
            "{}/bookingusb/ping",
            origin.replace("http://", "http://user@")
        ),
        "/bookingusb/ping".to_owned(),
    ] {
        let result = get(&tokens, &address).await;
        assert_eq!(refused(result), CallRefused::Stranger, "{address}");
    }
    for path in ["/bookingusb/../gateway/x", "/bookingusb/%2e%2e/gateway/x"] {
        let result = get(&tokens, &format!("{origin}{path}")).await;
        assert_eq!(refused(result), CallRefused::MistakablePath, "{path}");
    }
    assert_eq!(stranger.heard(), "");
    assert_eq!(world.go.total_requests(), calls);
}

#[tokio::test]
async fn a_callers_own_credential_is_not_overwritten() {
    let world = World::new().await;
    let tokens = tokens(&world).build().unwrap();
    let usb = world.go.api_url(PartnerApi::BookingUsb);
    let request = Request::get(format!("{usb}/ping")).header(AUTHORIZATION, "Basic eDp5");
    let result = call(&tokens, request.body(Bytes::new()).unwrap()).await;
    assert_eq!(refused(result), CallRefused::AlreadyAuthorized);
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_redirect_takes_no_token_elsewhere() {
    let stranger = Stranger::answering("HTTP/1.1 200 OK").await;
    let door = Stranger::redirecting(&format!("{}/b/ping", stranger.origin)).await;
    let tokens = EndpointTokens::builder()
        .booking_usb(format!("{}/a", door.origin), "s3cr3t-t0ken")
        .build()
        .unwrap();
    let status = get(&tokens, &format!("{}/a/ping", door.origin)).await;
    assert_eq!(status.unwrap(), 307);
    assert!(door.heard().contains("authorization: Bearer s3cr3t-t0ken"));
    assert_eq!(stranger.heard(), "");

    // Whatever the client's settings were.
    let client = derbysoft_go_auth::outbound::HttpClient::builder().http_client(|client| {
        let client = client.no_proxy();
        client.redirect(reqwest::redirect::Policy::limited(5))
    });
    let client = client.build().unwrap();
    let request = Request::get(format!("{}/a/ping", door.origin));
    let request = request.body(Bytes::new()).unwrap();
    let answer = send(&tokens.layer().layer(client), request).await.unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(stranger.heard(), "");
}

#[tokio::test]
async fn a_renewed_token_serves_without_a_new_client() {
    let world = World::new().await;
    let tokens = tokens(&world).build().unwrap();
    let ping = format!("{}/ping", world.go.api_url(PartnerApi::BookingUsb));

    let renewed = world.go.rotate_access_token(PartnerApi::BookingUsb);
    assert_eq!(get(&tokens, &ping).await.unwrap(), 200, "7 days remain");
    world.clock.advance(DAY * 7);
    assert_eq!(get(&tokens, &ping).await.unwrap(), 403);
    tokens.replace(BOOKING_USB, renewed).unwrap();
    assert_eq!(get(&tokens, &ping).await.unwrap(), 200);

    let after_a_breach = world.go.revoke_access_token(PartnerApi::BookingUsb);
    assert_eq!(get(&tokens, &ping).await.unwrap(), 403);
    tokens.replace(BOOKING_USB, after_a_breach).unwrap();
    assert_eq!(get(&tokens, &ping).await.unwrap(), 200);

    let nobody = tokens.replace("nobody", "x");
    assert_eq!(nobody, Err(ReplaceError::UnknownEndpoint));
    let no_token = tokens.replace(BOOKING_USB, "no token");
    assert_eq!(no_token, Err(ReplaceError::UnusableToken));
    assert_eq!(
        get(&tokens, &ping).await.unwrap(),
        200,
        "the good one stays"
    );
}

#[tokio::test]
async fn the_end_of_a_token_is_seen_coming() {
    let world = World::new().await;
    let issued = world.clock.now();
    let token = world.go.access_token(PartnerApi::BookingUsb);
    let usb = world.go.api_url(PartnerApi::BookingUsb);
    let tokens = EndpointTokens::builder()
        .booking_usb(&*usb, EndpointToken::new(token).issued_at(issued))
        .endpoint(SHOPPING_ENGINE, "https://shop.example", "x")
        .clock(world.clock.clone())
        .build()
        .unwrap();
    world.clock.advance(DAY * 100);
    let health = tokens.health();
    assert_eq!(health[0].name, BOOKING_USB);
    assert_eq!(health[0].left, Some(DAY * 80));
    assert!(!health[0].is_expired());
    assert_eq!((health[1].expires_at, health[1].left), (None, None));

    world.clock.advance(DAY * 80);
    assert!(tokens.health()[0].is_expired());
    // GO rejects it as well.
    assert_eq!(get(&tokens, &format!("{usb}/ping")).await.unwrap(), 403);

    let renewed = world.go.rotate_access_token(PartnerApi::BookingUsb);
    let renewed = EndpointToken::new(renewed).issued_at(world.clock.now());
    tokens.replace(BOOKING_USB, renewed).unwrap();
    let expected: Option<UnixTime> = Some(world.clock.now().saturating_add(DAY * 180));
    assert_eq!(tokens.health()[0].expires_at, expected);
}

#[tokio::test]
async fn a_client_that_is_busy_is_waited_for() {
    let world = World::new().await;
    let tokens = tokens(&world).build().unwrap();
    let (client, mut calls) = tower_test::mock::pair::<Request<Bytes>, ()>();
    let mut client = tokens.layer().layer(client);
    calls.allow(0);
    let mut ready = tower::ServiceExt::<Request<Bytes>>::ready(&mut client);
    assert!(at_once(&mut ready).is_pending());
    calls.allow(1);
    soon(ready).await.expect("it is ready");
}
