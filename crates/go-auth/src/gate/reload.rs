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

use std::sync::Arc;
use std::time::Duration;

use super::events;
use super::live::Live;
use super::metrics::{self, ReloadResult};
use super::settings::Settings;
use super::shared::Shared;
use derbysoft_go_auth::ConfigError;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::inspect::{distrust_meanwhile, take_over, union};
use derbysoft_go_auth::{FetchError, IssuerHealth, KeysError};

/// How long reading the settings may take: they are some hundred bytes, and a disk
/// that hangs is to be told of.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Why the settings stay as they were.
#[derive(Debug)]
struct Refused(Vec<String>);

/// A refused reload changes at most one thing: the keys that settings without a fault
/// distrust are distrusted at once. Requests in flight end by the old settings.
pub(super) async fn reload(shared: &Shared, settings: &Settings) {
    let at_work = Arc::clone(&shared.live());
    let result = match successor(settings, &at_work).await {
        Ok(live) => {
            // What was learnt while it waited for keys.
            let access_tokens = live.auth().reload_access_tokens();
            let _ = tokio::time::timeout(READ_WAIT, access_tokens).await;
            take_over(live.auth(), at_work.auth());
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

async fn successor(settings: &Settings, at_work: &Live) -> Result<Live, Refused> {
    let live = built(settings.clone(), at_work.auth().clone()).await?;
    // Whatever becomes of the rest: this can't wait for keys that can't be had.
    let distrusted = union(live.distrusted(), at_work.distrusted());
    distrust_meanwhile(at_work.auth(), &distrusted);
    // It takes two fetches at the longest.
    let Err(error) = live.auth().ready().await else {
        return Ok(live);
    };
    let lost = without_keys(&live, at_work, &error);
    if lost.is_empty() {
        Ok(live)
    } else {
        Err(Refused(lost))
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

/// Every issuer whose keys can't be had, but for those that have none at work either,
/// and those whose keys are all distrusted, as is wanted.
fn without_keys(live: &Live, at_work: &Live, first: &KeysError) -> Vec<String> {
    let now = at_work.auth().health();
    let has_none = |issuer: &IssuerHealth| {
        let mut known = now.issuers.iter();
        known.any(|known| known.issuer == issuer.issuer && known.keys == 0)
    };
    let health = live.auth().health();
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

impl From<ConfigError> for Refused {
    fn from(error: ConfigError) -> Self {
        Self(error.faults().map(str::to_owned).collect())
    }
}
