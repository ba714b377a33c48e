//! Without a provider there is an error that says what to do, and no panic.
#![cfg(not(feature = "tls-ring"))]

mod application;

use std::sync::Arc;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::outbound::{ClientPair, Gateway, HttpClient};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};

use self::application::Application;

const ADVICE: &str = "there is no TLS provider: build derbysoft-go-auth with the feature tls-aws-lc \
                      or tls-ring, or call rustls::crypto::CryptoProvider::install_default first";

#[tokio::test]
async fn without_a_provider_every_fetch_says_what_to_do() {
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().expect("TLS");
    let application = Application::start(tls.with_no_client_auth()).await;
    assert!(CryptoProvider::get_default().is_none());

    let auth = application.builder().network(application.network()).build();
    let auth = auth.expect("good");
    let error = auth.ready().await.expect_err("no TLS").source.to_string();
    assert_eq!(
        error,
        format!("the key address could not be reached: {ADVICE}")
    );

    let pair = application.go.client();
    let gateway = Gateway::builder()
        .token_url(application.tls(&application.go.token_url()))
        .api("https://solo.example/push")
        .credentials(ClientPair::new(pair.client_id, pair.client_secret))
        .build();
    let error = gateway.expect("good").ready().await.expect_err("no TLS");
    assert!(error.to_string().ends_with(ADVICE), "{error}");
    let error = HttpClient::new().expect_err("no TLS").to_string();
    assert!(error.ends_with(ADVICE), "{error}");
    let plain = GoAuth::builder()
        .issuer(application.go.issuer())
        .audience(application.go.audience())
        .jwks_url(application.go.jwks_url());
    let error = plain
        .build()
        .expect("good")
        .ready()
        .await
        .expect_err("not even");
    assert!(error.source.to_string().ends_with(ADVICE), "{error}");

    // One line in `main` is enough, and late is not too late.
    ring::default_provider()
        .install_default()
        .expect("the first");
    auth.refresh().await.expect("keys");
    let token = application.go.mint().token();
    auth.verify(&token).await.expect("a genuine token");
}
