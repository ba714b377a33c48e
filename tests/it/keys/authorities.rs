//! Keys that came by an authority that is not trusted any more.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use derbysoft_go_auth::{GoAuthBuilder, Network};
use derbysoft_go_simulator::Simulator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use test_support::company::Company;
use test_support::front::Front;
use test_support::{World, eventually, ready, refresh, secs, settle, verdict};

/// A proxy that breaks TLS open can supply keys, until the operator names another
/// authority.
#[tokio::test]
async fn a_successor_takes_over_no_keys_of_another_authority() {
    let (world, company, right) = (World::new().await, Company::new(), Company::new());
    let front = Front::of_server(&world, company.server()).await;
    let directory = tempfile::tempdir().expect("a directory");
    let snapshot = directory.path().join("keys.json");
    let with = |authority: PathBuf| -> GoAuthBuilder {
        let network = Network::new().ca_file(authority);
        let builder = world.builder().jwks_url(front.url(&world));
        builder.network(network).snapshot(&snapshot)
    };
    let before = with(company.ca_file()).build().unwrap();
    ready(&before).await.unwrap();
    let token = world.token();
    eventually("it is written", || snapshot.exists()).await;

    let same = with(company.ca_file())
        .successor_of(&before)
        .build()
        .unwrap();
    assert_eq!(verdict(&same, &token).await, "ok");
    let successor = with(right.ca_file()).successor_of(&before).build().unwrap();
    drop((before, same));
    refresh(&successor).await.expect_err("not trusted any more");
    assert_ne!(verdict(&successor, &token).await, "ok");
    drop(successor);
    // Nor after a restart.
    let restarted = with(right.ca_file()).build().unwrap();
    ready(&restarted).await.expect_err("not trusted any more");
    assert_ne!(verdict(&restarted, &token).await, "ok");
    let restarted = with(company.ca_file()).build().unwrap();
    assert_eq!(verdict(&restarted, &token).await, "ok");
}

/// Whoever supplied other keys may have passed the genuine server's tag on.
#[tokio::test]
async fn a_strangers_tag_is_not_confirmed_by_the_genuine_server() {
    let world = World::new().await;
    let stranger = Simulator::start().await.expect("a free port");
    let (bad, good) = (Company::new(), Company::new());
    let is_good = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let acceptors = [bad.server(), good.server()].map(|it| TlsAcceptor::from(Arc::new(it)));
    let documents = [stranger.document(), world.go.document()];
    let side = Arc::clone(&is_good);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let side = usize::from(side.load(Ordering::SeqCst));
            let Ok(mut stream) = acceptors[side].accept(stream).await else {
                continue;
            };
            let mut head = [0; 4096];
            let length = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
            let answer = if side == 1 && head.contains("if-none-match: \"one\"") {
                b"HTTP/1.1 304 Not Modified\r\netag: \"one\"\r\n\r\n".to_vec()
            } else {
                let document = &documents[side];
                let head = format!(
                    "HTTP/1.1 200 OK\r\netag: \"one\"\r\ncontent-length: {}\r\n\r\n",
                    document.len()
                );
                [head.as_bytes(), document].concat()
            };
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    let with = |company: &Company| {
        let builder = world.builder().jwks_url(format!("https://{address}/keys"));
        builder.network(Network::new().ca_file(company.ca_file()))
    };
    let before = with(&bad).build().unwrap();
    ready(&before).await.unwrap();
    let theirs = stranger.mint().at(world.time()).issuer(world.go.issuer());
    let theirs = theirs.expires_in(30 * 86_400).token();
    assert_eq!(verdict(&before, &theirs).await, "ok", "the scene");

    is_good.store(true, Ordering::SeqCst);
    let successor = with(&good).successor_of(&before).build().unwrap();
    drop(before);
    for _ in 0..3 {
        assert_ne!(verdict(&successor, &theirs).await, "ok");
        world.clock.advance(secs(280));
        settle().await;
    }
    assert_eq!(verdict(&successor, &world.token()).await, "ok");
}

/// A file of the same authorities is the same, wherever it lies.
#[tokio::test]
async fn the_same_authorities_elsewhere_are_the_same() {
    let (world, company) = (World::new().await, Company::new());
    let front = Front::of_server(&world, company.server()).await;
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("ca.pem");
    fs::copy(company.ca_file(), &copy).expect("copied");
    let with = |authority: PathBuf| {
        let builder = world.builder().jwks_url(front.url(&world));
        builder.network(Network::new().ca_file(authority))
    };
    let before = with(company.ca_file()).build().unwrap();
    ready(&before).await.unwrap();
    let successor = with(copy).successor_of(&before).build().unwrap();
    let fetches = world.go.fetches();
    assert_eq!(verdict(&successor, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), fetches);
}
