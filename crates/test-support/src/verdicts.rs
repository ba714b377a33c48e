//! What a `GoAuth` makes of tokens, and what is known of its keys.

use std::task::Poll;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_auth::authenticate::VerifyError;
use derbysoft_go_auth::keys::{FetchError, KeysState};
use derbysoft_go_auth::{GoAuth, Verified};
use tokio::task::{JoinHandle, JoinSet};

use crate::{at_once, soon};

/// The stable name of a token's verdict; `ok` where it is accepted.
pub async fn verdict(auth: &GoAuth, token: &str) -> &'static str {
    match soon(auth.verify(token)).await {
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}

/// Whether the token is accepted without any wait.
pub fn passes(auth: &GoAuth, token: &str) -> bool {
    matches!(at_once(auth.verify(token)), Poll::Ready(Ok(_)))
}

/// Verifies often enough for the verdict to be cached; no wait is allowed.
#[track_caller]
pub fn remember(auth: &GoAuth, token: &str) {
    for _ in 0..4 {
        assert!(passes(auth, token), "not accepted at once");
    }
}

/// Verifies in a task of its own.
pub fn verifying(auth: &GoAuth, token: &str) -> JoinHandle<Result<Verified, VerifyError>> {
    let (auth, token) = (auth.clone(), token.to_owned());
    tokio::spawn(async move { auth.verify(&token).await })
}

/// Verifies each token in a task of its own.
pub fn crowd(auth: &GoAuth, tokens: impl IntoIterator<Item = String>) -> JoinSet<&'static str> {
    let mut crowd = JoinSet::new();
    for token in tokens {
        let auth = auth.clone();
        crowd.spawn(async move { verdict(&auth, &token).await });
    }
    crowd
}

/// The one verdict on all tokens of a [`crowd`].
pub async fn agreed(crowd: JoinSet<&'static str>) -> &'static str {
    let mut verdicts = soon(crowd.join_all()).await;
    verdicts.sort_unstable();
    verdicts.dedup();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts[0]
}

/// The token under as many invented `kid`s, without the work of signing it anew.
pub fn invented(token: &str, names: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    let (_, rest) = token.split_once('.').expect("three segments");
    names.map(move |n| {
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"invented-{n}"}}"#);
        format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header))
    })
}

/// Makes sure that there are keys; otherwise, what the fetch failed with.
pub async fn ready(auth: &GoAuth) -> Result<(), FetchError> {
    soon(auth.ready()).await.map_err(|error| error.source)
}

/// Fetches; otherwise, what the fetch failed with.
pub async fn refresh(auth: &GoAuth) -> Result<(), FetchError> {
    soon(auth.refresh()).await.map_err(|error| error.source)
}

/// Is ready, or fails, in a task of its own.
pub fn readying(auth: &GoAuth) -> JoinHandle<Result<(), FetchError>> {
    let auth = auth.clone();
    tokio::spawn(async move { ready(&auth).await })
}

/// Fetches in a task of its own.
pub fn refreshing(auth: &GoAuth) -> JoinHandle<Result<(), FetchError>> {
    let auth = auth.clone();
    tokio::spawn(async move { refresh(&auth).await })
}

/// The state of the only issuer's keys.
pub fn state(auth: &GoAuth) -> KeysState {
    auth.health().issuers.remove(0).state
}

/// How many of the only issuer's keys can verify.
pub fn keys(auth: &GoAuth) -> usize {
    auth.health().issuers[0].keys
}

/// The status of a readiness check, derived as `docs/guide/operations.md` says.
pub fn readyz(auth: &GoAuth) -> u16 {
    if auth.health().is_ready() { 200 } else { 503 }
}
