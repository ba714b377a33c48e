//! A background task on a runtime that nobody drives any more: it is noticed, and another takes
//! its place.

use std::sync::Arc;
use std::time::Duration;

use derbysoft_go_auth::outbound::{ClientPair, Gateway};
use derbysoft_go_auth::simulator::Simulator;
use derbysoft_go_auth::{AccessTokenSource, Api, GoAuth, ManualClock, UnixTime, VerifyErrorKind};
use tokio::runtime::{Builder, Runtime};

use crate::support::{eventually, secs, settle, soon, verdict};

fn passive() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A `GoAuth` whose keys were fetched within `first`, which nobody drives afterwards.
fn fetched_in(first: &Runtime, go: &Simulator) -> GoAuth {
    let auth = GoAuth::builder()
        .issuer(go.issuer())
        .audience(go.audience())
        .jwks_url(go.jwks_url())
        .refresh_interval(secs(20))
        .max_stale(secs(40))
        .build()
        .expect("a good configuration");
    first.block_on(auth.ready()).expect("GO is well");
    auth
}

#[test]
fn keys_are_fetched_on_though_the_first_runtime_stands_still() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let go = server.block_on(Simulator::start()).expect("a port");
    let first = passive();
    let auth = fetched_in(&first, &go);
    let second = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    second.block_on(async {
        assert_eq!(verdict(&auth, &go.token()).await, "ok");
        // Refreshes were due, and did not come.
        tokio::time::advance(secs(31)).await;
        assert_eq!(go.fetches(), 1);
        auth.health();
        tokio::time::resume();
        eventually("another keeper fetches", || go.fetches() > 1).await;
        eventually("it publishes", || auth.health().state().as_str() == "fresh").await;
        assert_eq!(verdict(&auth, &go.token()).await, "ok");
        let before = go.fetches();
        soon(auth.refresh()).await.expect("GO is well");
        assert_eq!(go.fetches(), before + 1);
    });
    // Should it be driven again, the first keeper finds that it was replaced.
    let before = go.fetches();
    first.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
    assert_eq!(go.fetches(), before);
    drop(first);
    assert!(auth.health().is_ready());
}

#[test]
fn requests_notice_it_and_are_served() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let go = server.block_on(Simulator::start()).expect("a port");
    let first = passive();
    let auth = fetched_in(&first, &go);
    go.rotate();
    let second = passive();
    second.block_on(async {
        tokio::time::pause();
        tokio::time::advance(secs(11)).await;
        tokio::time::resume();
        // The first asks a keeper that stands still.
        let error = soon(auth.verify(&go.token())).await.expect_err("not yet");
        assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
        tokio::time::pause();
        tokio::time::advance(secs(20)).await;
        tokio::time::resume();
        assert_eq!(verdict(&auth, &go.token()).await, "ok");
    });
}

#[test]
fn access_tokens_are_watched_on() {
    const TOKEN: &str = "53ac077700000000000000000000abcd";
    let entry = |token: &str| {
        format!("[[token]]\napi = \"own\"\ntoken = \"{token}\"\nissued = 2026-11-01T00:00:00Z\n")
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), entry(TOKEN)).expect("written");
    let clock = ManualClock::new(UnixTime::from_secs(1_795_000_000));
    let tokens = AccessTokenSource::file(file.path(), Arc::new(clock.clone())).expect("good");
    let own = Api::new("own").expect("a name");
    let first = passive();
    first.block_on(async {
        tokens.check(TOKEN, &own).expect("held");
        settle().await;
    });
    std::fs::write(file.path(), entry("be11e5e100000000000000000000abcd")).expect("written");
    let second = passive();
    second.block_on(async {
        tokio::time::pause();
        tokio::time::advance(secs(31)).await;
        tokio::time::resume();
        clock.advance(secs(31));
        // Whoever comes next has the file looked at again.
        let _ = tokens.check(TOKEN, &own);
        eventually("it is taken out", || tokens.check(TOKEN, &own).is_err()).await;
    });
}

#[test]
fn a_gateway_gets_another_token() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let go = server.block_on(Simulator::start()).expect("a port");
    let client = go.client();
    let gateway = Gateway::builder()
        .token_url(go.token_url())
        .api(go.gateway_url())
        .credentials(ClientPair::new(client.client_id, client.client_secret))
        .build()
        .expect("good settings");
    let first = passive();
    go.fail_next_tokens(1, derbysoft_go_auth::simulator::Fault::Status(500));
    first.block_on(gateway.ready()).expect_err("it fails once");
    let second = passive();
    second.block_on(async {
        tokio::time::pause();
        tokio::time::advance(secs(80)).await;
        tokio::time::resume();
        soon(gateway.ready()).await.expect("another keeper fetches");
    });
}

#[test]
fn frequent_probes_do_not_hide_it() {
    let server = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let go = server.block_on(Simulator::start()).expect("a port");
    let auth = GoAuth::builder()
        .issuer(go.issuer())
        .audience(go.audience())
        .jwks_url(go.jwks_url())
        .build()
        .expect("a good configuration");
    let first = passive();
    // Begins the task there, which is never polled.
    let entered = first.enter();
    assert!(!auth.health().is_ready());
    drop(entered);
    let second = passive();
    second.block_on(async {
        for _ in 0..4 {
            tokio::time::pause();
            tokio::time::advance(secs(4)).await;
            tokio::time::resume();
            let _ = auth.health();
        }
        eventually("another keeper fetches", || auth.health().is_ready()).await;
    });
}

#[test]
fn a_look_that_is_driven_no_more_keeps_no_other_from_it() {
    const TOKEN: &str = "53ac077700000000000000000000abcd";
    let entry = |token: &str| {
        format!("[[token]]\napi = \"own\"\ntoken = \"{token}\"\nissued = 2026-11-01T00:00:00Z\n")
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), entry(TOKEN)).expect("written");
    let clock = ManualClock::new(UnixTime::from_secs(1_795_000_000));
    let tokens = AccessTokenSource::file(file.path(), Arc::new(clock)).expect("good");
    let own = Api::new("own").expect("a name");
    let first = passive();
    // The watch begins to look while this one does, and is left in the middle.
    first.block_on(tokens.reload()).expect("a good file");
    std::fs::write(file.path(), entry("be11e5e100000000000000000000abcd")).expect("written");
    let second = passive();
    second.block_on(async {
        soon(tokens.reload()).await.expect("a good file");
        tokens.check(TOKEN, &own).expect_err("taken out");
    });
}
