//! Decides whether a token is one of GO's: pure and synchronous.
//!
//! `Verifier::verify(token, keys, now)` is the whole of it. Where the keys come from,
//! what time it is and what an answer looks like is up to other modules.

use std::sync::Arc;
use std::time::Duration;

use super::verified::{Jwt, Verified};
use crate::clock::UnixTime;
use crate::error::{Reason, VerifyError};
use crate::jwt::claims::{Claims, ClaimsView};
use crate::jwt::json::Text;
use crate::jwt::jwks::KeySet;
use crate::jwt::jws::{Compact, Header, Room, Segments};
use crate::jwt::mismatch::Mismatch;
use crate::jwt::policy::Policy;

/// A token that was read but not verified.
#[derive(Debug)]
pub(crate) struct Presented<'a> {
    signing_input: &'a [u8],
    signature: &'a [u8],
    header: Header<'a>,
    payload: &'a str,
    /// Read now, trusted later: a bad signature is reported first.
    claims: Result<ClaimsView<'a>, Reason>,
}

impl<'a> Presented<'a> {
    pub(crate) fn read(token: &Compact<'a>) -> Result<Self, Reason> {
        let header = Header::read(token.header)?;
        let payload = str::from_utf8(token.payload).map_err(|_| Reason::ClaimsNotUtf8);
        Ok(Self {
            signing_input: token.signing_input,
            signature: token.signature,
            header,
            payload: payload.as_ref().copied().unwrap_or_default(),
            claims: payload.and_then(ClaimsView::read),
        })
    }

    /// The issuer that the token claims to be from, to find the keys to check it with.
    pub(crate) fn claimed_issuer(&self) -> Result<Text<'a>, Reason> {
        let claims = self.claims.as_ref().map_err(|reason| *reason)?;
        claims.issuer.ok_or(Reason::NoIss)
    }
}

/// A rejection, and what is missing where newer keys could change it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<M = KeyMissing> {
    pub(crate) reason: Reason,
    pub(crate) missing: Option<M>,
    /// The signature is good: only the claims are in the way.
    pub(crate) is_genuine: bool,
}

/// The token is addressed to us and within its time; only its key is in the way: it is
/// unknown, or its material may have been replaced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyMissing {
    /// When the token claims to have been issued.
    issued_at: Option<UnixTime>,
    leeway: Duration,
}

impl KeyMissing {
    /// Whether keys that were looked up at `looked_at` would include its key if the
    /// issuer published it: the lookup was later than the token's issue by more than the
    /// clocks may differ.
    pub(crate) fn was_looked_for(self, looked_at: UnixTime) -> bool {
        (self.issued_at).is_some_and(|issued_at| issued_at.saturating_add(self.leeway) < looked_at)
    }
}

impl<M> From<Reason> for Refusal<M> {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            missing: None,
            is_genuine: false,
        }
    }
}

/// Checks tokens by one issuer's rules. Made by the configuration:
/// [`Config::verifier`](crate::Config::verifier).
#[derive(Debug, Clone)]
pub struct Verifier {
    pub(crate) policy: Policy,
    max_token_bytes: usize,
}

impl Verifier {
    pub(crate) fn new(policy: Policy, max_token_bytes: usize) -> Self {
        Self {
            policy,
            max_token_bytes,
        }
    }

    /// Verifies a token with the given keys, as of `now`.
    ///
    /// The checks in their order: length, form, header, key, signature, claims. A bad
    /// signature is reported before a bad claim. Where the key is not in the set, a claim
    /// that rules the token out anyway is reported instead of
    /// [`UnknownKey`](crate::authenticate::VerifyErrorKind::UnknownKey), so that no keys
    /// are fetched for it.
    ///
    /// # Errors
    /// With the [kind](VerifyError::kind) of the first check that failed; never
    /// [`KeysUnavailable`](crate::authenticate::VerifyErrorKind::KeysUnavailable).
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<Verified, VerifyError> {
        let mut room = Room::new();
        let segments = Segments::split(token.as_bytes(), self.max_token_bytes)?;
        let token = segments.decode(&mut room)?;
        self.judge(&Presented::read(&token)?, keys, now)
            .map_err(|refusal| refusal.reason.into())
    }

    pub(crate) fn judge(
        &self,
        token: &Presented<'_>,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<Verified, Refusal> {
        let claims = token.claims.as_ref().map_err(|reason| *reason);
        let kid = &token.header.kid;
        let Some(key) = keys.get(kid) else {
            let missing = self.key_missing(claims?, now)?;
            if keys.distrusts(kid) {
                return Err(Reason::DistrustedKey.into());
            }
            return Err(Refusal {
                missing: Some(missing),
                ..Reason::UnknownKey.into()
            });
        };
        if !key.verifies(token.signing_input, token.signature) {
            // The issuer may have put new material under an old kid.
            let missing = claims.and_then(|claims| self.key_missing(claims, now));
            return Err(Refusal {
                missing: missing.ok(),
                ..Reason::BadSignature.into()
            });
        }
        let claims = claims.and_then(|claims| {
            self.policy.check(claims, now)?;
            Claims::keep(token.payload, claims)
        });
        match claims {
            Ok(claims) => Ok(Verified::by_jwt(Jwt {
                claims,
                key: Arc::clone(key),
                environment: self.policy.environment.clone(),
            })),
            Err(reason) => Err(Refusal {
                is_genuine: true,
                ..reason.into()
            }),
        }
    }

    /// Which claim of a genuine token was rejected for `reason`.
    pub(crate) fn mismatch(
        &self,
        reason: Reason,
        token: &Presented<'_>,
        now: UnixTime,
    ) -> Option<Mismatch> {
        self.policy.mismatch(reason, token.payload, now)
    }

    fn key_missing(&self, claims: &ClaimsView<'_>, now: UnixTime) -> Result<KeyMissing, Reason> {
        self.policy.check_address_and_time(claims, now)?;
        Ok(KeyMissing {
            issued_at: claims.issued_at,
            leeway: self.policy.leeway,
        })
    }

    /// Whether a JWT verified earlier is still good: its key and its time. The results of
    /// the other checks cannot change.
    pub(crate) fn check_again(
        &self,
        verified: &Verified,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<(), Reason> {
        if (verified.jwt()).is_some_and(|Jwt { key, .. }| !keys.holds(key)) {
            return Err(Reason::UnknownKey);
        }
        self.check_time(verified, now)
    }

    /// The same while the key set is the one that it was judged by.
    pub(crate) fn check_time(&self, verified: &Verified, now: UnixTime) -> Result<(), Reason> {
        let Some(claims) = verified.claims() else {
            return Ok(());
        };
        (self.policy).check_window(claims.expires_at(), claims.not_before(), now)
    }

    pub(crate) fn environment(&self) -> Option<&str> {
        self.policy.environment.as_deref()
    }

    pub(crate) fn audiences(&self) -> impl Iterator<Item = &str> {
        self.policy.audiences.iter()
    }

    /// The issuer whose tokens this verifier accepts.
    pub fn issuer(&self) -> &str {
        &self.policy.issuer
    }
}
