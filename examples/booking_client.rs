//! A distributor's client of GO's own APIs: sends the BookingUSB token to BookingUSB, the
//! ShoppingEngine token to ShoppingEngine, and none to anyone else. The simulator stands
//! in for GO, over real TCP.
#![allow(clippy::print_stdout)]

use bytes::Bytes;
use derbysoft_go_auth::clock::{Clock, SystemClock};
use derbysoft_go_auth::outbound::{
    BOOKING_USB, BoxError, CallRefused, EndpointToken, EndpointTokens, HttpClient,
};
use derbysoft_go_simulator::{PartnerApi, Simulator};
use http::Request;
use tower::{ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let go = Simulator::start().await?;
    let usb = go.api_url(PartnerApi::BookingUsb);
    let shop = go.api_url(PartnerApi::ShoppingEngine);

    let now = SystemClock::default().now(); // GO Console shows when it was issued
    let token = EndpointToken::new(go.access_token(PartnerApi::BookingUsb)).issued_at(now);
    let tokens = EndpointTokens::builder()
        .booking_usb(&*usb, token)
        .shopping_engine(&*shop, go.access_token(PartnerApi::ShoppingEngine))
        .build()?;
    let client = ServiceBuilder::new()
        .layer(tokens.layer())
        .service(HttpClient::new()?);

    let call = async |address: String| -> Result<(), BoxError> {
        let request = Request::get(&*address).body(Bytes::new())?;
        let outcome = match client.clone().oneshot(request).await {
            Ok(answer) => answer.status().to_string(),
            // Nothing was sent.
            Err(error) if error.is::<CallRefused>() => format!("refused: {error}"),
            Err(error) => return Err(error),
        };
        println!("{:<48} {outcome}", address.replace(&go.origin(), ""));
        Ok(())
    };

    call(format!("{usb}/ping")).await?;
    call(format!("{usb}/hotel/ACME/H1")).await?;
    call(format!("{shop}/ping")).await?;
    call(format!("{shop}/hotels/ACME/setup")).await?;
    call("https://stranger.example/ping".to_owned()).await?;
    call(format!("{usb}/../shoppingengine/ping")).await?;

    // Renewed in GO Console: the client needs no restart.
    let renewed = go.rotate_access_token(PartnerApi::BookingUsb);
    tokens.replace(BOOKING_USB, EndpointToken::new(renewed).issued_at(now))?;
    call(format!("{usb}/ping?after=renewal")).await?;

    for token in tokens.health() {
        let days = token.left.map(|left| left.as_secs() / 86_400);
        let left = days.map_or("nobody said how many".to_owned(), |days| days.to_string());
        println!("{:<48} {left} days left", token.name);
    }
    Ok(())
}
