//! Events but those of single requests.
//!
//! A `kid` here is one of a document that the issuer publishes, never of a token.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use tracing::Span;

use super::metrics::{Refresh, key_refresh};
use super::{ACCESS_TOKENS, CONFIG, KEYS, OUTBOUND, REQUEST};
use crate::clock::UnixTime;
use crate::jwks::KeySet;

const DAY: u64 = 24 * 60 * 60;

/// A handler asks for what no layer has put there; `advice` says what to do.
#[cfg(feature = "axum")]
pub(crate) fn no_layer(advice: &'static str) {
    tracing::error!(target: REQUEST, "{advice}");
}

/// Around a request's wait for the keys of this issuer.
pub(crate) fn wait_for_keys(issuer: &str) -> Span {
    tracing::info_span!(target: REQUEST, "wait_for_keys", issuer)
}

pub(crate) fn keys_refreshed(issuer: &str, previous: &KeySet, current: &KeySet) {
    key_refresh(
        issuer,
        if current.same_as(previous) {
            Refresh::Unchanged
        } else {
            Refresh::Changed
        },
    );
    keys_taken(issuer, previous, current);
}

pub(crate) fn keys_restored(issuer: &str, age: Duration, previous: &KeySet, current: &KeySet) {
    tracing::info!(
        target: KEYS,
        issuer,
        age_seconds = age.as_secs(),
        "keys restored from their snapshot"
    );
    keys_taken(issuer, previous, current);
}

fn keys_taken(issuer: &str, previous: &KeySet, current: &KeySet) {
    if current.same_as(previous) {
        tracing::debug!(target: KEYS, issuer, keys = current.len(), "keys refreshed");
        return;
    }
    let kids: Vec<_> = current.keys().map(|(kid, _)| kid).collect();
    tracing::info!(target: KEYS, issuer, keys = kids.len(), ?kids, "keys changed");
    for skipped in current.skipped() {
        tracing::warn!(
            target: KEYS,
            issuer,
            kid = ?skipped.kid(),
            reason = %skipped.reason(),
            "key skipped"
        );
    }
}

pub(crate) fn keys_fetch_failed(issuer: &str, error: &dyn Error) {
    key_refresh(issuer, Refresh::Failed);
    tracing::warn!(target: KEYS, issuer, %error, "keys could not be fetched");
}

pub(crate) fn snapshot_not_used(issuer: &str, error: &dyn Error) {
    tracing::warn!(target: KEYS, issuer, %error, "the snapshot of the keys was not used");
}

pub(crate) fn snapshot_not_written(issuer: &str, error: &dyn Error) {
    tracing::warn!(target: KEYS, issuer, %error, "the snapshot of the keys could not be written");
}

pub(crate) fn keys_expired(issuer: &str) {
    tracing::error!(
        target: KEYS,
        issuer,
        "keys are past the maximum staleness and no longer used"
    );
}

/// A token for GO's gateway; `pair_moved`: by the pair that was to follow.
pub(crate) fn token_fetched(lifetime: Duration, pair_moved: bool) {
    let seconds = lifetime.as_secs();
    if pair_moved {
        tracing::info!(
            target: OUTBOUND,
            seconds,
            "GO's gateway gave a token to the next client pair"
        );
    } else {
        tracing::debug!(target: OUTBOUND, seconds, "GO's gateway gave a token");
    }
}

pub(crate) fn token_fetch_failed(error: &dyn Error) {
    tracing::warn!(target: OUTBOUND, %error, "no token could be had from GO's gateway");
}

pub(crate) fn next_pair_failed(error: &dyn Error) {
    tracing::warn!(
        target: OUTBOUND,
        %error,
        "the next client pair gave no token; the current one is tried"
    );
}

/// `endpoint`: its name, or which of a gateway's client pairs it is.
pub(crate) fn credential_expires(endpoint: &str, at: UnixTime, left: Duration) {
    let days_left = left.as_secs() / DAY;
    tracing::warn!(
        target: OUTBOUND,
        endpoint,
        expires_at = %at,
        days_left,
        "a credential for GO expires soon"
    );
}

pub(crate) fn credential_expired(endpoint: &str, at: UnixTime) {
    tracing::error!(
        target: OUTBOUND,
        endpoint,
        expires_at = %at,
        "a credential for GO has expired"
    );
}

/// By `danger_allow_writable_files`.
pub(crate) fn writable_files_allowed() {
    tracing::warn!(
        target: CONFIG,
        "danger_allow_writable_files is set: whoever can write the settings, the access tokens or \
         the snapshot decides who may call the API"
    );
}

pub(crate) fn access_tokens_read<'a>(file: &Path, apis: impl Iterator<Item = &'a str>) {
    let apis: Vec<_> = apis.collect();
    tracing::info!(target: ACCESS_TOKENS, ?file, ?apis, "access tokens read");
}

/// What was in use before stays in use.
pub(crate) fn access_tokens_not_read(file: &Path, faults: impl Iterator<Item = String>) {
    let faults: Vec<_> = faults.collect();
    tracing::error!(
        target: ACCESS_TOKENS,
        ?file,
        ?faults,
        "the access tokens can't be used; the last good ones stay"
    );
}

/// Some of those in use are refused from now on, by a file that can't be used itself.
pub(crate) fn access_tokens_revoked(file: &Path) {
    tracing::warn!(
        target: ACCESS_TOKENS,
        ?file,
        "access tokens revoked, though the rest of their file can't be used"
    );
}

/// `line`: of its file, where it is in one.
pub(crate) fn access_token_ahead(api: &str, line: Option<usize>, issued: UnixTime) {
    tracing::warn!(
        target: ACCESS_TOKENS,
        api,
        line,
        %issued,
        "an access token is dated more than 24 h ahead and refused until then: set this machine's \
         clock, or correct the date"
    );
}

pub(crate) fn access_token_expires(api: &str, expires_at: UnixTime, left: Duration) {
    if left.is_zero() {
        tracing::error!(
            target: ACCESS_TOKENS,
            api,
            %expires_at,
            "the access token has expired: GO is refused until there is another"
        );
        return;
    }
    let days_left = left.as_secs().div_ceil(DAY);
    tracing::warn!(
        target: ACCESS_TOKENS,
        api,
        %expires_at,
        days_left,
        "the access token expires: generate another in GO Console"
    );
}
