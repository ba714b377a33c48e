//! New settings in place of those in use: once they are good and there are keys, or not
//! at all.
//!
//! The successor goes on with the keys that its predecessor has fetched, where issuer
//! and key address stay the same: what was withdrawn meanwhile does not come back from
//! an old snapshot, and an outage of the key address is no reason to refuse settings
//! that leave it as it is. It fetches at once all the same.
//!
//! Two handles exist for a moment, predecessor and successor, and may name
//! the same file for a snapshot. That harms neither: each replaces the file as a
//! whole, by what was fetched last, and believes only a file of its own issuer and
//! key address. Where these change and the file does not, the predecessor may write
//! its own once more; the successor does not believe that, and replaces it with its
//! next fetch.

use std::sync::Arc;
use std::time::Duration;

use super::events;
use super::live::Live;
use super::metrics::{self, Reload};
use super::settings::Settings;
use super::shared::Shared;
use crate::process::in_thread;
use derbysoft_go_auth::inspect::{distrust_meanwhile, take_over, union};
use derbysoft_go_auth::keys::{FetchError, IssuerHealth, KeysError};

/// How long reading the settings may take: they are some hundred bytes, and a disk that
/// hangs has to be reported.
const READ_WAIT: Duration = Duration::from_secs(5);

/// A refused reload changes at most this: keys that settings without a fault distrust are
/// distrusted at once, and the file of Access Tokens, which is watched anyway, has been
/// read. Requests in flight end with the old settings.
pub(super) async fn reload(shared: &Shared) {
    let predecessor = shared.live.load_full();
    let result = match successor(shared.settings.clone(), &predecessor).await {
        Ok(live) => {
            // What was learnt while it waited for keys.
            take_over(&live.auth, &predecessor.auth);
            let live = Arc::new(live);
            shared.live.store(Arc::clone(&live));
            // And what was learnt until the last request used its predecessor.
            take_over(&live.auth, &predecessor.auth);
            shared.exposition.last_reload(Reload::Done);
            events::settings_reloaded();
            Reload::Done
        }
        Err(faults) => {
            shared.exposition.last_reload(Reload::Refused);
            events::settings_refused(&faults);
            Reload::Refused
        }
    };
    metrics::reloaded(result);
}

/// The error: why the settings stay as they were.
async fn successor(settings: Settings, predecessor: &Live) -> Result<Live, Vec<String>> {
    let auth = predecessor.auth.clone();
    let read = in_thread(move || Live::read(&settings, Some(&auth)));
    let live = match tokio::time::timeout(READ_WAIT, read).await {
        Ok(Ok(Ok(live))) => live,
        Ok(Ok(Err(error))) => return Err(error.faults().map(str::to_owned).collect()),
        Ok(Err(error)) => return Err(vec![format!("reading the settings was stopped: {error}")]),
        Err(_) => return Err(vec!["reading the settings took more than 5s".to_owned()]),
    };
    // Whatever becomes of the rest: this can't wait for keys that can't be had.
    let distrusted = union(&live.distrusted, &predecessor.distrusted);
    distrust_meanwhile(&predecessor.auth, &distrusted);
    // It takes two fetches at the longest.
    let lost = match live.auth.ready().await {
        Ok(()) => Vec::new(),
        Err(error) => without_keys(&live, predecessor, &error),
    };
    if !lost.is_empty() {
        return Err(lost);
    }
    // Also what was revoked while it waited.
    let access_tokens = live.auth.reload_access_tokens();
    let wrong: Vec<_> = match tokio::time::timeout(READ_WAIT, access_tokens).await {
        Ok(Ok(())) => return Ok(live),
        Ok(Err(error)) => error.faults().map(ToString::to_string).collect(),
        Err(_) => vec!["reading the file took more than 5s".to_owned()],
    };
    let named = wrong.iter().map(|wrong| format!("access_tokens: {wrong}"));
    Err(named.collect())
}

/// Every issuer whose keys are unavailable, but for those that have none now either, and
/// those whose keys are all distrusted, as the settings want.
fn without_keys(live: &Live, predecessor: &Live, first: &KeysError) -> Vec<String> {
    let now = predecessor.auth.health();
    let has_none = |issuer: &IssuerHealth| {
        let mut known = now.issuers.iter();
        known.any(|known| known.issuer == issuer.issuer && known.keys == 0)
    };
    let health = live.auth.health();
    let empty = health.issuers.iter().filter(|issuer| issuer.keys == 0);
    let lost = empty.filter(|issuer| {
        let is_wanted = matches!(issuer.state.last_error(), Some(FetchError::Distrusted));
        !is_wanted && !has_none(issuer)
    });
    lost.map(|issuer| {
        let error = issuer.state.last_error().unwrap_or(&first.source);
        format!("the keys of {}: {error}", issuer.issuer)
    })
    .collect()
}
