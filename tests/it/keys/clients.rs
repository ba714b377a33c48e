//! The client that fetches: the built-in one, and a custom one, held to the same limits.

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, Simulator};
use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

use test_support::proxy::Proxy;
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
    let auth = world.ready_with(|builder| builder.http_client(|client| client.user_agent("own/1")));
    assert_eq!(verdict(&auth.await, &world.token()).await, "ok");
    let agent = world.go.requests().pop().unwrap().user_agent;
    assert_eq!(agent.as_deref(), Some("own/1"));
}

#[tokio::test]
async fn a_custom_client_follows_no_redirect_either() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let redirecting = |client: ClientBuilder| client.redirect(Policy::limited(5));
    let auth = world.builder().http_client(redirecting).build().unwrap();
    let location = foreign.jwks_url();
    world.go.fail(Fault::Redirect {
        location,
        status: 302,
    });
    assert_eq!(ready(&auth).await, Err(FetchError::Redirect(302)));
    assert_eq!(foreign.total_requests(), 0, "the other address was asked");
    let theirs = foreign.mint().at(world.time()).token();
    assert_ne!(verdict(&auth, &theirs).await, "ok");
    assert_eq!(keys(&auth), 0);
}

#[tokio::test]
async fn a_custom_clients_shorter_time_limit_holds_too() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let hasty = |client: ClientBuilder| client.timeout(millis(10));
    let auth = world.builder().http_client(hasty).build().unwrap();
    // The client's time is the machine's.
    assert_eq!(ready(&auth).await, Err(FetchError::Timeout));
}

#[tokio::test]
async fn a_custom_client_is_as_lenient_and_uses_no_proxy_here() {
    let world = World::new().await;
    let proxy = Proxy::to(world.go.address()).await;
    let own = reqwest::Proxy::all(proxy.url()).unwrap();
    let strict = move |client: ClientBuilder| {
        client
            .http1_ignore_invalid_headers_in_responses(false)
            .proxy(own.clone())
    };
    let auth = world.builder().http_client(strict).build().unwrap();
    let document = world.go.jwks_url();
    let keys = reqwest::get(document).await.unwrap().text().await.unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: {}\r\n\r\n",
        keys.len()
    );
    world.go.fail(Fault::Raw((head + &keys).into()));
    ready(&auth).await.unwrap();
    assert_eq!(proxy.heard(), [""; 0]);
}

#[tokio::test]
async fn the_limits_hold_for_a_custom_client_too() {
    let world = World::new().await;
    let auth = |fetch_timeout| {
        let patient = |client: ClientBuilder| client.timeout(secs(600)).connect_timeout(secs(600));
        let builder = world.builder().http_client(patient);
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

#[tokio::test]
async fn a_custom_client_that_cannot_be_built_is_a_fault() {
    let world = World::new().await;
    let broken = |client: ClientBuilder| client.user_agent("\n");
    let error = world.builder().http_client(broken).build().unwrap_err();
    let faults: Vec<_> = error.faults().collect();
    assert_eq!(faults.len(), 1, "{error}");
    assert!(
        faults[0].starts_with("http_client: can't be built: "),
        "{error}"
    );
}
