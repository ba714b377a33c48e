//! Judges a token: the gate itself, with stored keys and a fixed clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::visit::KeyAddress;
use super::{Explanation, Ground, Verdict, access_token, jwt};
use crate::access_token::{AccessTokenSource, AccessTokens, Api, Terms};
use crate::authenticate::authenticator::{Authenticator, Check as Answer, Issuer, Issuers};
use crate::clock::{Clock, ManualClock, UnixTime};
use crate::config::layers::Reading;
use crate::config::{Config, Keys, both, of_access_tokens};
use crate::error::{VerifyError, VerifyErrorKind};
use crate::fault::ConfigError;
use crate::file::guarded_file::Writable;
use crate::inbound::RejectionKind;
use crate::jwt::jwks::KeySet;
use crate::keys::KeySource;
use crate::net::client::Clients;
use crate::net::network::OpenNetwork;
use crate::observe::Requests;
use crate::sync::Mutex;

#[derive(Debug)]
pub struct Judge {
    authenticator: Authenticator,
    /// Where each trusted issuer's keys are fetched; `None` if they are given.
    addresses: Vec<Option<KeyAddress>>,
    distrusted: Arc<[Box<str>]>,
    clock: ManualClock,
}

impl Judge {
    /// The gate with these settings, without keys yet.
    ///
    /// # Errors
    /// With every fault of the settings.
    pub fn of(
        mut config: Config,
        reading: Reading,
        are_keys_given: bool,
    ) -> Result<Self, ConfigError> {
        let is_top_used = !config.issuer.is_empty() || config.issuers.is_empty();
        let keys = if are_keys_given && is_top_used {
            config.jwks_url.clear();
            config.jwks_file = None;
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
            AccessTokens::from_file(file, terms).map_err(|error| of_access_tokens(file, &error))
        });
        let network = if are_keys_given {
            Ok(OpenNetwork::default())
        } else {
            config.open_network()
        };
        let made = both(both(checked, tokens.transpose()), network);
        let ((checked, tokens), network) = reading.and(made)?;
        let clients = Clients::new(network, None);
        let distrusted = config.distrusted();
        let stands = ManualClock::new(UnixTime::EPOCH);
        let clock: Arc<dyn Clock> = Arc::new(stands.clone());
        let (mut trusted, mut addresses) = (Vec::new(), Vec::new());
        for issuer in checked.trusted {
            let name = issuer.verifier.issuer().to_owned();
            addresses.push(issuer.place.map(|place| KeyAddress {
                issuer: name,
                place,
                clients: clients.clone(),
                schedule: checked.schedule,
            }));
            trusted.push(Issuer {
                verifier: issuer.verifier,
                keys: KeySource::fixed(KeySet::default(), &distrusted),
            });
        }
        Ok(Self {
            authenticator: Authenticator {
                issuers: Issuers {
                    trusted: trusted.into(),
                    elsewhere: checked.elsewhere,
                    max_token_bytes: config.max_token_bytes,
                },
                access_tokens: tokens
                    .map(|tokens| AccessTokenSource::fixed(tokens, Arc::clone(&clock))),
                cache: None,
                requests: Arc::new(Requests::new(
                    RejectionKind::names(),
                    Box::default(),
                    Arc::clone(&clock),
                )),
                clock,
                key_wait: config.key_wait,
                waiting: Arc::new(Semaphore::new(0)),
                max_waiting: 0,
                distrusted: Mutex::default(),
            },
            distrusted,
            addresses,
            clock: stands,
        })
    }

    /// Which trusted issuer's keys decide about a token; `None` if none do: it is no JWT,
    /// or it is rejected before keys are looked up.
    pub fn addressee(&self, token: &[u8]) -> Option<usize> {
        (!self.is_access_token(token)).then(|| jwt::addressee(&self.authenticator, token))?
    }

    fn is_access_token(&self, token: &[u8]) -> bool {
        self.authenticator.access_tokens.is_some() && !self.authenticator.takes_for_jwt(token)
    }

    /// Where this issuer's keys are fetched; `None` if they are given.
    pub fn address(&self, issuer: usize) -> Option<&KeyAddress> {
        self.addresses.get(issuer)?.as_ref()
    }

    pub const fn max_token_bytes(&self) -> usize {
        self.authenticator.issuers.max_token_bytes
    }

    /// Gives one issuer these keys.
    pub fn give(&mut self, issuer: usize, keys: KeySet) {
        if let Some(issuer) = self.authenticator.issuers.trusted.get_mut(issuer) {
            issuer.keys = KeySource::fixed(keys, &self.distrusted);
        }
    }

    /// Explains a token, given as in the `Authorization` header without its scheme, as of
    /// `now`. `api`: the API that an Access Token is checked for. `no_keys`: why the
    /// issuer's keys could not be fetched, if so.
    pub fn explain(
        &self,
        token: &[u8],
        api: &Api,
        now: UnixTime,
        no_keys: Option<&str>,
    ) -> Explanation {
        self.clock.step_to(now);
        // As in the gate: an unknown key is no verdict while the issuer can't be asked, and
        // stored keys are not waited for.
        let unknown = || {
            let error = VerifyError::keys_unavailable(Duration::ZERO);
            (Verdict::Unknown, Some(error.into()))
        };
        let (verdict, rejection) = match self.authenticator.check(token, api) {
            Answer::Wait(_) => unknown(),
            Answer::Done(answer) => match answer.outcome {
                Ok(_) => (Verdict::Valid, None),
                Err(error) if error.kind() == VerifyErrorKind::UnknownKey && no_keys.is_some() => {
                    unknown()
                }
                Err(error) => (Verdict::Refused, Some(error.into())),
            },
        };
        let ground = Ground {
            authenticator: &self.authenticator,
            api,
            now,
            no_keys,
        };
        let (checks, claimed) = match &self.authenticator.access_tokens {
            Some(held) if self.is_access_token(token) => {
                (access_token::checks(&ground, &held.load(), token), None)
            }
            _ => jwt::checks(&ground, token),
        };
        Explanation {
            verdict,
            rejection,
            checks,
            claimed,
        }
    }
}
