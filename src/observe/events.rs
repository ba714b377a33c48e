//! All events except those of single requests, each emitted by [the log's
//! thread](super::foreign).
//!
//! A `kid` here comes from a document that the issuer publishes, never from a token.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::metrics::{Refresh, key_refresh, key_refresh_failed_later};
use super::{ACCESS_TOKENS, CONFIG, KEYS, OUTBOUND, REQUEST, foreign};
use crate::clock::UnixTime;
use crate::credential_lifetime::Notice;

/// Has the log's thread emit an event.
macro_rules! line {
    ($level:ident, $target:ident, $($event:tt)+) => {
        foreign::line(move || tracing::$level!(target: $target, $($event)+))
    };
}

/// A handler asks for what no layer has provided; `advice` says what to do.
#[cfg(feature = "axum")]
pub(crate) fn no_layer(advice: &'static str) {
    foreign::line_here(move || tracing::error!(target: REQUEST, "{advice}"));
}

/// A request waited for an issuer's keys. Emitted in place, like all debug events of
/// single requests.
pub(crate) fn waited_for_keys(issuer: &str, waited: Duration) {
    foreign::call(|| {
        let milliseconds = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(target: REQUEST, issuer, milliseconds, "request waited for keys");
    });
}

/// The token is the issuer's own; `mismatch`: the claim, what is expected of it, and what
/// it says, all safe to display. Emitted in place.
pub(crate) fn claim_rejected(
    issuer: &str,
    kind: &'static str,
    mismatch: impl FnOnce() -> Option<(&'static str, String, String)>,
) {
    if Level::DEBUG > LevelFilter::current() {
        return;
    }
    foreign::call(|| {
        if tracing::enabled!(target: REQUEST, Level::DEBUG)
            && let Some((claim, expected, found)) = mismatch()
        {
            tracing::debug!(target: REQUEST, issuer, kind, claim, %expected, %found, "claim rejected");
        }
    });
}

/// The keys that a fetch, or the snapshot, gave an issuer.
pub(crate) enum KeysTaken {
    Unchanged {
        keys: usize,
    },
    Changed {
        kids: Vec<String>,
        /// The `kid`, if it can be read, and why the key can't be used.
        skipped: Vec<(Option<String>, String)>,
    },
}

/// A fetch of an issuer's keys has ended, and its result is published.
pub(crate) fn keys_refreshed(issuer: &str, taken: KeysTaken) {
    key_refresh(
        issuer,
        match taken {
            KeysTaken::Unchanged { .. } => Refresh::Unchanged,
            KeysTaken::Changed { .. } => Refresh::Changed,
        },
    );
    keys_taken(issuer, taken);
}

pub(crate) fn keys_restored(issuer: &str, age: Duration, taken: KeysTaken) {
    let (of, age_seconds) = (issuer.to_owned(), age.as_secs());
    line!(
        info,
        KEYS,
        issuer = of,
        age_seconds,
        "keys restored from their snapshot"
    );
    keys_taken(issuer, taken);
}

fn keys_taken(issuer: &str, taken: KeysTaken) {
    let issuer = issuer.to_owned();
    foreign::line(move || match taken {
        KeysTaken::Unchanged { keys } => {
            tracing::debug!(target: KEYS, issuer, keys, "keys refreshed");
        }
        KeysTaken::Changed { kids, skipped } => {
            tracing::info!(target: KEYS, issuer, keys = kids.len(), ?kids, "keys changed");
            for (kid, reason) in skipped {
                tracing::warn!(target: KEYS, issuer, ?kid, %reason, "key skipped");
            }
        }
    });
}

/// The fetch counts as ended, and its failure is shown in the health.
pub(crate) fn keys_fetch_failed(issuer: &str, error: &dyn Error) {
    key_refresh(issuer, Refresh::Failed);
    keys_not_fetched(issuer, error);
}

/// The same for a file whose last reading failed in the same way, which was logged.
pub(crate) fn key_file_still_bad(issuer: &str) {
    key_refresh(issuer, Refresh::Failed);
}

/// The same for a fetch that ended with its task. It calls no foreign code itself.
pub(crate) fn keys_fetch_stopped(issuer: &str, error: &dyn Error) {
    key_refresh_failed_later(issuer);
    keys_not_fetched(issuer, error);
}

fn keys_not_fetched(issuer: &str, error: &dyn Error) {
    let (issuer, error) = (issuer.to_owned(), error.to_string());
    line!(warn, KEYS, issuer, %error, "keys could not be fetched");
}

pub(crate) fn snapshot_not_used(issuer: &str, error: &dyn Error) {
    let (issuer, error) = (issuer.to_owned(), error.to_string());
    line!(warn, KEYS, issuer, %error, "the snapshot of the keys was not used");
}

pub(crate) fn snapshot_not_written(issuer: &str, error: &dyn Error) {
    let (issuer, error) = (issuer.to_owned(), error.to_string());
    line!(warn, KEYS, issuer, %error, "the snapshot of the keys could not be written");
}

pub(crate) fn keys_expired(issuer: &str) {
    let issuer = issuer.to_owned();
    line!(
        error,
        KEYS,
        issuer,
        "keys are past the maximum staleness and no longer used"
    );
}

/// A token for GO's gateway; `pair_moved`: fetched with the next pair.
pub(crate) fn token_fetched(lifetime: Duration, pair_moved: bool) {
    let seconds = lifetime.as_secs();
    if pair_moved {
        line!(
            info,
            OUTBOUND,
            seconds,
            "GO's gateway gave a token to the next client pair"
        );
    } else {
        line!(debug, OUTBOUND, seconds, "GO's gateway gave a token");
    }
}

pub(crate) fn token_fetch_failed(error: &dyn Error) {
    let error = error.to_string();
    line!(warn, OUTBOUND, %error, "no token could be had from GO's gateway");
}

pub(crate) fn next_pair_failed(error: &dyn Error) {
    let error = error.to_string();
    line!(
        warn, OUTBOUND, %error,
        "the next client pair gave no token; the current one is tried"
    );
}

/// `endpoint`: its name, or which of a gateway's client pairs it is.
pub(crate) fn credential_expires(endpoint: &str, Notice { expires_at, left }: Notice) {
    let endpoint = endpoint.to_owned();
    if left.is_zero() {
        line!(error, OUTBOUND, endpoint, %expires_at, "a credential for GO has expired");
    } else {
        let days_left = days(left);
        line!(
            warn, OUTBOUND, endpoint, %expires_at, days_left,
            "a credential for GO expires soon"
        );
    }
}

/// Days rounded up, so that less than one is not 0.
fn days(left: Duration) -> u64 {
    left.as_secs().div_ceil(24 * 60 * 60)
}

/// What a handle accepts from one issuer.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    /// Where its keys come from.
    pub(crate) keys: String,
    pub(crate) environment: Option<String>,
    /// How rejected requests are answered.
    pub(crate) on_failure: &'static str,
    /// Which settings were read where; `None` if all are from code.
    pub(crate) settings: Option<String>,
}

/// A handle was built.
pub(crate) fn trusted(trust: Trust) {
    foreign::line(move || {
        let Trust {
            issuer,
            audience,
            keys,
            environment,
            on_failure,
            settings,
        } = trust;
        tracing::info!(
            target: CONFIG, issuer, ?audience, keys, environment, on_failure, settings,
            "tokens of this issuer are accepted"
        );
    });
}

/// For `danger_allow_writable_files`.
pub(crate) fn writable_files_allowed() {
    line!(
        warn,
        CONFIG,
        "danger_allow_writable_files is set: whoever can write the settings, the access \
         tokens, the key file or the snapshot decides who may call the API"
    );
}

/// For `danger_allow_http`, where it makes a difference.
pub(crate) fn plain_http_allowed() {
    line!(
        warn,
        CONFIG,
        "danger_allow_http is set, and keys are fetched from another machine over plain http: \
         anyone on the way can have any token accepted"
    );
}

/// Where the settings serve no single environment.
pub(crate) fn environments_mixed() {
    line!(
        warn,
        CONFIG,
        "issuers of several environments are trusted, since environment is not set"
    );
}

pub(crate) fn access_tokens_read<'a>(file: &Path, apis: impl Iterator<Item = &'a str>) {
    let apis: Vec<_> = apis.map(str::to_owned).collect();
    let file = file.to_owned();
    line!(info, ACCESS_TOKENS, ?file, ?apis, "access tokens read");
}

/// The tokens read before stay in use.
pub(crate) fn access_tokens_not_read(file: &Path, faults: impl Iterator<Item = String>) {
    let (file, faults) = (file.to_owned(), faults.collect::<Vec<_>>());
    line!(
        error,
        ACCESS_TOKENS,
        ?file,
        ?faults,
        "the access tokens can't be used; the last good ones stay"
    );
}

/// Some of the tokens in use are rejected from now on, because of a file that is unusable
/// itself.
pub(crate) fn access_tokens_revoked(file: &Path) {
    let file = file.to_owned();
    line!(
        warn,
        ACCESS_TOKENS,
        ?file,
        "access tokens revoked, though the rest of their file can't be used"
    );
}

/// `line`: its line, if it came from a file.
pub(crate) fn access_token_ahead(api: &str, line: Option<usize>, issued: UnixTime) {
    let api = api.to_owned();
    line!(
        warn, ACCESS_TOKENS, api, line, %issued,
        "an access token is dated more than 24 h ahead and refused until then: set this \
         machine's clock, or correct the date"
    );
}

pub(crate) fn access_token_expires(api: &str, Notice { expires_at, left }: Notice) {
    let api = api.to_owned();
    if left.is_zero() {
        line!(
            error, ACCESS_TOKENS, api, %expires_at,
            "the access token has expired: GO is refused until there is another"
        );
    } else {
        let days_left = days(left);
        line!(
            warn, ACCESS_TOKENS, api, %expires_at, days_left,
            "the access token expires: generate another in GO Console"
        );
    }
}
