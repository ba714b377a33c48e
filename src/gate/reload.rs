//! Other settings, in place of those at work: once they are good and there are keys,
//! or not at all.
//!
//! The successor goes on with the keys that the one at work has fetched, where issuer
//! and key address stay the same: what was withdrawn meanwhile does not come back from
//! an old snapshot, and an outage of the key address is no reason to refuse settings
//! that leave it as it is. It fetches at once all the same.
//!
//! Two handles exist for a moment, the one at work and its successor, and may name
//! the same file for a snapshot. That harms neither: each replaces the file as a
//! whole, by what was fetched last, and believes only a file of its own issuer and
//! key address. Where these change and the file does not, the one at work may write
//! its own once more; the successor does not believe that, and replaces it with its
//! next fetch.

use std::time::Duration;

use super::events;
use super::live::Live;
use super::metrics::{self, ReloadResult};
use super::settings::Settings;
use super::shared::Shared;
use crate::config::ConfigError;
use crate::go_auth::GoAuth;
use crate::keys::KeysError;

/// How long reading the settings may take: they are some hundred bytes, and a disk
/// that hangs is to be told of.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Why the settings stay as they were.
#[derive(Debug)]
struct Refused(Vec<String>);

/// Changes nothing but by its success. Requests in flight end by the old settings.
pub(super) async fn reload(shared: &Shared, settings: &Settings) {
    let at_work = shared.live().auth().clone();
    let result = match successor(settings, at_work).await {
        Ok(live) => {
            shared.replace(live);
            events::settings_reloaded();
            ReloadResult::Done
        }
        Err(Refused(faults)) => {
            events::settings_refused(&faults);
            ReloadResult::Refused
        }
    };
    metrics::reloaded(result);
}

async fn successor(settings: &Settings, at_work: GoAuth) -> Result<Live, Refused> {
    let live = built(settings.clone(), at_work).await?;
    // It takes two fetches at the longest.
    match live.auth().ready().await {
        Ok(()) => Ok(live),
        Err(error) => Err(Refused(without_keys(&live, &error))),
    }
}

async fn built(settings: Settings, at_work: GoAuth) -> Result<Live, Refused> {
    let read = tokio::task::spawn_blocking(move || Live::read(&settings, Some(&at_work)));
    let one = |wrong: &str| Refused(vec![wrong.to_owned()]);
    match tokio::time::timeout(READ_WAIT, read).await {
        Ok(Ok(outcome)) => Ok(outcome?),
        Ok(Err(_)) => Err(one("reading them was stopped")),
        Err(_) => Err(one("reading them took more than 5s")),
    }
}

/// Every issuer whose keys can't be had.
fn without_keys(live: &Live, first: &KeysError) -> Vec<String> {
    let health = live.auth().health();
    let failed = health.issuers.iter().filter_map(|issuer| {
        let error = issuer.state.last_error()?;
        Some(format!("the keys of {}: {error}", issuer.issuer))
    });
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() {
        // Fetched after all, since then.
        return vec![format!("the keys of {}: {}", first.issuer, first.source)];
    }
    failed
}

impl From<ConfigError> for Refused {
    fn from(error: ConfigError) -> Self {
        Self(error.faults().map(str::to_owned).collect())
    }
}
