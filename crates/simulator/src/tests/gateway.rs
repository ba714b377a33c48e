use serde_json::Value;

use super::{Seen, TestResult, decoded, get, segments};
use crate::{GatewayFailure, Mint, PartnerApi, PartnerRefusal, SigningKey, Simulator};
use derbysoft_go_auth::clock::{ManualClock, UnixTime};

async fn token(go: &Simulator, url: &str) -> std::io::Result<Seen> {
    let client = go.client();
    let (id, secret) = (client.client_id, client.client_secret);
    let headers = format!("client-id: {id}\r\nclient-secret: {secret}\r\n");
    get(go, url, &headers).await
}

async fn push(go: &Simulator, token: &str) -> std::io::Result<Seen> {
    let authorization = format!("authorization: {token}\r\n");
    get(go, "/gateway/ari", &authorization).await
}

fn is(seen: &Seen, failure: GatewayFailure) -> bool {
    let (status, message) = failure.documented();
    let body = format!(r#"{{"message":"{message}","source":"Derbysoft DGateway2"}}"#);
    seen.status_line.contains(&status.to_string()) && seen.body == body.as_bytes()
}

#[tokio::test]
async fn tokens_have_the_shape_of_the_sample() -> TestResult {
    let clock = ManualClock::new(UnixTime::from_secs(1_725_420_117));
    let go = Simulator::builder().clock(clock).start().await?;
    for url in [go.token_url(), go.toker_url()] {
        let seen = token(&go, &url).await?;
        assert!(seen.status_line.contains("200"));
        let answer: Value = serde_json::from_slice(&seen.body)?;
        assert_eq!(answer["token_type"], "Bearer");
        assert_eq!(answer["expires_in"], 7200);
        let jwt = answer["access_token"].as_str().ok_or("a string")?;
        let [header, payload, _] = segments(jwt);
        assert_eq!(decoded(header), br#"{"typ":"JWT","alg":"RS256"}"#);
        let payload = String::from_utf8(decoded(payload))?;
        let (before, after) = payload.split_once(r#""jti":""#).ok_or("a jti")?;
        assert_eq!(
            before,
            r#"{"key":"JWT-TEST","nbf":1725419997,"iss":"derbysoft","iat":1725420117,"dis":"JWT-TEST","#
        );
        assert_eq!(
            &after[32..],
            r#"","exp":1725423717,"sub":"derbysoft dgateway V2","aud":["JWT-TEST"]}"#
        );
    }
    assert_eq!(go.token_fetches(), 2);
    Ok(())
}

#[tokio::test]
async fn the_gateway_gives_each_documented_failure_its_cause() -> TestResult {
    let clock = ManualClock::starting_now();
    let go = Simulator::builder().clock(clock.clone()).start().await?;
    let good = go.gateway_token();
    for token in [format!("Bearer {good}"), good.clone()] {
        assert!(push(&go, &token).await?.status_line.contains("200"));
    }
    assert_eq!(go.pushes(), 2);

    let mint = || Mint::new(SigningKey::pooled(), "x", "derbysoft", "JWT-TEST");
    let other = mint().claim("key", "JWT-TEST").token();
    for (token, failure) in [
        ("", GatewayFailure::MissingToken),
        ("Bearer 53ac0777", GatewayFailure::InvalidToken),
        ("a.b.c", GatewayFailure::InvalidToken),
        (&mint().token(), GatewayFailure::MissingUserKey),
        (
            &mint().claim("key", "x").token(),
            GatewayFailure::InvalidUserKey,
        ),
        (&other, GatewayFailure::NotVerified),
    ] {
        assert!(is(&push(&go, token).await?, failure), "{failure:?}");
    }
    clock.advance(std::time::Duration::from_secs(3600));
    assert!(is(&push(&go, &good).await?, GatewayFailure::NotVerified));
    let fresh = go.gateway_token();
    go.revoke_gateway_tokens();
    assert!(is(&push(&go, &fresh).await?, GatewayFailure::NotVerified));
    go.refuse_pushes(Some(GatewayFailure::ForbiddenConsumer));
    let forbidden = push(&go, &go.gateway_token()).await?;
    assert!(is(&forbidden, GatewayFailure::ForbiddenConsumer));

    let nobody = get(&go, &go.token_url(), "client-id: x\r\n").await?;
    assert!(is(&nobody, GatewayFailure::MissingToken));
    let wrong = "client-id: x\r\nclient-secret: y\r\n";
    let wrong = get(&go, &go.token_url(), wrong).await?;
    assert!(is(&wrong, GatewayFailure::InvalidUserKey));
    assert_eq!(go.pushes(), 2);
    Ok(())
}

#[tokio::test]
async fn access_tokens_open_their_own_api_alone() -> TestResult {
    let go = Simulator::start().await?;
    let ping = async |path: &str, token: &str| {
        let headers = format!("authorization: Bearer {token}\r\n");
        get(&go, path, &headers).await
    };
    let usb = go.access_token(PartnerApi::BookingUsb);
    let seen = ping("/bookingusb/ping", &usb).await?;
    assert_eq!(seen.body, br#""ok""#);
    let seen = ping("/shoppingengine/ping", &usb).await?;
    assert!(seen.status_line.contains("403"));
    assert_eq!(
        seen.body,
        br#"{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}"#
    );
    go.set_partner_refusal(PartnerRefusal::KeyNotAuthorised);
    let seen = ping("/shoppingengine/hotels/ACME/setup", "").await?;
    assert!(seen.status_line.contains("401"));
    assert_eq!(seen.body, br#"{"error":"Key not authorised"}"#);
    let seen = ping("/bookingusb/hotel/ACME", &usb).await?;
    assert!(seen.status_line.contains("500"));
    let seen = ping("/bookingusbx/ping", &usb).await?;
    assert!(seen.status_line.contains("404"));
    Ok(())
}
