//! A supplier that pushes to GO's gateway with OAuth 2.0 for PUSH: fetch, push, expire,
//! renew, rotate, revoke. The simulator stands in for GO in the same process, over real
//! TCP, and the example's own clock makes the days pass.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::outbound::{
    BoxError, ClientPair, Gateway, GatewayError, GatewayErrorKind, GatewayRefusal, HttpClient,
};
use derbysoft_go_simulator::{ClientCredentials, GatewayFailure, Simulator};
use http::Request;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let clock = ManualClock::starting_now();
    let go = Simulator::builder().clock(clock.clone()).start().await?;
    let gateway = Gateway::builder()
        .token_url(go.token_url())
        .api(go.gateway_url())
        .credentials(pair(&go.client(), &clock))
        .clock(clock.clone())
        .build()?;
    let client = gateway.layer().layer(HttpClient::new()?);

    println!("{:<42} {:<40} fetches  token left", "", "answer");
    let push = async |what: &str| -> Result<(), BoxError> {
        let request = Request::post(format!("{}/ari", go.gateway_url()));
        let request = request.body(Bytes::from_static(br#"{"hotelId":"H1"}"#))?;
        let outcome = match client.clone().oneshot(request).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await?.to_bytes();
                let refusal = GatewayRefusal::read(status, &body);
                refusal.map_or(status.to_string(), |refusal| format!("{status} {refusal}"))
            }
            Err(error) => match error.downcast_ref().map(GatewayError::kind) {
                Some(GatewayErrorKind::Refused(refusal)) => format!("no token: {refusal}"),
                _ => return Err(error),
            },
        };
        let left = gateway.health().token_left;
        let left = left.map_or("none".to_owned(), |left| {
            format!("{} min", left.as_secs() / 60)
        });
        println!("{what:<42} {outcome:<40} {:>7}  {left}", go.token_fetches());
        // Let a background renewal end before the clock jumps.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    };

    push("the first push fetches a token").await?;
    push("the next one uses it").await?;
    clock.advance(HOUR);
    push("an hour later it has expired").await?;
    clock.advance(HOUR / 4);
    go.revoke_gateway_tokens();
    push("refused by the API: renewed, repeated").await?;
    go.refuse_pushes(Some(GatewayFailure::ForbiddenConsumer));
    push("refused for another reason").await?;
    go.refuse_pushes(None);

    clock.advance(HOUR);
    gateway.rotate_to(pair(&go.rotate_client(), &clock))?;
    push("rotated: the next pair serves").await?;
    clock.advance(HOUR * 24 * 8);
    push("8 days later the old one is gone").await?;

    let new = go.revoke_client();
    clock.advance(HOUR);
    push("revoked: the current pair is refused").await?;
    gateway.replace(pair(&new, &clock))?;
    gateway.ready().await?;
    push("replaced").await?;

    println!("\n{}", serde_json::to_string_pretty(&gateway.health())?);
    Ok(())
}

fn pair(client: &ClientCredentials, clock: &ManualClock) -> ClientPair {
    ClientPair::new(&*client.client_id, &*client.client_secret).issued_at(clock.now())
}
