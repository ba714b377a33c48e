//! How GO is reached from a company's network, by settings alone: the same for keys and
//! for tokens, and for calls.

mod authorities;
mod client_certificates;
mod faults;
mod proxies;

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_auth::outbound::{ClientPair, Gateway, GatewayErrorKind, HttpClient};
use derbysoft_go_auth::{GoAuth, Network};

use test_support::front::Front;
use test_support::{World, ready, soon};

/// A handle whose key address is behind this front.
fn auth(world: &World, front: &Front, network: &Network) -> GoAuth {
    let builder = world.builder().jwks_url(front.url(world));
    builder.network(network.clone()).build().expect("good")
}

/// The keys, or why there are none.
async fn keys(world: &World, front: &Front, network: &Network) -> Result<(), FetchError> {
    ready(&auth(world, front, network)).await
}

/// The same of a token from the gateway.
async fn token(world: &World, front: &Front, network: &Network) -> Result<(), GatewayErrorKind> {
    let pair = world.go.client();
    let plain = world.go.token_url();
    let gateway = Gateway::builder()
        .token_url(
            plain
                .replace("http://", "https://")
                .replace(&world.go.address().to_string(), &front.address.to_string()),
        )
        .api("https://solo.example/push")
        .credentials(ClientPair::new(pair.client_id, pair.client_secret))
        .network(network.clone())
        .clock(world.clock.clone())
        .build()
        .expect("good");
    let result = soon(gateway.ready()).await;
    result.map_err(|error| error.kind().clone())
}

/// The status of a call to GO.
async fn call(world: &World, front: &Front, network: &Network) -> Result<u16, reqwest::Error> {
    use tower::ServiceExt as _;
    let client = HttpClient::builder().network(network.clone()).build();
    let request = http::Request::get(front.url(world)).body(String::new());
    let answer = client.expect("good").oneshot(request.expect("an address"));
    Ok(soon(answer).await?.status().as_u16())
}
