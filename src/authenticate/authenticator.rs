//! Authenticates one credential: verifiers, keys, token cache, Access Tokens and clock
//! combined.
//!
//! [`Authenticator::check`] answers at once unless the token's key has to be fetched
//! first. Where several issuers are trusted, the token's `iss`, though unverified, picks
//! the one whose rules and keys apply; no others are tried.

pub(crate) mod distrusted;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use memchr::memchr_iter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::distrusted::{Distrusted, Kids};
use super::token_cache::{Entry, TokenCache};
use super::verified::Verified;
use super::verifier::{KeyMissing, Presented, Refusal, Verifier};
use crate::access_token::{AccessTokenSource, Api};
use crate::clock::{Clock, UnixTime};
use crate::error::{Reason, VerifyError};
use crate::jwt::json::Text;
use crate::jwt::jws::{Room, Segments};
use crate::keys::{Demand, KeySource, Published};
use crate::net::single_flight::Waiter;
use crate::observe::{self, Caller, Requests, Stopwatch};
use crate::sync::Mutex;

/// How often the keys may be replaced while one token is checked: each replacement means
/// that another fetch ended, which takes network time where a check takes microseconds.
const MAX_LOOKS: usize = 3;

#[derive(Debug)]
pub(crate) struct Authenticator {
    /// Issuers of JWTs; none where only Access Tokens are accepted.
    pub(crate) issuers: Issuers,
    pub(crate) access_tokens: Option<AccessTokenSource>,
    pub(crate) cache: Option<TokenCache>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a request may wait for keys.
    pub(crate) key_wait: Duration,
    /// Permits for requests that wait for keys, and how many there are.
    pub(crate) waiting: Arc<Semaphore>,
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "for a metric"))]
    pub(crate) max_waiting: usize,
    pub(crate) distrusted: Mutex<Distrusted>,
    /// Logging and counting of requests and their credentials.
    pub(crate) requests: Arc<Requests>,
}

/// An issuer whose tokens are accepted, and its keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) verifier: Verifier,
    pub(crate) keys: KeySource,
}

/// The known issuers.
#[derive(Debug)]
pub(crate) struct Issuers {
    pub(crate) trusted: Box<[Issuer]>,
    /// The `iss` of other environments, to tell their tokens from unknown ones.
    pub(crate) elsewhere: Box<[Box<str>]>,
    pub(crate) max_token_bytes: usize,
}

/// The verdict on a credential.
#[derive(Debug)]
pub(crate) struct Verdict<E = VerifyError> {
    pub(crate) outcome: Result<Verified, E>,
    /// The place of the trusted issuer by whose rules it was judged. `None` for an Access
    /// Token, and for what was rejected before an issuer was picked.
    pub(crate) issuer: Option<usize>,
}

/// The verdict, or what it takes to wait for keys.
#[derive(Debug)]
pub(crate) enum Check {
    Done(Verdict),
    Wait(KeyWait),
}

/// One look at a token: the outcome, or whose keys to wait for and until when.
enum Look<'a> {
    Done(Result<Verified, VerifyError>),
    Wait(Until, &'a Issuer),
}

/// What is known of a credential's way while it is checked.
#[derive(Debug)]
struct Trail {
    stopwatch: Stopwatch,
    /// See [`Verdict::issuer`].
    issuer: Option<usize>,
}

/// A place among the requests that wait for an issuer's keys.
#[derive(Debug)]
pub(crate) struct KeyWait {
    until: Until,
    issuer: Box<str>,
    trail: Trail,
    _place: OwnedSemaphorePermit,
}

/// What a request waits for.
#[derive(Debug)]
enum Until {
    /// The end of a fetch.
    Fetched(Waiter),
    /// The end of the cooldown, so much later, when a fetch may be started.
    Cooled(Duration),
}

/// A request for newer keys: whose, why they are missed, which keys did not suffice, and
/// when.
struct KeyRequest<'a> {
    issuer: &'a Issuer,
    missing: KeyMissing,
    seen: Arc<Published>,
    at: UnixTime,
}

impl Issuers {
    /// The issuer whose rules and keys apply to a token, and its place among the trusted.
    /// A single issuer judges all tokens, so that a bad signature is reported before a bad
    /// issuer.
    pub(crate) fn pick<'t>(
        &self,
        claimed: impl FnOnce() -> Result<Text<'t>, Reason>,
    ) -> Result<(usize, &Issuer), Reason> {
        if let ([only], []) = (&*self.trusted, &*self.elsewhere) {
            return Ok((0, only));
        }
        let claimed = claimed()?;
        let mut trusted = self.trusted.iter().enumerate();
        if let Some(picked) = trusted.find(|(_, issuer)| claimed.is(issuer.verifier.issuer())) {
            return Ok(picked);
        }
        Err(if self.elsewhere.iter().any(|issuer| claimed.is(issuer)) {
            Reason::OtherEnvironment
        } else {
            Reason::UntrustedIssuer
        })
    }

    /// From now on no key with one of these names verifies anything.
    pub(crate) fn distrust(&self, kids: &Kids) {
        for issuer in &self.trusted {
            issuer.keys.distrust(Arc::clone(kids));
        }
    }

    /// Takes over the keys that `predecessor` has fetched, where they are newer.
    pub(crate) fn take_over(&self, predecessor: &Self) {
        for issuer in &self.trusted {
            if let Some(theirs) = predecessor.get(issuer.verifier.issuer()) {
                issuer.keys.take_over(&theirs.keys);
            }
        }
    }

    /// The trusted issuer with this name.
    fn get(&self, issuer: &str) -> Option<&Issuer> {
        (self.trusted.iter()).find(|trusted| trusted.verifier.issuer() == issuer)
    }
}

impl Authenticator {
    /// Decides now if the cached keys suffice or no more requests may wait.
    pub(crate) fn check(&self, token: &[u8], api: &Api) -> Check {
        let mut trail = Trail {
            stopwatch: Stopwatch::new(),
            issuer: None,
        };
        let outcome = match self.look(token, api, &mut trail) {
            Look::Done(outcome) => outcome,
            Look::Wait(until, issuer) => match Arc::clone(&self.waiting).try_acquire_owned() {
                Ok(place) => {
                    return Check::Wait(KeyWait {
                        until,
                        issuer: issuer.verifier.issuer().into(),
                        trail,
                        _place: place,
                    });
                }
                Err(_) => Err(undecided(issuer)),
            },
        };
        Check::Done(self.verdict(outcome, &trail))
    }

    fn verdict(&self, outcome: Result<Verified, VerifyError>, trail: &Trail) -> Verdict {
        (self.requests.meter()).verified(&trail.stopwatch, &*self.clock);
        let issuer = trail.issuer;
        Verdict { outcome, issuer }
    }

    fn look(&self, token: &[u8], api: &Api, trail: &mut Trail) -> Look<'_> {
        if let Some(access_tokens) = &self.access_tokens
            && !self.takes_for_jwt(token)
        {
            return Look::Done(access_tokens.check(token, api).map(Verified::from));
        }
        self.look_at_jwt(token, self.key_wait, false, trail)
    }

    /// Whether a token is judged as a JWT although Access Tokens are accepted too: by its
    /// form alone, so that one is never tried after the other.
    pub(crate) fn takes_for_jwt(&self, token: &[u8]) -> bool {
        !self.issuers.trusted.is_empty() && memchr_iter(b'.', token).take(3).count() == 2
    }

    /// `patience`: how long the request may still wait. `waited`: one fetch has already
    /// ended for it, which is enough unless the token is too new.
    fn look_at_jwt(
        &self,
        token: &[u8],
        patience: Duration,
        waited: bool,
        trail: &mut Trail,
    ) -> Look<'_> {
        let mut looks = 0;
        loop {
            looks += 1;
            let (reason, newer) = match self.judge(token, trail) {
                Ok(verified) => return Look::Done(Ok(verified)),
                Err(Refusal {
                    reason, missing, ..
                }) => match missing {
                    Some(newer) => (reason, newer),
                    None => return Look::Done(Err(reason.into())),
                },
            };
            let KeyRequest {
                issuer,
                missing,
                seen,
                at,
            } = newer;
            let is_too_new =
                |looked_at| reason == Reason::UnknownKey && !missing.was_looked_for(looked_at);
            if waited {
                let final_error = final_error(reason, issuer);
                match issuer.keys.looked_at(&seen, at) {
                    // Another fetch has ended since: look again.
                    None if looks < MAX_LOOKS => continue,
                    None => return Look::Done(Err(undecided_if_unknown(reason, issuer))),
                    Some(looked_at)
                        if final_error.kind().says_nothing() || !is_too_new(looked_at) =>
                    {
                        return Look::Done(Err(final_error));
                    }
                    Some(_) => {}
                }
            }
            return match issuer.keys.demand(&seen, at) {
                // Another request's fetch ended between reading the keys and asking for
                // newer ones: look again.
                Demand::Replaced if looks < MAX_LOOKS => continue,
                Demand::Replaced => Look::Done(Err(undecided_if_unknown(reason, issuer))),
                Demand::Wait(fetch) => Look::Wait(Until::Fetched(fetch), issuer),
                Demand::CoolingDown {
                    rest,
                    looked_at,
                    may_wait,
                } if is_too_new(looked_at) => {
                    if may_wait && rest <= patience {
                        Look::Wait(Until::Cooled(rest), issuer)
                    } else {
                        Look::Done(Err(VerifyError::key_pending(rest)))
                    }
                }
                Demand::Outage { retry_after } if reason == Reason::UnknownKey => {
                    Look::Done(Err(VerifyError::keys_unavailable(retry_after)))
                }
                Demand::CoolingDown { .. } | Demand::Outage { .. } | Demand::Never => {
                    Look::Done(Err(reason.into()))
                }
            };
        }
    }

    /// Decides after waiting for keys, with whatever keys there are by then.
    pub(crate) async fn check_after(&self, wait: KeyWait, token: &[u8]) -> Verdict {
        let KeyWait {
            until,
            issuer,
            mut trail,
            _place: place,
        } = wait;
        let began = self.clock.monotonic();
        let outcome = self.wait_until(until, token, &mut trail).await;
        drop(place);
        let waited = self.clock.monotonic().saturating_sub(began);
        observe::waited_for_keys(&issuer, waited);
        self.verdict(outcome, &trail)
    }

    async fn wait_until(
        &self,
        mut until: Until,
        token: &[u8],
        trail: &mut Trail,
    ) -> Result<Verified, VerifyError> {
        let end = self.clock.monotonic().saturating_add(self.key_wait);
        let mut time_up = self.clock.sleep_until(end);
        loop {
            let ended = tokio::select! {
                biased;
                ended = until.reached(&*self.clock) => ended,
                () = &mut time_up => return self.judge_finally(token, trail),
            };
            if !ended {
                // Keys from a snapshot may have arrived while the fetch goes on.
                if let Ok(verified) = self.judge(token, trail) {
                    return Ok(verified);
                }
                continue;
            }
            let patience = end.saturating_sub(self.clock.monotonic());
            until = match self.look_at_jwt(token, patience, true, trail) {
                Look::Done(outcome) => return outcome,
                Look::Wait(until, _) => until,
            };
        }
    }

    /// Decides, waiting for keys where necessary.
    pub(crate) async fn verify(&self, token: &[u8], api: &Api) -> Verdict {
        match self.check(token, api) {
            Check::Done(verdict) => verdict,
            // Boxed, since it is rare and large.
            Check::Wait(wait) => Box::pin(self.check_after(wait, token)).await,
        }
    }

    /// Judges with the cached keys when there is no time left to wait for others.
    fn judge_finally(&self, token: &[u8], trail: &mut Trail) -> Result<Verified, VerifyError> {
        self.judge(token, trail)
            .map_err(|refusal| match refusal.missing {
                Some(newer) => undecided_if_unknown(refusal.reason, newer.issuer),
                None => refusal.reason.into(),
            })
    }

    /// Logs and counts a caller who is admitted.
    pub(crate) fn accepted(&self, verified: &Verified, issuer: Option<usize>) {
        self.requests.accepted(issuer, || Caller {
            subject: verified.subject(),
            token_id: verified.token_id(),
            issuer: verified.issuer(),
            kid: verified.key_id(),
            api: (verified.access_token()).map(|granted| granted.api().as_str()),
        });
    }

    /// Checks again a caller who was verified some time ago.
    pub(crate) fn check_again(&self, verified: Verified) -> Result<Verified, VerifyError> {
        let issuer = verified
            .issuer()
            .and_then(|issuer| self.issuers.get(issuer));
        if let Some(issuer) = issuer {
            let now = self.clock.now();
            let published = issuer.keys.load(now);
            (issuer.verifier)
                .check_again(&verified, published.keys(now), now)
                .map_err(|reason| final_error(reason, issuer))?;
        }
        Ok(verified)
    }

    fn judge(&self, token: &[u8], trail: &mut Trail) -> Result<Verified, Refusal<KeyRequest<'_>>> {
        let meter = self.requests.meter();
        let known = (self.cache.as_ref()).and_then(|cache| {
            cache.get(token, |entry| {
                trail.issuer = Some(entry.issuer);
                self.is_still_good(entry)
            })
        });
        if let Some(verified) = known {
            meter.cache_hit();
            return Ok(verified);
        }
        trail.issuer = None;
        let segments = Segments::split(token, self.issuers.max_token_bytes)?;
        if self.cache.is_some() {
            meter.cache_miss(&trail.stopwatch);
        }
        let now = self.clock.now();
        trail.stopwatch.start(&*self.clock);
        let mut room = Room::new();
        let compact = segments.decode(&mut room)?;
        let presented = Presented::read(&compact)?;
        let (place, issuer) = self.issuers.pick(|| presented.claimed_issuer())?;
        trail.issuer = Some(place);
        let published = issuer.keys.load(now);
        match (issuer.verifier).judge(&presented, published.keys(now), now) {
            Ok(verified) => {
                if let Some(cache) = &self.cache
                    && cache.insert(token, || Entry {
                        token: token.into(),
                        verified: verified.clone(),
                        issuer: place,
                        judged_by: published.number().into(),
                    })
                {
                    meter.cache_bytes(|| cache.bytes());
                }
                Ok(verified)
            }
            Err(refusal) => {
                let Refusal {
                    reason, is_genuine, ..
                } = refusal;
                if reason == Reason::UntrustedIssuer {
                    trail.issuer = None;
                }
                if is_genuine {
                    observe::claim_rejected(
                        issuer.verifier.issuer(),
                        reason.kind().as_str(),
                        || {
                            let mismatch = issuer.verifier.mismatch(reason, &presented, now)?;
                            Some((mismatch.claim, mismatch.expected, mismatch.found))
                        },
                    );
                }
                Err(Refusal {
                    reason,
                    is_genuine,
                    missing: refusal.missing.map(|missing| KeyRequest {
                        issuer,
                        missing,
                        seen: Arc::clone(&published),
                        at: now,
                    }),
                })
            }
        }
    }

    /// Whether the time and the key of a token verified before are still good.
    fn is_still_good(&self, entry: &Entry) -> bool {
        let now = self.clock.now();
        let issuer = &self.issuers.trusted[entry.issuer];
        let published = issuer.keys.load(now);
        if published.is(entry.judged_by.load(Ordering::Relaxed), now) {
            return issuer.verifier.check_time(&entry.verified, now).is_ok();
        }
        let is_good = (issuer.verifier)
            .check_again(&entry.verified, published.keys(now), now)
            .is_ok();
        if is_good {
            (entry.judged_by).store(published.number(), Ordering::Relaxed);
        }
        is_good
    }
}

impl Until {
    /// Completes when it is worth checking again; `true` once the awaited keys have come.
    async fn reached(&mut self, clock: &dyn Clock) -> bool {
        match self {
            Self::Fetched(fetch) => fetch.progress().await,
            Self::Cooled(rest) => {
                let moment = clock.monotonic().saturating_add(*rest);
                clock.sleep_until(moment).await;
                true
            }
        }
    }
}

/// An unknown key is no verdict while the issuer can't be asked; a signature that does
/// not match the cached key is one.
fn final_error(reason: Reason, issuer: &Issuer) -> VerifyError {
    match issuer.keys.outage() {
        Some(retry_after) if reason == Reason::UnknownKey => {
            VerifyError::keys_unavailable(retry_after)
        }
        _ => reason.into(),
    }
}

/// The same where the issuer was not asked.
fn undecided_if_unknown(reason: Reason, issuer: &Issuer) -> VerifyError {
    match reason {
        Reason::UnknownKey => undecided(issuer),
        reason => reason.into(),
    }
}

/// Used where it is not known whether the issuer has a token's key.
fn undecided(issuer: &Issuer) -> VerifyError {
    match issuer.keys.outage() {
        Some(retry_after) => VerifyError::keys_unavailable(retry_after),
        None => VerifyError::key_pending(Duration::ZERO),
    }
}
