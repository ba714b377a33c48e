//! Where nothing is installed, this crate uses the provider that its features name, and
//! installs none either.
#![cfg(feature = "tls-ring")]

mod application;

use std::sync::Arc;

use derbysoft_go_auth::outbound::HttpClient;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use tower::ServiceExt as _;

use self::application::Application;

#[tokio::test]
async fn the_features_provider_is_used_and_not_installed() {
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().expect("TLS");
    let application = Application::start(tls.with_no_client_auth()).await;

    let network = application.network();
    let network = network.client_certificate(
        application.file("server.pem"),
        application.file("server.key"),
    );
    let auth = application.builder().network(network.clone()).build();
    auth.expect("good").ready().await.expect("keys");
    let address = application.tls(&application.go.jwks_url());
    let request = http::Request::get(address).body(String::new());
    let client = HttpClient::builder()
        .network(network)
        .build()
        .expect("good");
    let answer = client.oneshot(request.expect("an address")).await;
    assert_eq!(answer.expect("an answer").status(), 200);
    assert!(CryptoProvider::get_default().is_none());

    // reqwest would panic.
    let custom = application
        .builder()
        .http_client(|client| client.user_agent("own"));
    let error = custom
        .build()
        .expect_err("reqwest has no provider")
        .to_string();
    let advice = "call rustls::crypto::CryptoProvider::install_default first";
    assert!(error.contains(advice), "{error}");
    ring::default_provider()
        .install_default()
        .expect("the first");
    let custom = application
        .builder()
        .http_client(|client| client.user_agent("own"));
    custom.build().expect("good");
}
