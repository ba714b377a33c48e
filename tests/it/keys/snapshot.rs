//! A restart with a snapshot: what it saves, and what it must not bring back.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, Simulator};
use tempfile::TempDir;

use std::path::PathBuf;

use test_support::{
    World, at_once, eventually, keys, ready, readyz, refresh, refreshing, secs, settle, soon,
    state, verdict, verifying,
};

const DAY: u64 = 86_400;

/// GO, and a place for the snapshot.
struct Host {
    world: World,
    directory: TempDir,
}

impl Host {
    async fn new() -> Self {
        Self {
            world: World::new().await,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("keys.json")
    }

    /// A process that starts.
    fn start(&self) -> GoAuth {
        let builder = self.world.builder().snapshot(self.path());
        builder.build().expect("a good configuration")
    }

    /// A process that starts and fetches, with its snapshot written.
    async fn run(&self) -> GoAuth {
        let auth = self.start();
        ready(&auth).await.expect("GO is well");
        self.saved().await;
        auth
    }

    /// Whether the file is the snapshot of this document, fetched at this time.
    fn holds(&self, document: &[u8], fetched_at: u64) -> bool {
        let Ok(file) = std::fs::read(self.path()) else {
            return false;
        };
        let record: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
        record["document"].as_str().map(str::as_bytes) == Some(document)
            && record["fetched_at"] == fetched_at
    }

    /// Waits until the file is the snapshot of GO's current document, fetched now.
    async fn saved(&self) {
        let (document, now) = (self.world.go.document(), self.world.time().as_secs());
        let what = "the snapshot is written";
        eventually(what, || self.holds(&document, now)).await;
    }

    /// After one good fetch, its snapshot written and its handle dropped.
    async fn after_a_run() -> Self {
        let host = Self::new().await;
        let auth = host.run().await;
        drop(auth);
        settle().await;
        host
    }
}

#[tokio::test]
async fn after_a_restart_in_an_outage_known_keys_serve() {
    let host = Host::after_a_run().await;
    host.world.go.fail(Fault::Status(500));
    host.world.clock.advance(secs(3600));
    let auth = host.start();
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
    assert_eq!(
        verdict(&auth, &host.world.unknown()).await,
        "keys_unavailable"
    );
    assert_eq!(state(&auth).as_str(), "stale");
    assert_eq!((readyz(&auth), keys(&auth)), (200, 2));
}

#[tokio::test]
async fn a_hanging_address_delays_no_restart() {
    let host = Host::after_a_run().await;
    host.world.go.fail(Fault::Hang);
    let auth = host.start();
    // The clock stands still: whoever waits for `key_wait` waits forever.
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
    assert!(at_once(auth.verify(&host.world.token())).is_ready());
    let unknown = verifying(&auth, &host.world.unknown());
    host.world.fetches(2).await;
    settle().await;
    assert!(!unknown.is_finished());
    host.world.clock.advance(secs(2));
    soon(unknown).await.unwrap().unwrap_err();
}

#[tokio::test]
async fn ready_accepts_a_snapshot_and_reports_its_age() {
    let host = Host::after_a_run().await;
    host.world.go.fail(Fault::Cut);
    host.world.clock.advance(secs(600));
    let auth = host.start();
    ready(&auth).await.expect("the snapshot suffices");
    assert_eq!(readyz(&auth), 200);
    let health = serde_json::to_value(auth.health()).unwrap();
    assert_eq!(health["issuers"][0]["age_seconds"], 600);
    assert!(refresh(&auth).await.is_err());
    ready(&auth).await.expect("it still does");
}

#[tokio::test]
async fn a_snapshots_age_counts_from_its_fetch() {
    let host = Host::after_a_run().await;
    host.world.go.fail(Fault::Cut);
    let token = host.world.mint().expires_in(3 * 86_400).token();
    host.world.clock.advance(secs(DAY - 100));
    let auth = host.start();
    assert_eq!(verdict(&auth, &token).await, "ok");
    host.world.clock.advance(secs(99));
    assert_eq!(verdict(&auth, &token).await, "ok");
    host.world.clock.advance(secs(1));
    assert_eq!(verdict(&auth, &token).await, "keys_unavailable");
    assert_eq!(readyz(&auth), 503);
}

#[tokio::test]
async fn a_snapshot_past_the_bound_is_not_used() {
    let host = Host::after_a_run().await;
    host.world.clock.advance(secs(DAY));
    host.world.go.fail_next(1, Fault::Cut);
    let auth = host.start();
    ready(&auth).await.expect_err("neither file nor address");
    assert_eq!(
        verdict(&auth, &host.world.token()).await,
        "keys_unavailable"
    );
    host.world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
}

#[tokio::test]
async fn a_restart_fetches_at_once_despite_a_snapshot() {
    let host = Host::after_a_run().await;
    host.world.go.rotate();
    host.world.go.retire_all_but_current();
    let auth = host.start();
    ready(&auth).await.unwrap();
    host.world.fetches(2).await;
    // The new key, without any cooldown in between.
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
    assert_eq!(host.world.go.fetches(), 2);
}

#[tokio::test]
async fn a_snapshot_of_another_issuer_is_not_used() {
    let host = Host::after_a_run().await;
    let World { go, .. } = &host.world;
    go.fail(Fault::Cut);
    let base = || host.world.builder().snapshot(host.path());
    let other_issuer = base().issuer("https://id/B/.well-known/openid-configuration");
    let other_path = base().jwks_url(go.discovery_url());
    let other_host = base().jwks_url(go.jwks_url().replace("127.0.0.1", "localhost"));
    let other_query = base().jwks_url(format!("{}?x", go.jwks_url()));
    for builder in [other_issuer, other_path, other_host, other_query] {
        let auth = builder.build().unwrap();
        ready(&auth).await.expect_err("no keys");
        assert_eq!((readyz(&auth), keys(&auth)), (503, 0));
    }
    // Its own issuer and address still find it.
    ready(&host.start()).await.unwrap();
}

#[tokio::test]
async fn a_304_confirms_a_snapshot_after_a_restart() {
    let host = Host::after_a_run().await;
    host.world.clock.advance(secs(3000));
    let auth = host.start();
    ready(&auth).await.unwrap();
    host.world.fetches(2).await;
    let request = host.world.go.requests().pop().unwrap();
    assert!(request.if_none_match.is_some());
    assert_eq!(request.status, Some(304));
    eventually("confirmed", || state(&auth).as_str() == "fresh").await;
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
    // Its age starts anew, for the next start too.
    host.saved().await;
}

#[tokio::test]
async fn each_good_fetch_is_saved_and_no_bad_one() {
    let host = Host::new().await;
    let auth = host.run().await;
    for _ in 0..5 {
        host.world.clock.advance(secs(20));
        host.world.go.rotate();
        refresh(&auth).await.unwrap();
        host.saved().await;
    }
    let (good, at) = (host.world.go.document(), host.world.time().as_secs());
    host.world.go.rotate();
    for fault in [
        Fault::EmptySet,
        Fault::Html,
        Fault::Status(500),
        Fault::Truncated,
    ] {
        host.world.clock.advance(secs(20));
        host.world.go.fail(fault);
        refresh(&auth).await.unwrap_err();
        settle().await;
        assert!(host.holds(&good, at));
    }
}

#[tokio::test]
async fn a_withdrawal_seen_survives_a_restart() {
    let host = Host::new().await;
    let auth = host.run().await;
    let old = host.world.token();
    host.world.go.rotate();
    host.world.go.retire_all_but_current();
    refresh(&auth).await.unwrap();
    host.saved().await;
    drop(auth);

    host.world.go.fail(Fault::Hang);
    let auth = host.start();
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
    let waiting = verifying(&auth, &old);
    host.world.fetches(3).await;
    host.world.clock.advance(secs(2));
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind().as_str(), "keys_unavailable");
}

#[tokio::test]
async fn two_processes_share_one_whole_file() {
    let host = Host::new().await;
    let (one, two) = (host.start(), host.start());
    for _ in 0..10 {
        host.world.go.rotate();
        let (first, second) = tokio::join!(refresh(&one), refresh(&two));
        first.unwrap();
        second.unwrap();
    }
    host.saved().await;
    drop((one, two));
    host.world.go.fail(Fault::Cut);
    let auth = host.start();
    assert_eq!(verdict(&auth, &host.world.token()).await, "ok");
}

#[tokio::test]
async fn an_older_answer_replaces_no_newer_snapshot() {
    let host = Host::new().await;
    let (slow, fast) = (host.start(), host.start());
    ready(&slow).await.unwrap();
    ready(&fast).await.unwrap();
    host.saved().await;
    settle().await;
    let old = host.world.token();
    // An answer from before the withdrawal, which arrives after it was seen.
    let hold = host.world.go.hold_next(1);
    let late = tokio::spawn({
        let slow = slow.clone();
        async move { refresh(&slow).await }
    });
    host.world.fetches(3).await;
    host.world.go.rotate();
    host.world.go.retire_all_but_current();
    host.world.clock.advance(secs(2));
    refresh(&fast).await.unwrap();
    host.saved().await;
    hold.release();
    soon(late).await.unwrap().unwrap();
    settle().await;
    drop((slow, fast));

    host.world.go.fail(Fault::Cut);
    assert_eq!(verdict(&host.start(), &old).await, "keys_unavailable");
}

#[tokio::test]
async fn without_a_setting_nothing_is_written() {
    let host = Host::new().await;
    host.world.ready().await;
    settle().await;
    assert_eq!(std::fs::read_dir(host.directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_unused_handle_neither_reads_nor_fetches() {
    let host = Host::after_a_run().await;
    let other = Simulator::start().await.unwrap();
    let builder = host.world.builder().snapshot(host.path());
    let _auth = builder.jwks_url(other.jwks_url()).build().unwrap();
    settle().await;
    assert_eq!(other.total_requests(), 0);
    assert_eq!(host.world.go.fetches(), 1);
}

#[tokio::test]
async fn an_answer_after_its_timeout_is_not_saved() {
    let host = Host::after_a_run().await;
    let builder = host.world.builder().snapshot(host.path());
    let auth = builder.build().unwrap();
    let (document, at) = (host.world.go.document(), host.world.time().as_secs());
    host.world.go.rotate();
    let hold = host.world.go.hold();
    let late = refreshing(&auth);
    host.world.fetches(2).await;
    host.world.clock.advance(secs(5));
    assert_eq!(soon(late).await.unwrap(), Err(FetchError::Timeout));
    hold.release();
    settle().await;
    assert!(host.holds(&document, at));
}
