//! Every event that this crate reports, in one place.
//!
//! Nothing of a token is ever part of an event but, at debug level, the `sub`
//! and `jti` of one that was verified.

use std::error::Error;
use std::time::Duration;

use crate::jwks::KeySet;
use crate::verifier::Verified;

pub(crate) fn accepted(verified: &Verified) {
    tracing::debug!(
        subject = verified.subject(),
        token_id = verified.token_id(),
        kid = verified.key_id(),
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
