//! What a successor shares with its predecessor, and what a handle tells.

use derbysoft_go_simulator::{Fault, Simulator};

use super::*;
use crate::clock::{ManualClock, UnixTime};
use crate::jwt::jwks::tests::{document, key};

#[tokio::test]
async fn a_reload_accepts_no_token_again_that_was_revoked_while_it_waited() {
    const TOKEN: &str = "53ac077700000000000000000000abcd";
    let good = format!(
        "[[token]]\napi = \"availability-peer\"\ntoken = \"{TOKEN}\"\n\
         issued = 2026-11-01T00:00:00Z\n"
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &good).expect("written");
    // 2026-11-05T00:00:00Z
    let clock = ManualClock::new(UnixTime::from_secs(1_793_836_800));
    let builder = || (GoAuth::builder().access_tokens_file(file.path())).clock(clock.clone());
    let predecessor = builder().build().expect("good settings");
    // As the gate does at a reload: this one reads the file, and waits for keys.
    let successor = builder()
        .successor_of(&predecessor)
        .build()
        .expect("good settings");
    std::fs::write(file.path(), good + "revoked = true\n").expect("written");
    predecessor
        .reload_access_tokens()
        .await
        .expect("a good file");
    predecessor.verify(TOKEN).await.expect_err("revoked");
    std::fs::write(file.path(), "").expect("written");
    let kept = predecessor.reload_access_tokens().await;
    kept.expect_err("the tokens stay as they are");
    predecessor.verify(TOKEN).await.expect_err("revoked");
    let _ = successor.reload_access_tokens().await;
    successor.take_over(&predecessor);
    successor.verify(TOKEN).await.expect_err("revoked");
}

#[test]
fn a_key_that_is_distrusted_while_a_successor_is_prepared_stays_distrusted() {
    let builder = || {
        let keys = document(&[key("1", 1)]);
        (GoAuth::builder().issuer("https://id/X").audience("ZKT"))
            .keys(KeySet::from_document(keys.as_bytes()).expect("a key"))
    };
    let live = builder().build().expect("good settings");
    let successor = builder()
        .successor_of(&live)
        .build()
        .expect("good settings");
    // The operator's call reaches what is live; then the successor takes its place.
    live.distrust_keys(["1"]);
    assert_eq!(live.health().issuers[0].keys, 0);
    assert_eq!(successor.health().issuers[0].keys, 0, "it verifies again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_one_fetch_at_most() {
    let go = Simulator::start().await.expect("a free port");
    let builder = || {
        (GoAuth::builder()
            .issuer(go.issuer())
            .audience(go.audience()))
        .jwks_url(go.jwks_url())
    };
    let mut live = builder().build().expect("good settings");
    live.ready().await.expect("it is well");
    const RELOADS: usize = 50;
    for _ in 0..RELOADS {
        // As the gate does.
        let successor = builder()
            .successor_of(&live)
            .build()
            .expect("good settings");
        successor.ready().await.expect("keys");
        let _ = successor.reload_access_tokens().await;
        successor.take_over(&live);
        let predecessor = std::mem::replace(&mut live, successor);
        live.take_over(&predecessor);
        drop(predecessor);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(go.fetches() <= 1 + RELOADS, "{} fetches", go.fetches());
}

#[tokio::test]
async fn asking_whether_keys_are_ready_heeds_what_the_key_address_asks_for() {
    let go = Simulator::start().await.expect("a free port");
    let answer = b"HTTP/1.1 503 X\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n";
    go.fail(Fault::Raw(answer.to_vec()));
    let auth = (GoAuth::builder()
        .issuer(go.issuer())
        .audience(go.audience()))
    .jwks_url(go.jwks_url())
    .build()
    .expect("good settings");
    for _ in 0..20 {
        auth.ready().await.expect_err("the address fails");
    }
    assert!(
        go.fetches() <= 2,
        "asked {} times within 30 s",
        go.fetches()
    );
}

#[test]
fn a_handle_prints_no_secret_of_its_key_address() {
    let auth = (GoAuth::builder().issuer("https://id/X").audience("ZKT"))
        .jwks_url("https://id.example/keys?code=hunter2")
        .build()
        .expect("good settings");
    assert!(!format!("{auth:?}").contains("hunter2"));
}
