//! The client that fetches: the built-in one, and a custom one, held to the same limits.

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, Simulator};

use test_support::{World, keys, millis, ready, refresh, refreshing, secs, soon, verdict};

#[tokio::test]
async fn each_fetch_sends_user_agent_and_encodings() {
    let world = World::new().await;
    world.ready().await;
    let request = world.go.requests().pop().unwrap();
    let agent = request.user_agent.expect("a user agent");
    assert!(agent.starts_with("derbysoft-go-auth/"), "{agent}");
    assert!(request.accept_encoding.expect("codings").contains("gzip"));
    assert_eq!(request.method, http::Method::GET);
}

#[tokio::test]
async fn a_custom_client_fetches_the_keys() {
    let world = World::new().await;
    let client = reqwest::Client::builder()
        .user_agent("own/1")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let auth = world.ready_with(|builder| builder.client(client)).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    let agent = world.go.requests().pop().unwrap().user_agent;
    assert_eq!(agent.as_deref(), Some("own/1"));
}

#[tokio::test]
async fn a_redirecting_custom_client_brings_no_keys() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let auth = world
        .builder()
        .client(reqwest::Client::new())
        .build()
        .unwrap();
    let location = foreign.jwks_url();
    world.go.fail(Fault::Redirect {
        location,
        status: 302,
    });
    let error = ready(&auth).await.expect_err("a redirect");
    assert!(matches!(error, FetchError::Redirect(_)), "{error:?}");
    let theirs = foreign.mint().at(world.time()).token();
    assert_ne!(verdict(&auth, &theirs).await, "ok");
    assert_eq!(keys(&auth), 0);
}

#[tokio::test]
async fn a_custom_clients_shorter_time_limit_holds_too() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let client = reqwest::Client::builder().timeout(millis(10));
    let client = client.build().expect("a client");
    let auth = world.builder().client(client).build().unwrap();
    // The client's time is the machine's.
    assert_eq!(ready(&auth).await, Err(FetchError::Timeout));
}

#[tokio::test]
async fn the_limits_hold_for_a_custom_client_too() {
    let world = World::new().await;
    let auth = |fetch_timeout| {
        let builder = world.builder().client(reqwest::Client::new());
        let builder = builder.configure(|it| it.fetch_timeout = fetch_timeout);
        builder.build().unwrap()
    };
    let patient = auth(secs(30));
    world.go.fail(Fault::GzipBomb);
    let too_large = Err(FetchError::TooLarge(256 * 1024));
    assert_eq!(refresh(&patient).await, too_large);
    world.go.fail(Fault::Endless);
    assert_eq!(refresh(&patient).await, too_large);
    world.go.fail(Fault::HangBody);
    let late = refreshing(&auth(secs(5)));
    world.fetches(3).await;
    world.clock.advance(secs(5));
    assert_eq!(soon(late).await.unwrap(), Err(FetchError::Timeout));
}
