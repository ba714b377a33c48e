//! With ring as rustls's one feature, rustls and this crate agree on it by themselves.

mod application;

use derbysoft_go_auth::outbound::{ClientPair, Gateway};
use derbysoft_go_simulator::PushCredential;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;

use self::application::Application;

#[tokio::test]
async fn an_application_with_ring_starts_and_has_its_keys() {
    // Panics where there are two providers to choose from.
    let tls = ServerConfig::builder().with_no_client_auth();
    let application = Application::start(tls).await;
    assert!(CryptoProvider::get_default().is_some());

    let builder = application.builder().network(application.network());
    let auth = builder.build().expect("good");
    auth.ready().await.expect("keys");
    // The signature is checked by aws-lc-rs, as ever.
    let token = application.go.mint().token();
    auth.verify(&token).await.expect("a genuine token");

    let pair = application.go.client();
    let gateway = Gateway::builder()
        .token_url(application.tls(&application.go.token_url()))
        .api("https://solo.example/push")
        .credentials(ClientPair::new(pair.client_id, pair.client_secret))
        .network(application.network())
        .build();
    gateway.expect("good").ready().await.expect("a token");

    // Once rustls has installed its provider, a custom client finds it, too.
    let pem = application.file("server.pem");
    let auth = application
        .builder()
        .http_client(|client| client.user_agent("own"));
    let auth = auth.configure(|it| it.ca_file = Some(pem));
    auth.build().expect("good").ready().await.expect("keys");
    let untrusted = application
        .builder()
        .http_client(|client| client.user_agent("own"));
    untrusted
        .build()
        .expect("built, though it trusts nobody here")
        .ready()
        .await
        .expect_err("TLS");

    let push = application.go.push("http://127.0.0.1:1");
    let push = push.credential(PushCredential::None).send().await;
    assert!(push.expect_err("nobody listens").is_connect());
}
