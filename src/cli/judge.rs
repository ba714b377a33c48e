//! What judges a token: the gate itself, with keys at hand and a clock that stands.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::console::Failure;
use super::settings::Settings;
use crate::access_token::{AccessTokenSource, AccessTokens, Terms};
use crate::authenticate::authority::{Authority, Issuer, Issuers};
use crate::clock::{Clock, ManualClock, UnixTime};
use crate::config::{Checked, ConfigError, Keys, both};
use crate::file::guarded_file::Writable;
use crate::inbound::RejectionKind;
use crate::jwt::jwks::KeySet;
use crate::keys::{FetchSettings, KeySource};
use crate::observe::Requests;

pub(super) struct Judge {
    pub(super) authority: Authority,
    /// Where each trusted issuer's keys are; `None` where they are given.
    pub(super) addresses: Vec<Option<FetchSettings>>,
    distrusted: Arc<[Box<str>]>,
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
        let terms = Terms {
            beside_jwts: (checked.as_ref()).is_ok_and(|checked| !checked.trusted.is_empty()),
            writable: Writable::from_setting(config.danger_allow_writable_files),
        };
        let tokens = config.access_tokens.as_deref().map(|file| {
            AccessTokens::from_file(file, terms)
                .map_err(|error| ConfigError::of_access_tokens(file, &error))
        });
        let (checked, tokens) = reading.and(both(checked, tokens.transpose()))?;
        let distrusted = config.distrusted();
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
                    keys: KeySource::fixed(KeySet::default(), &distrusted),
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
                waiting: Arc::new(Semaphore::new(0)),
                distrusted: Mutex::default(),
            },
            distrusted,
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
            issuer.keys = KeySource::fixed(keys, &self.distrusted);
        }
    }
}
