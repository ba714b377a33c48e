//! A background task on a runtime that nobody drives any more is noticed, and another takes its
//! place.

use std::sync::Arc;
use std::time::Duration;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::access_token::AccessTokenSource;
use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::authenticate::VerifyErrorKind;
use derbysoft_go_auth::outbound::{ClientPair, Gateway};
use derbysoft_go_simulator::{Endpoint, Fault, Simulator};
use tokio::runtime::Runtime;

use test_support::distributor::{TokenFile, entry, now};
use test_support::{
    builder_for, eventually, passive_runtime, runtime, secs, settle, soon, verdict,
};

/// GO, on a runtime of its own.
fn go() -> (Runtime, Simulator) {
    let server = runtime();
    let go = server.block_on(Simulator::start()).expect("a free port");
    (server, go)
}

/// A `GoAuth` whose keys were fetched within `first`, which nobody drives afterwards.
fn fetched_in(first: &Runtime, go: &Simulator) -> GoAuth {
    let builder = builder_for(go)
        .configure(|it| it.refresh_interval = secs(20))
        .configure(|it| it.max_stale = secs(40));
    let auth = builder.build().expect("a good configuration");
    first.block_on(auth.ready()).expect("GO is well");
    auth
}

/// So much time passes at once, on this runtime and for whoever reads its clock.
async fn passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[test]
fn keys_are_refreshed_from_another_runtime() {
    let (_server, go) = go();
    let first = passive_runtime();
    let auth = fetched_in(&first, &go);
    passive_runtime().block_on(async {
        assert_eq!(verdict(&auth, &go.token()).await, "ok");
        // Refreshes were due, and did not come.
        passes(secs(31)).await;
        assert_eq!(go.fetches(), 1);
        auth.health();
        eventually("another task fetches", || go.fetches() > 1).await;
        eventually("it publishes", || auth.health().state().as_str() == "fresh").await;
        assert_eq!(verdict(&auth, &go.token()).await, "ok");
        let before = go.fetches();
        soon(auth.refresh()).await.expect("GO is well");
        assert_eq!(go.fetches(), before + 1);
    });
    // Driven again, the first task finds that it was replaced.
    let before = go.fetches();
    first.block_on(settle());
    assert_eq!(go.fetches(), before);
    drop(first);
    assert!(auth.health().is_ready());
}

#[test]
fn requests_notice_a_stuck_task_and_are_served() {
    let (_server, go) = go();
    let first = passive_runtime();
    let auth = fetched_in(&first, &go);
    go.rotate();
    passive_runtime().block_on(async {
        passes(secs(11)).await;
        // The first asks a task that is stuck.
        let error = soon(auth.verify(&go.token())).await.expect_err("not yet");
        assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
        passes(secs(20)).await;
        assert_eq!(verdict(&auth, &go.token()).await, "ok");
    });
}

#[test]
fn frequent_probes_do_not_hide_a_stuck_task() {
    let (_server, go) = go();
    let auth = builder_for(&go).build().expect("a good configuration");
    let first = passive_runtime();
    // Starts the task there, where it is never polled.
    let entered = first.enter();
    assert!(!auth.health().is_ready());
    drop(entered);
    passive_runtime().block_on(async {
        for _ in 0..4 {
            passes(secs(4)).await;
            let _ = auth.health();
        }
        eventually("another task fetches", || auth.health().is_ready()).await;
    });
}

const OLD: &str = "53ac077700000000000000000000abcd";
const NEW: &str = "be11e5e100000000000000000000abcd";

/// A file with one Access Token, and its watch.
struct Watched {
    file: TokenFile,
    tokens: AccessTokenSource,
    own: Api,
}

impl Watched {
    fn new() -> Self {
        let own = Api::new("own").expect("a name");
        let file = TokenFile::of(entry(&own, OLD, now()));
        let tokens = AccessTokenSource::file(file.path(), Arc::new(file.clock.clone()));
        Self {
            tokens: tokens.expect("a good file"),
            own,
            file,
        }
    }

    fn write(&self, token: &str) {
        self.file.write(entry(&self.own, token, now()));
    }

    fn accepts_the_old(&self) -> bool {
        self.tokens.check(OLD, &self.own).is_ok()
    }
}

#[test]
fn access_tokens_are_watched_from_elsewhere() {
    let watched = Watched::new();
    let first = passive_runtime();
    first.block_on(async {
        assert!(watched.accepts_the_old());
        settle().await;
    });
    watched.write(NEW);
    passive_runtime().block_on(async {
        passes(secs(31)).await;
        watched.file.clock.advance(secs(31));
        // The next caller causes the file to be read again.
        eventually("it is taken out", || !watched.accepts_the_old()).await;
    });
}

#[test]
fn a_stuck_read_of_the_file_blocks_no_other() {
    let watched = Watched::new();
    let first = passive_runtime();
    // The watch begins to read while this reload does, and is left in the middle.
    let reloaded = first.block_on(watched.tokens.reload());
    reloaded.expect("a good file");
    watched.write(NEW);
    passive_runtime().block_on(async {
        soon(watched.tokens.reload()).await.expect("a good file");
        assert!(!watched.accepts_the_old());
    });
}

#[test]
fn a_gateway_gets_its_token_from_elsewhere() {
    let (_server, go) = go();
    let client = go.client();
    let gateway = Gateway::builder()
        .token_url(go.token_url())
        .api(go.gateway_url())
        .credentials(ClientPair::new(client.client_id, client.client_secret))
        .build()
        .expect("good settings");
    let first = passive_runtime();
    go.fail_next_at(Endpoint::Token, 1, Fault::Status(500));
    first.block_on(gateway.ready()).expect_err("it fails once");
    passive_runtime().block_on(async {
        passes(secs(80)).await;
        soon(gateway.ready()).await.expect("another task fetches");
    });
}
