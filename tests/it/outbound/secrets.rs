//! No credential in any debug output, error or log line; and the reminders that must be there.

use bytes::Bytes;
use derbysoft_go_auth::clock::Clock;
use derbysoft_go_auth::outbound::{ClientPair, EndpointToken, EndpointTokens, HeaderForm};
use derbysoft_go_simulator::{Endpoint, Fault, PartnerApi};
use http::Request;
use tower::Layer;

use super::{World, http_client, pair, send};
use test_support::log::Lines;
use test_support::{secs, soon};

const DAY: u64 = 86_400;

#[tokio::test]
async fn no_credential_is_printed_or_logged() {
    let (lines, _guard) = Lines::capture();
    let world = World::new().await;
    let client = world.go.client();
    let booking = world.go.access_token(PartnerApi::BookingUsb);
    let usb = world.go.api_url(PartnerApi::BookingUsb);

    let gateway_builder = world.builder().next_credentials(pair(&client));
    let mut printed = vec![format!("{gateway_builder:?}")];
    let gateway = gateway_builder.build().unwrap();
    let token = EndpointToken::new(&*booking).issued_at(world.clock.now());
    printed.push(format!("{token:?} {:?}", pair(&client)));
    let tokens_builder = EndpointTokens::builder()
        .booking_usb(&*usb, token)
        .header_form(HeaderForm::Bare);
    printed.push(format!("{tokens_builder:?}"));
    let tokens = tokens_builder.build().unwrap();

    let pushing = gateway.layer().layer(http_client());
    let mut call = Box::pin(tower::ServiceExt::oneshot(pushing.clone(), world.push()));
    let _ = test_support::at_once(&mut call);
    assert_eq!(soon(call).await.unwrap().status(), 200);
    let mut headers = http::HeaderMap::new();
    let address = world.push().uri().clone();
    let authorized = soon(gateway.authorize(&address, &mut headers))
        .await
        .unwrap();
    printed.push(format!("{authorized:?}"));
    let jwt = headers["authorization"].to_str().unwrap();
    let jwt = jwt.trim_start_matches("Bearer ").to_owned();
    printed.push(format!("{headers:?}"));

    let booking_client = tokens.layer().layer(http_client());
    let ping = Request::get(format!("{usb}/ping")).body(Bytes::new());
    assert_eq!(
        send(&booking_client, ping.unwrap()).await.unwrap().status(),
        200
    );

    // Failures whose answers repeat what was sent.
    for (answer, fault) in [
        (None, Fault::Status(201)),
        (Some(&*client.client_secret), Fault::Status(400)),
        (Some(&*client.client_secret), Fault::Status(200)),
        (None, Fault::Cut),
    ] {
        world.go.set_token_answer(answer);
        world.go.fail_at(Endpoint::Token, fault);
        world.clock.advance(secs(7200));
        let error = send(&pushing, world.push()).await.expect_err("no token");
        printed.push(format!("{error} {error:?}"));
    }
    gateway
        .rotate_to(ClientPair::new("x", &*client.client_secret))
        .unwrap();
    printed.push(format!("{gateway:?} {gateway:#?} {:?}", gateway.layer()));
    printed.push(format!("{pushing:?} {tokens:?} {booking_client:?}"));
    printed.push(format!("{:?} {:?}", gateway.health(), tokens.health()));
    printed.push(serde_json::to_string(&gateway.health()).unwrap());
    printed.push(serde_json::to_string(&tokens.health()).unwrap());

    let (printed, logged) = (printed.concat(), lines.text());
    assert!(
        logged.contains("no token could be had"),
        "logs are captured"
    );
    let segments = jwt.split('.').filter(|segment| segment.len() > 8);
    assert!(
        !printed.contains("eyJ") && !logged.contains("eyJ"),
        "{printed}"
    );
    for secret in segments.chain([&*client.client_secret, &*client.client_id, &*booking]) {
        assert!(!printed.contains(secret), "{printed}");
        assert!(!logged.contains(secret), "{logged}");
    }
}

/// How often a line with this text was logged.
fn times(lines: &Lines, text: &str) -> usize {
    lines.text().matches(text).count()
}

#[tokio::test]
async fn six_warnings_precede_a_credentials_end() {
    const SOON: &str = "a credential for GO expires soon";
    const OVER: &str = "a credential for GO has expired";
    let (lines, _guard) = Lines::capture();
    let world = World::new().await;
    let issued = world.clock.now();
    let usb = world.go.api_url(PartnerApi::BookingUsb);
    let tokens = EndpointTokens::builder()
        .booking_usb(&*usb, EndpointToken::new("x").issued_at(issued))
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let address = format!("{usb}/ping").parse().unwrap();
    let mut warned = Vec::new();
    for hours in 0..=181 * 24 {
        for _ in 0..3 {
            let mut headers = http::HeaderMap::new();
            tokens.authorize(&address, &mut headers).unwrap();
        }
        let _ = tokens.health();
        if times(&lines, SOON) > warned.len() {
            warned.push((180 * 24 - hours) / 24);
        }
        world.clock.advance(secs(3600));
    }
    assert_eq!(warned, [30, 20, 10, 3, 2, 1]);
    assert_eq!(times(&lines, SOON), 6);
    assert_eq!(times(&lines, OVER), 1);
    assert!(lines.text().contains("endpoint=\"booking-usb\""));

    // The client pair's, by the background task alone.
    let current = pair(&world.go.client()).issued_at(world.clock.now());
    let gateway = world.builder().credentials(current).build().unwrap();
    let _ = soon(gateway.ready()).await;
    world.clock.advance(secs(151 * DAY));
    test_support::eventually("the background task warns", || times(&lines, SOON) == 7).await;
    assert!(lines.text().contains("endpoint=\"current client pair\""));
}
