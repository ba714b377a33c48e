//! What Rust prints of an error that `main` returns, which is its `Debug`.

use std::error::Error;

use derbysoft_go_auth::Config;
use derbysoft_go_auth::access_token::AccessTokens;
use derbysoft_go_auth::outbound::{ClientPair, EndpointTokens, Gateway};
use derbysoft_go_simulator::{Endpoint, Fault};
use http::{HeaderMap, Uri};

use test_support::{World, soon};

/// As `std::process::Termination` prints it.
fn printed(error: impl Into<Box<dyn Error + Send + Sync>>) -> String {
    format!("Error: {:?}", error.into())
}

#[test]
fn faults_of_settings_are_printed_one_a_line() {
    let error = Config::default().build().expect_err("nothing is set");
    assert_eq!(
        printed(error),
        "Error: the configuration can't be used:\n\
         - issuer is required\n\
         - audience is required\n\
         - jwks_url is required"
    );
    let error = (EndpointTokens::builder().build()).expect_err("nothing is set");
    assert_eq!(printed(error.clone()), format!("Error: {error}"));
    let error = AccessTokens::from_toml("[[token]]\n").expect_err("an empty entry");
    assert_eq!(printed(error.clone()), format!("Error: {error}"));
    assert!(error.faults().len() > 1);
}

#[tokio::test]
async fn errors_at_the_start_say_why() {
    let world = World::new().await;
    world.go.fail(Fault::Status(503));
    let auth = world.auth();
    let error = soon(auth.ready()).await.expect_err("no keys");
    assert_eq!(
        printed(error),
        format!(
            "Error: the keys of {} could not be fetched: the key address answered with status 503",
            world.go.issuer()
        )
    );

    world.go.fail_at(Endpoint::Token, Fault::Status(503));
    let gateway = Gateway::builder()
        .token_url(world.go.token_url())
        .api(world.go.gateway_url())
        .credentials(ClientPair::new("id", "secret"))
        .build()
        .expect("good settings");
    let error = soon(gateway.ready()).await.expect_err("no token");
    assert!(printed(error).starts_with("Error: the token endpoint answered with status 503"));

    let stranger = Uri::from_static("https://stranger.example/");
    let error = soon(gateway.authorize(&stranger, &mut HeaderMap::new())).await;
    assert_eq!(
        printed(error.expect_err("a stranger")),
        "Error: there is no token for this address"
    );
}
