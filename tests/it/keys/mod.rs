//! Keys: how they are read, fetched, refreshed and withdrawn, and what becomes of requests while GO,
//! the network, the disk or the clock fails. The rules are those of `docs/operations.md`.

mod cancellation;
mod clocks;
mod cold_start;
mod discovery;
mod documents;
mod failed_fetches;
mod fetching;
mod lifecycle;
mod order;
mod outage;
mod pending;
pub(crate) mod published_keys;
mod refresh;
mod revocation;
mod rotation;
mod served_documents;
mod several_issuers;
mod snapshot;
mod snapshot_file;
mod staleness;
mod storms;
mod transport;
mod undriven;
mod untidy_servers;
mod withdrawn;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_auth::GoAuth;
use tokio::task::JoinSet;

use test_support::{soon, verdict};

/// What a readiness check says, derived as `docs/operations.md` says.
fn readyz(auth: &GoAuth) -> u16 {
    if auth.health().is_ready() { 200 } else { 503 }
}

/// Verifies each token in a task of its own.
fn crowd(auth: &GoAuth, tokens: impl IntoIterator<Item = String>) -> JoinSet<&'static str> {
    let mut crowd = JoinSet::new();
    for token in tokens {
        let auth = auth.clone();
        crowd.spawn(async move { verdict(&auth, &token).await });
    }
    crowd
}

/// Waits for all of a crowd, which must agree, and says on what.
async fn agreed(crowd: JoinSet<&'static str>) -> &'static str {
    let mut verdicts = soon(crowd.join_all()).await;
    verdicts.sort_unstable();
    verdicts.dedup();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts[0]
}

/// The token under another `kid`, without the work of signing it anew.
fn renamed(token: &str, kid: &str) -> String {
    let (_, rest) = token.split_once('.').expect("three segments");
    let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{kid}"}}"#);
    format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header))
}

/// As many tokens under as many invented names.
fn invented(token: &str, names: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    names.map(move |n| renamed(token, &format!("invented-{n}")))
}
