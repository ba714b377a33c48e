//! A proxy that is set: everything goes through it, and what fails there is called its
//! own.

use std::net::{Ipv4Addr, SocketAddr};

use derbysoft_go_auth::Network;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_auth::outbound::{GatewayErrorKind, HttpClient};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use super::{auth, call, keys, token};
use test_support::company::Company;
use test_support::front::Front;
use test_support::proxy::Proxy;
use test_support::{World, millis, ready, secs, soon, verdict};

/// A GO over TLS, of whose address the tests say `id.example`.
struct Scene {
    world: World,
    company: Company,
    front: Front,
}

impl Scene {
    async fn new() -> Self {
        let (world, company) = (World::new().await, Company::new());
        let front = Front::of_server(&world, company.server()).await;
        Self {
            world,
            company,
            front,
        }
    }

    fn behind(&self, proxy: impl Into<String>) -> Network {
        Network::new()
            .proxy(proxy.into())
            .ca_file(self.company.ca_file())
    }

    /// Why there are no keys, and no token.
    async fn errors(&self, network: &Network) -> (FetchError, GatewayErrorKind) {
        (
            keys(&self.world, &self.front, network)
                .await
                .expect_err("no keys"),
            token(&self.world, &self.front, network)
                .await
                .expect_err("no token"),
        )
    }
}

async fn dead() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address")
}

#[tokio::test]
async fn keys_tokens_and_calls_go_through_the_proxy() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(scene.front.address).await;
    let network = scene.behind(proxy.url());
    let asked = format!("CONNECT {} HTTP/1.1", scene.front.address);
    keys(&scene.world, &scene.front, &network).await.unwrap();
    assert_eq!(proxy.heard(), [&*asked]);
    token(&scene.world, &scene.front, &network).await.unwrap();
    assert_eq!(proxy.heard(), [&*asked; 2]);
    assert_eq!(
        call(&scene.world, &scene.front, &network).await.unwrap(),
        200
    );
    assert_eq!(proxy.heard(), [&*asked; 3]);
}

#[tokio::test]
async fn the_proxy_resolves_the_name() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(scene.front.address).await;
    let address = scene.front.url(&scene.world);
    let address = address.replace(&scene.front.address.to_string(), "id.example");
    let builder = scene.world.builder().jwks_url(address);
    let auth = builder.network(scene.behind(proxy.url())).build().unwrap();
    ready(&auth).await.unwrap();
    assert_eq!(proxy.heard(), ["CONNECT id.example:443 HTTP/1.1"]);
    assert_eq!(verdict(&auth, &scene.world.token()).await, "ok");
}

#[tokio::test]
async fn an_escaped_user_and_password_are_sent_as_they_are() {
    let scene = Scene::new().await;
    let proxy = Proxy::demanding("us:er@x:pä/ss%?#", scene.front.address).await;
    let network = scene.behind(proxy.url_for("us%3Aer%40x:p%C3%A4%2Fss%25%3F%23"));
    keys(&scene.world, &scene.front, &network).await.unwrap();
    token(&scene.world, &scene.front, &network).await.unwrap();
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_an_error_of_the_proxy() {
    let scene = Scene::new().await;
    let proxy = Proxy::demanding("user:s3cr3t", scene.front.address).await;
    for wrong in [proxy.url(), proxy.url_for("user:hunter2")] {
        let (keys, token) = scene.errors(&scene.behind(wrong)).await;
        let name = proxy.address.to_string();
        assert_eq!(keys, FetchError::ProxyCredentials(name.clone()));
        assert_eq!(token, GatewayErrorKind::ProxyCredentials(name.clone()));
        for text in [keys.to_string(), token.to_string()] {
            assert!(text.starts_with(&format!("the proxy {name} ")), "{text}");
            assert!(
                text.ends_with("(407)") && !text.contains("hunter2"),
                "{text}"
            );
        }
    }
    assert_eq!(scene.world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_dead_proxy_is_named_in_error_and_health() {
    let scene = Scene::new().await;
    let address = dead().await;
    let network = scene.behind(format!("http://user:hunter2@{address}"));
    let (keys, token) = scene.errors(&network).await;
    let unreachable = format!("the proxy {address} could not be reached: tcp connect error");
    assert!(matches!(keys, FetchError::Proxy(_)), "{keys:?}");
    assert!(matches!(token, GatewayErrorKind::Proxy(_)), "{token:?}");
    let auth = auth(&scene.world, &scene.front, &network);
    ready(&auth).await.expect_err("a dead proxy");
    let health = serde_json::to_string(&auth.health()).unwrap();
    // With the client in it, which has been made by now.
    let debugged = format!("{auth:#?}");
    assert!(debugged.contains(&address.to_string()), "{debugged}");
    assert!(!debugged.contains("hunter2"), "{debugged}");
    let basic = "dXNlcjpodW50ZXIy";
    assert!(!debugged.contains(basic), "{debugged}");
    for text in [keys.to_string(), token.to_string(), health] {
        assert!(text.contains(&unreachable), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_connects_nobody_is_named() {
    let scene = Scene::new().await;
    let proxy = Proxy::forbidding().await;
    let (keys, token) = scene.errors(&scene.behind(proxy.url())).await;
    for text in [keys.to_string(), token.to_string()] {
        let refuses = "refused to connect to the address, or failed to";
        assert_eq!(text, format!("the proxy {} {refuses}", proxy.address));
    }
}

#[tokio::test]
async fn a_silent_proxy_is_named() {
    let scene = Scene::new().await;
    let proxy = Proxy::silent().await;
    let builder = scene
        .world
        .builder()
        .jwks_url(scene.front.url(&scene.world));
    let builder = builder.network(scene.behind(proxy.url())).configure(|it| {
        it.connect_timeout = millis(50);
        it.fetch_timeout = secs(30);
    });
    let error = ready(&builder.build().unwrap()).await.expect_err("silence");
    let text = error.to_string();
    assert_eq!(
        text,
        format!("the proxy {} gave no connection in time", proxy.address)
    );
}

#[tokio::test]
async fn an_error_behind_the_proxy_is_not_of_the_proxy() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(scene.front.address).await;
    // Which is what a proxy looks like that opens TLS, too.
    let other = Company::new();
    let network = scene.behind(proxy.url()).ca_file(other.ca_file());
    let (keys, token) = scene.errors(&network).await;
    assert!(matches!(keys, FetchError::Unreachable(_)), "{keys:?}");
    assert!(
        matches!(token, GatewayErrorKind::Unreachable(_)),
        "{token:?}"
    );
    for text in [keys.to_string(), token.to_string()] {
        let through = format!(", through the proxy {}", proxy.address);
        assert!(
            text.contains("certificate") && text.ends_with(&through),
            "{text}"
        );
    }
}

#[tokio::test]
async fn plain_http_to_this_machine_goes_through_no_proxy() {
    let world = World::new().await;
    let proxy = Proxy::forbidding().await;
    let network = Network::new().proxy(proxy.url());
    let auth = world.builder().network(network.clone()).build().unwrap();
    ready(&auth).await.unwrap();
    let client = HttpClient::builder().network(network).build().unwrap();
    let request = http::Request::get(world.go.jwks_url()).body(String::new());
    let answer = soon(client.oneshot(request.unwrap())).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(proxy.heard(), [""; 0]);
}

#[tokio::test]
async fn plain_http_to_another_machine_goes_through_the_proxy() {
    let world = World::new().await;
    let here = world.go.address().to_string();
    let address = world.go.jwks_url().replace(&here, "id.example");
    let keys = async |proxy: String| {
        let builder = world.builder().jwks_url(&address);
        let builder = builder.network(Network::new().proxy(proxy));
        let builder = builder.configure(|it| it.danger_allow_http = true);
        ready(&builder.build().unwrap()).await
    };
    let proxy = Proxy::to(world.go.address()).await;
    keys(proxy.url()).await.unwrap();
    assert_eq!(proxy.heard(), [format!("GET {address} HTTP/1.1")]);

    let strict = Proxy::demanding("user:s3cr3t", world.go.address()).await;
    let name = strict.address.to_string();
    assert_eq!(
        keys(strict.url()).await,
        Err(FetchError::ProxyCredentials(name))
    );
    keys(strict.url_for("user:s3cr3t")).await.unwrap();

    let dead = dead().await;
    let error = keys(format!("http://{dead}")).await.unwrap_err();
    let unreachable = format!("the proxy {dead} could not be reached: ");
    assert!(error.to_string().starts_with(&unreachable), "{error}");
}

#[tokio::test]
async fn a_proxy_counts_before_a_custom_clients() {
    let scene = Scene::new().await;
    let (proxy, own) = (
        Proxy::to(scene.front.address).await,
        Proxy::forbidding().await,
    );
    let address = own.url();
    let builder = scene
        .world
        .builder()
        .jwks_url(scene.front.url(&scene.world));
    let builder = builder.network(scene.behind(proxy.url()));
    let builder = builder.http_client(move |client| {
        // A client that would be satisfied with any certificate, or without a proxy.
        let own = reqwest::Proxy::all(&address).expect("an address");
        client
            .no_proxy()
            .proxy(own)
            .tls_danger_accept_invalid_certs(true)
    });
    ready(&builder.build().unwrap()).await.unwrap();
    assert_eq!((proxy.heard().len(), own.heard().len()), (1, 0));
}

#[tokio::test]
async fn a_custom_clients_own_proxy_is_spoken_of_too() {
    let scene = Scene::new().await;
    let port = dead().await.port();
    let own = format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let builder = scene
        .world
        .builder()
        .jwks_url(scene.front.url(&scene.world));
    let builder = builder
        .http_client(move |client| client.proxy(reqwest::Proxy::all(&own).expect("an address")));
    let error = ready(&builder.build().unwrap()).await.unwrap_err();
    let unreachable = "the proxy of the custom client could not be reached: ";
    assert!(error.to_string().starts_with(unreachable), "{error}");
}
