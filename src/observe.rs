//! Every event that this crate reports, in one place.
//!
//! Nothing of a token is ever part of an event but, at debug level, the `sub`
//! and `jti` of one that was verified.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use crate::clock::UnixTime;
use crate::jwks::KeySet;

/// A caller that was let in: the first three are a JWT's, `api` is an access
/// token's.
pub(crate) struct Caller<'c> {
    pub(crate) subject: Option<&'c str>,
    pub(crate) token_id: Option<&'c str>,
    pub(crate) kid: Option<&'c str>,
    pub(crate) api: Option<&'c str>,
}

/// Asks who the caller is only where somebody listens.
pub(crate) fn accepted<'c>(caller: impl Fn() -> Caller<'c>) {
    tracing::debug!(
        subject = caller().subject,
        token_id = caller().token_id,
        kid = caller().kid,
        api = caller().api,
        "request accepted"
    );
}

pub(crate) fn refused(kind: &'static str, status: u16) {
    tracing::debug!(kind, status, "request refused");
}

/// A request that would be refused was let through, as configured.
pub(crate) fn observed(kind: &'static str) {
    tracing::warn!(kind, "request let through unverified: observing only");
}

pub(crate) fn keys_fetched(issuer: &str, previous: &KeySet, current: &KeySet) {
    if current.same_as(previous) {
        tracing::debug!(issuer, keys = current.len(), "keys refreshed");
        return;
    }
    let kids: Vec<_> = current.keys().map(|(kid, _)| kid).collect();
    tracing::info!(issuer, keys = kids.len(), ?kids, "keys changed");
    for skipped in current.skipped() {
        tracing::warn!(issuer, kid = ?skipped.kid(), reason = %skipped.reason(), "key skipped");
    }
}

pub(crate) fn keys_fetch_failed(issuer: &str, error: &dyn Error) {
    tracing::warn!(issuer, %error, "keys could not be fetched");
}

pub(crate) fn keys_restored(issuer: &str, age: Duration) {
    tracing::info!(
        issuer,
        age_seconds = age.as_secs(),
        "keys restored from their snapshot"
    );
}

pub(crate) fn snapshot_not_used(issuer: &str, error: &dyn Error) {
    tracing::warn!(issuer, %error, "the snapshot of the keys was not used");
}

pub(crate) fn snapshot_not_written(issuer: &str, error: &dyn Error) {
    tracing::warn!(issuer, %error, "the snapshot of the keys could not be written");
}

pub(crate) fn keys_expired(issuer: &str) {
    tracing::error!(
        issuer,
        "keys are past the maximum staleness and no longer used"
    );
}

/// A token for GO's gateway; `pair_moved`: by the pair that was to follow.
pub(crate) fn token_fetched(lifetime: Duration, pair_moved: bool) {
    let seconds = lifetime.as_secs();
    if pair_moved {
        tracing::info!(seconds, "GO's gateway gave a token to the next client pair");
    } else {
        tracing::debug!(seconds, "GO's gateway gave a token");
    }
}

pub(crate) fn token_fetch_failed(error: &dyn Error) {
    tracing::warn!(%error, "no token could be had from GO's gateway");
}

pub(crate) fn next_pair_failed(error: &dyn Error) {
    tracing::warn!(%error, "the next client pair gave no token; the current one is tried");
}

/// `name`: an endpoint's, or which of a gateway's client pairs it is.
pub(crate) fn credential_expires(name: &str, at: UnixTime, left: Duration) {
    let days_left = left.as_secs() / (24 * 60 * 60);
    tracing::warn!(name, expires_at = %at, days_left, "a credential for GO expires soon");
}

pub(crate) fn credential_expired(name: &str, at: UnixTime) {
    tracing::error!(name, expired_at = %at, "a credential for GO has expired");
}

pub(crate) fn access_tokens_read<'a>(file: &Path, apis: impl Iterator<Item = &'a str>) {
    let apis: Vec<_> = apis.collect();
    tracing::info!(?file, ?apis, "access tokens read");
}

/// What was in use before stays in use.
pub(crate) fn access_tokens_not_read(file: &Path, faults: impl Iterator<Item = String>) {
    let faults: Vec<_> = faults.collect();
    tracing::error!(
        ?file,
        ?faults,
        "the access tokens can't be used; the last good ones stay"
    );
}

pub(crate) fn access_token_expires(api: &str, expires_at: UnixTime, left: Duration) {
    if left.is_zero() {
        tracing::error!(api, %expires_at, "the access token has expired: GO is refused until there is another");
        return;
    }
    let days_left = left.as_secs().div_ceil(24 * 60 * 60);
    tracing::warn!(api, %expires_at, days_left, "the access token expires: generate another in GO Console");
}
