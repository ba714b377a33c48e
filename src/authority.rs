//! Who decides about a token: the verifiers, their keys, a memory, the access
//! tokens and a clock put together.
//!
//! [`Authority::check`] answers at once whenever it can, which is always but
//! when the token's key has to be fetched first. Where several issuers are
//! trusted, the token's `iss`, unverified as it is, picks the one whose rules
//! and keys it is held to, and no others.

use std::sync::Arc;
use std::time::Duration;

use memchr::memchr_iter;
use tracing::Instrument;

use crate::access_token::{AccessTokenSource, Api};
use crate::clock::{Clock, UnixTime};
use crate::error::{Reason, VerifyError};
use crate::json::Text;
use crate::jws::{Room, Segments};
use crate::keys::{Demand, KeySource, Published, Ticket};
use crate::observe::{self, Requests, Stopwatch};
use crate::token_cache::TokenCache;
use crate::verifier::{Presented, Verified, Verifier};

/// How often keys may be replaced under one look at them: each time another
/// fetch has ended, which takes a network's time where a look takes microseconds.
const MAX_LOOKS: usize = 3;

#[derive(Debug)]
pub(crate) struct Authority {
    /// Those of JWTs; none where only access tokens are accepted.
    pub(crate) issuers: Issuers,
    pub(crate) access_tokens: Option<AccessTokenSource>,
    pub(crate) cache: Option<TokenCache>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a request may wait for keys.
    pub(crate) key_wait: Duration,
    /// What is told and counted of requests and their credentials.
    pub(crate) requests: Arc<Requests>,
}

/// An issuer whose tokens are let in, and its keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) verifier: Verifier,
    pub(crate) keys: KeySource,
}

/// The issuers that are known.
#[derive(Debug)]
pub(crate) struct Issuers {
    pub(crate) trusted: Box<[Issuer]>,
    /// The `iss` of other environments, to tell their tokens from strangers'.
    pub(crate) elsewhere: Box<[Box<str>]>,
    pub(crate) max_token_bytes: usize,
}

/// The answer to a token, or a place among those who wait for keys.
#[derive(Debug)]
pub(crate) enum Check {
    Done(Result<Verified, VerifyError>),
    Wait(KeyWait),
}

/// A place among those who wait for the keys of an issuer.
#[derive(Debug)]
pub(crate) struct KeyWait {
    ticket: Ticket,
    issuer: Box<str>,
    stopwatch: Stopwatch,
}

/// The same, and whose keys are waited for.
enum Look<'a> {
    Done(Result<Verified, VerifyError>),
    Wait { ticket: Ticket, issuer: &'a Issuer },
}

/// A token that was refused by the keys at hand.
struct Refused<'a> {
    reason: Reason,
    /// Where newer keys might turn it.
    newer_keys: Option<Wish<'a>>,
}

/// For newer keys: whose, those that did not do, and when they did not.
struct Wish<'a> {
    issuer: &'a Issuer,
    seen: Arc<Published>,
    at: UnixTime,
}

impl From<Reason> for Refused<'_> {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            newer_keys: None,
        }
    }
}

impl Issuers {
    /// The issuer that a token has to be judged by. A single one judges all, so
    /// that a bad signature is reported before a bad issuer.
    pub(crate) fn pick<'t>(
        &self,
        claimed: impl FnOnce() -> Result<Text<'t>, Reason>,
    ) -> Result<&Issuer, Reason> {
        if let ([only], []) = (&*self.trusted, &*self.elsewhere) {
            return Ok(only);
        }
        let claimed = claimed()?;
        if let Some(issuer) =
            (self.trusted.iter()).find(|issuer| claimed.is(issuer.verifier.issuer()))
        {
            return Ok(issuer);
        }
        Err(if self.elsewhere.iter().any(|issuer| claimed.is(issuer)) {
            Reason::OtherEnvironment
        } else {
            Reason::UntrustedIssuer
        })
    }

    /// The trusted issuer of this name.
    fn get(&self, issuer: &str) -> Option<&Issuer> {
        (self.trusted.iter()).find(|trusted| trusted.verifier.issuer() == issuer)
    }
}

impl Authority {
    /// Decides now, where the keys at hand suffice.
    pub(crate) fn check(&self, token: &[u8], api: &Api) -> Check {
        let mut stopwatch = Stopwatch::new();
        match self.look(token, api, &mut stopwatch) {
            Look::Done(result) => {
                self.requests.meter().verified(&stopwatch, &*self.clock);
                Check::Done(result)
            }
            Look::Wait { ticket, issuer } => Check::Wait(KeyWait {
                ticket,
                issuer: issuer.verifier.issuer().into(),
                stopwatch,
            }),
        }
    }

    fn look(&self, token: &[u8], api: &Api, stopwatch: &mut Stopwatch) -> Look<'_> {
        if let Some(access_tokens) = &self.access_tokens
            && !self.takes_for_jwt(token)
        {
            return Look::Done(access_tokens.check(token, api).map(Verified::from));
        }
        // Between the look at the keys and the demand for newer ones, another
        // request's fetch may have ended: then look again.
        for _ in 0..MAX_LOOKS {
            let (reason, Wish { issuer, seen, at }) = match self.judge(token, stopwatch) {
                Ok(verified) => return Look::Done(Ok(verified)),
                Err(Refused { reason, newer_keys }) => match newer_keys {
                    Some(wish) => (reason, wish),
                    None => return Look::Done(Err(reason.into())),
                },
            };
            match issuer.keys.demand(&seen, at) {
                Demand::Wait(ticket) => return Look::Wait { ticket, issuer },
                Demand::CoolingDown { outage } => {
                    return Look::Done(Err(final_error(reason, outage)));
                }
                Demand::Replaced => {}
            }
        }
        Look::Done(self.judge_finally(token, stopwatch))
    }

    /// Whether a token is judged as a JWT where access tokens are accepted, too: by
    /// its form alone, so that neither is ever tried after the other.
    pub(crate) fn takes_for_jwt(&self, token: &[u8]) -> bool {
        !self.issuers.trusted.is_empty() && memchr_iter(b'.', token).take(3).count() == 2
    }

    /// Decides after a wait for keys, of whatever they are by then.
    pub(crate) async fn check_after(
        &self,
        wait: KeyWait,
        token: &[u8],
    ) -> Result<Verified, VerifyError> {
        let KeyWait {
            ticket,
            issuer,
            mut stopwatch,
        } = wait;
        let verdict = self
            .after_progress(ticket, token, &mut stopwatch)
            .instrument(observe::wait_for_keys(&issuer))
            .await;
        self.requests.meter().verified(&stopwatch, &*self.clock);
        verdict
    }

    async fn after_progress(
        &self,
        mut ticket: Ticket,
        token: &[u8],
        stopwatch: &mut Stopwatch,
    ) -> Result<Verified, VerifyError> {
        let until = self.clock.monotonic().saturating_add(self.key_wait);
        let mut time_up = self.clock.sleep_until(until);
        loop {
            let ended = tokio::select! {
                biased;
                ended = ticket.progress() => ended,
                () = &mut time_up => {
                    return self.judge_by_now(token, stopwatch, |_| Some(Duration::ZERO));
                }
            };
            if ended {
                return self.judge_finally(token, stopwatch);
            }
            if let Ok(verified) = self.judge(token, stopwatch) {
                return Ok(verified);
            }
        }
    }

    /// Decides, waiting for keys where that is needed.
    pub(crate) async fn verify(&self, token: &[u8], api: &Api) -> Result<Verified, VerifyError> {
        match self.check(token, api) {
            Check::Done(result) => result,
            Check::Wait(wait) => self.check_after(wait, token).await,
        }
    }

    /// Judges by the keys at hand, newer ones being out of reach.
    fn judge_finally(
        &self,
        token: &[u8],
        stopwatch: &mut Stopwatch,
    ) -> Result<Verified, VerifyError> {
        self.judge_by_now(token, stopwatch, |issuer| issuer.keys.outage())
    }

    /// The same, where `outage` tells whether an issuer's keys are out of reach.
    fn judge_by_now(
        &self,
        token: &[u8],
        stopwatch: &mut Stopwatch,
        outage: impl Fn(&Issuer) -> Option<Duration>,
    ) -> Result<Verified, VerifyError> {
        self.judge(token, stopwatch)
            .map_err(|Refused { reason, newer_keys }| match newer_keys {
                Some(wish) => final_error(reason, outage(wish.issuer)),
                None => reason.into(),
            })
    }

    fn judge(&self, token: &[u8], stopwatch: &mut Stopwatch) -> Result<Verified, Refused<'_>> {
        // What is no JWT at all costs no look at the clock or the memory.
        let segments = Segments::split(token, self.issuers.max_token_bytes)?;
        let now = self.clock.now();
        if let Some(cache) = &self.cache {
            let meter = self.requests.meter();
            if let Some(verified) = self.recall(cache, token, now) {
                meter.cache_hit();
                return Ok(verified);
            }
            meter.cache_miss(stopwatch);
        }
        stopwatch.start(&*self.clock);
        let mut room = Room::new();
        let compact = segments.decode(&mut room)?;
        let presented = Presented::read(&compact)?;
        let issuer = self.issuers.pick(|| presented.claimed_issuer())?;
        let published = issuer.keys.load();
        match (issuer.verifier).judge(&presented, published.keys(now), now) {
            Ok(verified) => {
                if let Some(cache) = &self.cache
                    && cache.insert(token, &verified)
                {
                    self.requests.meter().cache_bytes(|| cache.bytes());
                }
                Ok(verified)
            }
            Err(refusal) => Err(Refused {
                reason: refusal.reason,
                newer_keys: (refusal.newer_keys_may_help).then(|| Wish {
                    issuer,
                    seen: Arc::clone(&published),
                    at: now,
                }),
            }),
        }
    }

    /// A token verified before, if its time and its key are still good.
    fn recall(&self, cache: &TokenCache, token: &[u8], now: UnixTime) -> Option<Verified> {
        let verified = cache.get(token)?;
        let issuer = self.issuers.get(verified.issuer()?)?;
        let published = issuer.keys.load();
        if (issuer.verifier).still_good(&verified, published.keys(now), now) {
            return Some(verified);
        }
        cache.remove(token);
        None
    }
}

/// An unknown key is no verdict while the issuer can't be asked; a signature
/// that does not fit the key at hand is one.
fn final_error(reason: Reason, outage: Option<Duration>) -> VerifyError {
    match outage {
        Some(retry_after) if reason == Reason::UnknownKey => {
            VerifyError::keys_unavailable(retry_after)
        }
        _ => reason.into(),
    }
}
