//! Whatever the application's subscriber and recorder do, no verdict, no fetch and no state changes:
//! they panic at each call, call back, or block, and all is as with silent ones.
//!
//! A process of its own: a subscriber that blocks keeps the thread that emits events.

#![allow(clippy::expect_used)]

mod foreign;
mod history;

use std::sync::Arc;
use std::time::Duration;

use derbysoft_go_auth::access_token::AccessTokenSource;
use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use derbysoft_go_auth::outbound::{ClientPair, Gateway};
use derbysoft_go_simulator::{Fault, GatewayFailure, Mint};
use proptest::test_runner::{Config, TestRunner};

use test_support::{World, clock, distributor, go_with};

use self::foreign::{MANNERS, Manner, hush, with_foreign};
use self::history::{Step, histories, play};

/// Patient with foreign code that blocks.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}

#[test]
fn whatever_foreign_code_does_nothing_else_changes() {
    hush();
    a_broken_log_keeps_no_withdrawn_key();
    a_broken_log_repeats_no_refused_pair();
    a_broken_log_keeps_no_removed_access_token();
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let compared = |history: Vec<Step>| {
        let silent = with_foreign(Manner::Silent, async |foreign| {
            play(foreign, &history).await
        });
        for manner in MANNERS {
            let shown = with_foreign(manner, async |foreign| play(foreign, &history).await);
            assert_eq!(shown, silent, "{manner:?}");
        }
        Ok(())
    };
    if let Err(error) = runner.run(&histories(), compared) {
        panic!("{error}");
    }
}

/// GO rotates while each log line panics: the new key counts, and the old one no longer.
fn a_broken_log_keeps_no_withdrawn_key() {
    for manner in MANNERS {
        with_foreign(manner, async |foreign| {
            let world = World::new().await;
            let auth = world.auth();
            let World { go, clock } = world;
            foreign.of(&auth);
            let lasting = |mint: Mint| mint.expires_in(90_000).token();
            soon(auth.ready()).await.expect("GO is well");
            let old = lasting(go.mint());
            soon(auth.verify(&old)).await.expect("genuine");
            go.rotate();
            go.retire_all_but_current();
            let new = lasting(go.mint());
            clock.advance(Duration::from_secs(270));
            soon(go.wait_for_fetches(2)).await;
            // The refresh has ended when the new key counts.
            for _ in 0..1000 {
                if auth.health().issuers[0].keys == 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            soon(auth.verify(&new)).await.expect("genuine");
            soon(auth.verify(&old)).await.expect_err("withdrawn");
            assert_eq!(auth.health().state().as_str(), "fresh");

            // Past `max_stale` nothing serves, and nothing panics in a `Drop`.
            go.fail(Fault::Cut);
            clock.advance(Duration::from_secs(86_400));
            soon(auth.verify(&new)).await.expect_err("past the bound");
            let before = go.fetches();
            for _ in 0..100 {
                soon(auth.verify(&new)).await.expect_err("past the bound");
            }
            assert_eq!(go.fetches(), before, "{manner:?}");
        });
    }
}

/// The gateway refuses the client pair: it is sent once, not with each call.
fn a_broken_log_repeats_no_refused_pair() {
    for manner in MANNERS {
        with_foreign(manner, async |_| {
            let clock = clock();
            let go = go_with(&clock).await;
            go.refuse_tokens(Some(GatewayFailure::ALL[5]));
            let client = go.client();
            let issued = clock
                .now()
                .saturating_sub(Duration::from_secs(179 * 86_400));
            let pair = ClientPair::new(client.client_id, client.client_secret);
            let gateway = Gateway::builder()
                .token_url(go.token_url())
                .api(go.gateway_url())
                .credentials(pair.issued_at(issued))
                .clock(clock)
                .build()
                .expect("good settings");
            for _ in 0..100 {
                soon(gateway.ready()).await.expect_err("refused");
                let _ = gateway.health();
            }
            assert_eq!(go.token_fetches(), 1, "{manner:?}");
        });
    }
}

/// A token is removed from the file: it is rejected, whatever happens to the line that says so.
fn a_broken_log_keeps_no_removed_access_token() {
    const KEPT: &str = "53ac077700000000000000000000abcd";
    const GONE: &str = "be11e5e100000000000000000000abcd";
    let clock = ManualClock::new(UnixTime::from_secs(1_795_000_000));
    let [own, other] = ["own", "other"].map(|name| Api::new(name).expect("a name"));
    let entry = |api: &Api, token: &str| distributor::entry(api, token, clock.now());
    for manner in MANNERS {
        with_foreign(manner, async |_| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            let both = entry(&own, KEPT) + &entry(&other, GONE);
            std::fs::write(file.path(), both).expect("written");
            let clock = Arc::new(clock.clone());
            let tokens = AccessTokenSource::file(file.path(), clock).expect("a good file");
            tokens.check(GONE, &other).expect("in the file");
            std::fs::write(file.path(), entry(&own, KEPT)).expect("written");
            soon(tokens.reload()).await.expect("a good file");
            tokens.check(GONE, &other).expect_err("removed");
            std::fs::write(file.path(), "nonsense").expect("written");
            soon(tokens.reload()).await.expect_err("a bad file");
            assert!(tokens.health().file.expect("a file").last_error.is_some());
        });
    }
}
