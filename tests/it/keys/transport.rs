//! How keys arrive: over TLS from a trusted server, and over nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder, Network};
use rcgen::CertificateParams;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use test_support::company::Company;
use test_support::front::Front;
use test_support::{World, keys, ready, readyz, refresh, secs, verdict};

fn behind(world: &World, front: &Front) -> GoAuthBuilder {
    world.builder().jwks_url(front.url(world))
}

async fn untrusted(world: &World, auth: &GoAuth) {
    let error = ready(auth).await.expect_err("an untrusted certificate");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(verdict(auth, &world.token()).await, "keys_unavailable");
    assert_eq!(readyz(auth), 503);
    assert_eq!(world.go.total_requests(), 0, "a request got through");
}

/// A certificate so changed brings no keys, even where its signer is trusted.
async fn useless(change: impl FnOnce(&mut CertificateParams)) {
    let world = World::new().await;
    let front = Front::certified(&world, change).await;
    let builder = behind(&world, &front).http_client(front.client());
    untrusted(&world, &builder.build().expect("good")).await;
}

#[tokio::test]
async fn an_untrusted_certificate_brings_no_keys() {
    let world = World::new().await;
    let front = Front::of(&world).await;
    let auth = behind(&world, &front).build().unwrap();
    untrusted(&world, &auth).await;
}

#[tokio::test]
async fn a_custom_client_may_trust_a_certificate() {
    let world = World::new().await;
    let front = Front::of(&world).await;
    let builder = behind(&world, &front).http_client(front.client());
    let auth = builder.build().unwrap();
    ready(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    world.clock.advance(secs(10));
    world.go.rotate();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    world.clock.advance(secs(270));
    world.fetches(3).await;
    assert_eq!(world.go.requests().pop().unwrap().status, Some(304));
}

#[tokio::test]
async fn a_certificate_for_another_name_brings_no_keys() {
    useless(|params| {
        *params = CertificateParams::new(vec!["id.example".to_owned()]).expect("a name");
    })
    .await;
}

#[tokio::test]
async fn an_expired_certificate_brings_no_keys() {
    useless(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    })
    .await;
}

#[tokio::test]
async fn a_strangers_certificate_replaces_no_keys() {
    let world = World::new().await;
    let front = Front::of(&world).await;
    let builder = behind(&world, &front).http_client(front.client());
    let auth = builder.build().unwrap();
    ready(&auth).await.unwrap();
    let known = world.token();

    // Somebody else takes the port over, with GO's document and more.
    let address = front.address;
    drop(front);
    let stranger = Front::of(&world).await;
    let relay = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let server = tokio::spawn(async move {
        while let Ok((mut caller, _)) = relay.accept().await {
            let mut front = TcpStream::connect(stranger.address).await?;
            tokio::io::copy_bidirectional(&mut caller, &mut front).await?;
        }
        drop(stranger);
        std::io::Result::Ok(())
    });
    world.go.rotate();
    let error = refresh(&auth).await.expect_err("a stranger's certificate");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(verdict(&auth, &known).await, "ok");
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    assert_eq!((world.go.fetches(), keys(&auth)), (1, 2));
    server.abort();
}

/// A server's certificate, and the one that it has later.
#[derive(Debug)]
struct Lapsing {
    certificates: [Arc<CertifiedKey>; 2],
    has_lapsed: AtomicBool,
}

impl ResolvesServerCert for Lapsing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let which = usize::from(self.has_lapsed.load(Ordering::SeqCst));
        Some(Arc::clone(&self.certificates[which]))
    }
}

#[tokio::test]
async fn a_resumed_session_vouches_for_nobody() {
    let (world, company) = (World::new().await, Company::new());
    let provider = Arc::new(default_provider());
    let certified = |change: fn(&mut CertificateParams)| {
        let (chain, key) = company.server_certificate(change);
        Arc::new(CertifiedKey::from_der(chain, key.into(), &provider).expect("a pair"))
    };
    let expired = certified(|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let server = Arc::new(Lapsing {
        certificates: [certified(|_| ()), expired],
        has_lapsed: AtomicBool::new(false),
    });
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&server) as _);
    let front = Front::of_server(&world, config).await;
    let builder = behind(&world, &front).network(Network::new().ca_file(company.ca_file()));
    let auth = builder.build().expect("good");
    ready(&auth).await.unwrap();
    let known = world.token();

    server.has_lapsed.store(true, Ordering::SeqCst);
    world.go.rotate();
    let error = refresh(&auth).await.expect_err("an expired certificate");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(verdict(&auth, &known).await, "ok");
    assert_eq!((world.go.fetches(), keys(&auth)), (1, 2));
}

#[tokio::test]
async fn a_plain_server_at_an_https_address_fails() {
    let world = World::new().await;
    let address = world.go.jwks_url().replace("http:", "https:");
    let auth = world.builder().jwks_url(address).build().unwrap();
    untrusted(&world, &auth).await;
}

#[tokio::test]
async fn https_does_not_redirect_to_plain_http() {
    let world = World::new().await;
    let front = Front::redirecting_to_http(&world).await;
    let builder = behind(&world, &front).http_client(front.client());
    let auth = builder.build().unwrap();
    assert_eq!(ready(&auth).await, Err(FetchError::Redirect(307)));
    assert_eq!(world.go.total_requests(), 1);
}
