//! Who decides about a token: the verifier, its keys, its memory and its clock
//! put together.
//!
//! [`Authority::check`] answers at once whenever it can, which is always but
//! when the token's key has to be fetched first.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{VerifyError, VerifyErrorKind as Kind};
use crate::keys::{Demand, KeySource, Snapshot, Ticket};
use crate::token_cache::TokenCache;
use crate::verifier::{Refusal, Verified, Verifier};

#[derive(Debug)]
pub(crate) struct Authority {
    verifier: Verifier,
    keys: KeySource,
    cache: Option<TokenCache>,
    clock: Arc<dyn Clock>,
    /// How long a request may wait for keys.
    key_wait: Duration,
}

/// The answer to a token, or a place among those who wait for keys.
#[derive(Debug)]
pub(crate) enum Check {
    Done(Result<Verified, VerifyError>),
    Wait(Ticket),
}

impl Authority {
    pub(crate) fn new(
        verifier: Verifier,
        keys: KeySource,
        cache: Option<TokenCache>,
        clock: Arc<dyn Clock>,
        key_wait: Duration,
    ) -> Self {
        Self {
            verifier,
            keys,
            cache,
            clock,
            key_wait,
        }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// How many keys can verify now.
    pub(crate) fn key_count(&self) -> usize {
        self.keys.load().keys(self.clock.now()).len()
    }

    /// Decides now, where the keys at hand suffice.
    pub(crate) fn check(&self, token: &str) -> Check {
        let snapshot = self.keys.load();
        match self.judge(token, &snapshot) {
            Ok(verified) => Check::Done(Ok(verified)),
            Err(refusal) if refusal.newer_keys_may_help => self.seek(token, &snapshot, refusal),
            Err(refusal) => Check::Done(Err(refusal.error)),
        }
    }

    /// Decides after a wait for keys, of whatever they are by then.
    pub(crate) async fn check_after(
        &self,
        ticket: Ticket,
        token: &str,
    ) -> Result<Verified, VerifyError> {
        tokio::select! {
            biased;
            () = ticket.ended() => {}
            () = self.clock.sleep(self.key_wait) => {
                return Err(VerifyError::keys_unavailable(
                    "the keys did not come in time",
                    Duration::ZERO,
                ));
            }
        }
        self.judge_finally(token)
    }

    /// Decides, waiting for keys where that is needed.
    pub(crate) async fn verify(&self, token: &str) -> Result<Verified, VerifyError> {
        match self.check(token) {
            Check::Done(result) => result,
            Check::Wait(ticket) => self.check_after(ticket, token).await,
        }
    }

    fn judge(&self, token: &str, snapshot: &Snapshot) -> Result<Verified, Refusal> {
        let now = self.clock.now();
        let keys = snapshot.keys(now);
        let Some(cache) = &self.cache else {
            return self.verifier.judge(token, keys, now);
        };
        if let Some(verified) = cache.get(token) {
            if self.verifier.still_good(&verified, keys, now) {
                return Ok(verified);
            }
            cache.remove(token);
        }
        let verified = self.verifier.judge(token, keys, now)?;
        cache.insert(token, &verified);
        Ok(verified)
    }

    /// For a token whose key is not among those at hand.
    #[cold]
    fn seek(&self, token: &str, seen: &Arc<Snapshot>, refusal: Refusal) -> Check {
        match self.keys.demand(seen) {
            Demand::Wait(ticket) => Check::Wait(ticket),
            Demand::CoolingDown => Check::Done(Err(self.final_error(refusal))),
            // Another request's fetch has ended between the look at the keys
            // and the demand, and begun a cooldown.
            Demand::Replaced => Check::Done(self.judge_finally(token)),
        }
    }

    /// Judges by the keys at hand, newer ones being out of reach.
    fn judge_finally(&self, token: &str) -> Result<Verified, VerifyError> {
        self.judge(token, &self.keys.load())
            .map_err(|refusal| self.final_error(refusal))
    }

    /// An unknown key is no verdict while the issuer can't be asked; a signature
    /// that does not fit the key at hand is one.
    fn final_error(&self, refusal: Refusal) -> VerifyError {
        match self.keys.outage() {
            Some(retry_after) if refusal.error.kind() == Kind::UnknownKey => {
                VerifyError::keys_unavailable("the keys are not available", retry_after)
            }
            _ => refusal.error,
        }
    }
}
