//! What judges a token: the gate itself, with keys at hand and a clock that stands.

use std::sync::Arc;

use super::console::Failure;
use super::settings::Settings;
use crate::access_token::{AccessTokenSource, AccessTokens};
use crate::authority::{Authority, Issuer, Issuers};
use crate::clock::{Clock, ManualClock, SystemClock, UnixTime};
use crate::config::{Checked, ConfigError, Keys, both};
use crate::inbound::RejectionKind;
use crate::jwks::KeySet;
use crate::keys::{FetchSettings, KeySource};
use crate::observe::Requests;

pub(super) struct Judge {
    pub(super) authority: Authority,
    /// Where each trusted issuer's keys are; `None` where they are given.
    pub(super) addresses: Vec<Option<FetchSettings>>,
    clock: ManualClock,
}

impl Judge {
    /// The gate that these settings make, without keys yet.
    pub(super) fn of(settings: Settings, are_keys_given: bool) -> Result<Self, Failure> {
        let Settings {
            mut config,
            reading,
        } = settings;
        let is_top_used = !config.issuer.is_empty() || config.issuers.is_empty();
        let keys = if are_keys_given && is_top_used {
            config.jwks_url.clear();
            config.snapshot = None;
            Keys::Given
        } else {
            Keys::Fetched
        };
        let checked = config.checked(keys, false);
        let tokens = config.access_tokens.as_deref().map(|file| {
            // As of the present, whenever a token is judged: the file is of today.
            AccessTokens::from_file(file, SystemClock::default().now())
                .map_err(|error| ConfigError::of_access_tokens(file, &error))
        });
        let (checked, tokens) = reading.and(both(checked, tokens.transpose()))?;
        let stands = ManualClock::new(UnixTime::EPOCH);
        let clock: Arc<dyn Clock> = Arc::new(stands.clone());
        let Checked {
            trusted, elsewhere, ..
        } = checked;
        let (trusted, addresses) = trusted
            .into_iter()
            .map(|issuer| {
                let keyless = Issuer {
                    verifier: issuer.verifier,
                    keys: KeySource::fixed(KeySet::default()),
                };
                (keyless, issuer.fetch)
            })
            .unzip::<_, _, Vec<_>, Vec<_>>();
        Ok(Self {
            authority: Authority {
                issuers: Issuers {
                    trusted: trusted.into(),
                    elsewhere,
                    max_token_bytes: config.max_token_bytes,
                },
                access_tokens: tokens
                    .map(|tokens| AccessTokenSource::fixed(tokens, Arc::clone(&clock))),
                cache: None,
                requests: Arc::new(Requests::new(RejectionKind::names(), Arc::clone(&clock))),
                clock,
                key_wait: config.key_wait,
            },
            addresses,
            clock: stands,
        })
    }

    /// Has it judge as of `now`.
    pub(super) fn set_time(&self, now: UnixTime) {
        self.clock.step_to(now);
    }

    /// Lets one issuer have these keys.
    pub(super) fn give(&mut self, issuer: usize, keys: KeySet) {
        if let Some(issuer) = self.authority.issuers.trusted.get_mut(issuer) {
            issuer.keys = KeySource::fixed(keys);
        }
    }
}
