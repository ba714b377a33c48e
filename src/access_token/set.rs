//! The configured tokens, and whether a presented one is among them.

use std::hint::black_box;

use super::api::Api;
use super::entry::{AccessToken, Given, MAX_TOKEN_BYTES, TokenDigest};
use super::fault::{AccessTokensError, Faults, Place, Wrong};
use super::rotation;
use crate::clock::UnixTime;
use crate::error::{Reason, VerifyError};
use crate::jwt::jws::unreadable;

/// The most tokens: a current and a previous one for sixteen APIs. GO calls three. Each
/// request's token is compared with all of them.
pub(super) const MAX_TOKENS: usize = 32;

/// The accepted access tokens: for each API a current one, and at most one previous.
///
/// Of two tokens of one API, the later issued is the current one. How long each is
/// accepted follows from when they were issued, as GO documents it:
///
/// | token | accepted until |
/// |---|---|
/// | current | 180 days after its issue |
/// | previous | 7 days after the issue of the current one, or its own 180 days, whichever is sooner |
///
/// So a token is accepted for **180 days at the longest** (plus the time by which its
/// issue is dated ahead, at most 24 h), and for **7 days at the shortest**, if it is
/// renewed at once. Each period ends at exactly that second, without leeway. It begins
/// when the token is configured here. A token whose issue is dated more than 24 h ahead
/// of the clock is rejected until the clock has come that close: one of the two is wrong,
/// and an impossible date says nothing about when the token ends.
///
/// A [revoked](AccessToken::revoked) token is rejected at once: revoke a token that has
/// leaked. It is neither current nor previous. If its issue is known, earlier tokens
/// still end 7 days after it: what GO Console has replaced does not become valid again.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
/// use derbysoft_go_auth::clock::UnixTime;
///
/// let issued = UnixTime::from_secs(1_793_491_200);
/// let token = "53ac077700000000000000000000abcd";
/// let tokens = AccessTokens::new([AccessToken::new(Api::AVAILABILITY_PEER, token, issued)])?;
/// let api = Api::AVAILABILITY_PEER;
/// let granted = tokens.check(token, &api, issued)?;
/// assert!(!granted.is_previous());
/// assert!(tokens.check("53ac077700000000000000000000abce", &api, issued).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AccessTokens {
    held: Box<[Held]>,
}

/// A configured token, and what follows from its place among the others.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) api: Api,
    given: Given,
    pub(super) place: Place,
    /// Unknown for some revoked tokens.
    pub(super) issued: Option<UnixTime>,
    is_revoked: bool,
    /// It has a successor that is not revoked.
    pub(crate) is_previous: bool,
    /// The first moment at which it is rejected because of its age.
    pub(crate) accepted_until: UnixTime,
}

/// Where a token was configured, and the token.
pub(super) type Located = (Place, AccessToken);

impl AccessTokens {
    /// The set of these tokens.
    ///
    /// # Errors
    /// With every fault: a token or digest in the wrong form; more than two unrevoked
    /// tokens of one API, or two issued at the same time; the same token twice, for
    /// whatever APIs; no tokens, or more than 32.
    pub fn new(tokens: impl IntoIterator<Item = AccessToken>) -> Result<Self, AccessTokensError> {
        // One more than allowed is enough to know.
        let tokens: Vec<_> = (1..)
            .zip(tokens)
            .take(MAX_TOKENS + 1)
            .map(|(number, token)| (Place::Entry(number), token))
            .collect();
        let mut faults = Faults::default();
        if tokens.is_empty() {
            faults.add(None, Wrong::Empty);
        }
        Self::of(tokens, false, faults)
    }

    /// Adds to faults that were already found. `beside_jwts`: a token that looks like a
    /// JWT is a fault.
    pub(super) fn of(
        tokens: Vec<Located>,
        beside_jwts: bool,
        mut faults: Faults,
    ) -> Result<Self, AccessTokensError> {
        if tokens.len() > MAX_TOKENS {
            faults.add(None, Wrong::TooMany);
        }
        let mut held: Vec<Held> = Vec::new();
        for (place, token) in tokens {
            let Some(given) = faults.take(place, token.given) else {
                continue;
            };
            let new = Held {
                api: token.api,
                given,
                place,
                issued: token.issued,
                is_revoked: token.is_revoked,
                is_previous: false,
                accepted_until: UnixTime::EPOCH,
            };
            match held.iter_mut().find(|other| other.is(&new.given.digest)) {
                None => held.push(new),
                Some(other) if other.is_revoked || new.is_revoked => other.is_revoked_by(new),
                Some(_) => faults.add(place, Wrong::SameToken),
            }
        }
        let mut this = Self { held: held.into() };
        this.check_rotation(&mut faults);
        if beside_jwts {
            this.check_forms(&mut faults);
        }
        faults.into_result()?;
        this.rotate();
        Ok(this)
    }

    /// Whether they can be used where JWTs are accepted too.
    ///
    /// # Errors
    /// With every token that would be read as a JWT.
    pub(crate) fn check_beside_jwts(&self) -> Result<(), AccessTokensError> {
        let mut faults = Faults::default();
        self.check_forms(&mut faults);
        faults.into_result()
    }

    /// A revoked token is rejected either way.
    fn check_forms(&self, faults: &mut Faults) {
        for held in self.held.iter().filter(|held| !held.is_revoked) {
            if held.given.is_jwt_by_form {
                faults.add(held.place, Wrong::LooksLikeJwt);
            }
        }
    }

    /// Each API may have a current and a previous token that are not revoked.
    fn check_rotation(&self, faults: &mut Faults) {
        let counted: Vec<_> = self.held.iter().filter(|held| !held.is_revoked).collect();
        for (number, held) in counted.iter().enumerate() {
            let mut others = counted[..number].iter().filter(|it| it.api == held.api);
            match (others.next(), others.next()) {
                (Some(_), Some(_)) => faults.add(held.place, Wrong::Third(held.api.clone())),
                (Some(other), None) if other.issued == held.issued => {
                    faults.add(held.place, Wrong::SameTime(held.api.clone()));
                }
                _ => {}
            }
        }
    }

    /// Determines which tokens are current or previous, and when each ends.
    fn rotate(&mut self) {
        for number in 0..self.held.len() {
            let this = &self.held[number];
            let Some(issued) = this.issued else {
                continue;
            };
            let later = (self.held.iter())
                .filter(|other| other.api == this.api && other.issued > this.issued);
            let successor = later.clone().filter_map(|later| later.issued).min();
            let is_previous = { later }.any(|later| !later.is_revoked);
            let this = &mut self.held[number];
            this.is_previous = is_previous;
            this.accepted_until = rotation::accepted_until(issued, successor);
        }
    }

    /// The same set with these tokens revoked; `None` if none of them is accepted now.
    pub(super) fn revoking(&self, revoked: &[TokenDigest]) -> Option<Self> {
        let is_meant =
            |held: &Held| !held.is_revoked && revoked.iter().any(|digest| held.is(digest));
        if !self.held.iter().any(is_meant) {
            return None;
        }
        let mut held = self.held.clone();
        for held in &mut held {
            held.is_revoked |= is_meant(held);
        }
        let mut this = Self { held };
        this.rotate();
        Some(this)
    }

    /// Whether `presented` is a token of `api` that is accepted at `now`.
    ///
    /// # Errors
    /// With the kind
    /// [`UnknownAccessToken`](crate::authenticate::VerifyErrorKind::UnknownAccessToken),
    /// [`AccessTokenRevoked`](crate::authenticate::VerifyErrorKind::AccessTokenRevoked),
    /// [`AccessTokenExpired`](crate::authenticate::VerifyErrorKind::AccessTokenExpired),
    /// [`NotYetValid`](crate::authenticate::VerifyErrorKind::NotYetValid) for a token
    /// dated more than 24 h ahead of `now`,
    /// [`WrongApi`](crate::authenticate::VerifyErrorKind::WrongApi) for a valid token of
    /// another API, [`TooLong`](crate::authenticate::VerifyErrorKind::TooLong) past 1024
    /// bytes, which are not examined, or
    /// [`Malformed`](crate::authenticate::VerifyErrorKind::Malformed) with `Bearer` or
    /// white space around it.
    pub fn check(
        &self,
        presented: impl AsRef<[u8]>,
        api: &Api,
        now: UnixTime,
    ) -> Result<AccessGranted, VerifyError> {
        let held = self.look_up(presented.as_ref())?;
        held.check_revoked()?;
        held.check_age(now)?;
        held.check_api(api)?;
        Ok(AccessGranted {
            api: held.api.clone(),
            is_previous: held.is_previous,
            accepted_until: held.accepted_until,
        })
    }

    /// The token that `presented` is, whatever its age and API.
    pub(crate) fn look_up(&self, presented: &[u8]) -> Result<&Held, Reason> {
        if presented.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLongForAccessToken);
        }
        // After the comparison, whose work depends on nothing: no token has white space.
        (self.find(&TokenDigest::of(presented)))
            .ok_or_else(|| unreadable(presented, Reason::UnknownAccessToken))
    }

    /// Compares with every token, whatever it finds: the work until the verdict depends
    /// only on their number. No two tokens are the same, so the combined places are the
    /// one match, or none.
    fn find(&self, presented: &TokenDigest) -> Option<&Held> {
        let place = (1..).zip(&self.held).fold(0, |found, (place, held)| {
            // Hidden from the compiler, which could turn it into a branch.
            let is_it = usize::from(black_box(held.is(presented)));
            found + place * is_it
        });
        self.held.get(usize::checked_sub(place, 1)?)
    }

    /// The number of configured tokens.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// The APIs that have a token that is not revoked.
    pub fn apis(&self) -> impl Iterator<Item = &Api> {
        self.current().map(|held| &held.api)
    }

    /// The current token of each API.
    pub(super) fn current(&self) -> impl Iterator<Item = &Held> {
        self.accepted().filter(|held| !held.is_previous)
    }

    /// The previous token of an API.
    pub(super) fn previous(&self, api: &Api) -> Option<&Held> {
        (self.accepted()).find(|held| held.is_previous && held.api == *api)
    }

    /// The tokens that are accepted as far as their age and the clock allow.
    pub(super) fn accepted(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| !held.is_revoked)
    }
}

impl Held {
    fn is(&self, digest: &TokenDigest) -> bool {
        self.given.digest.is(digest)
    }

    /// Merges another entry of this token, one of which revokes it: all that either says
    /// counts.
    fn is_revoked_by(&mut self, other: Self) {
        if !other.is_revoked || self.issued.is_none() {
            self.api = other.api;
            self.issued = other.issued.or(self.issued);
        }
        self.is_revoked = true;
    }

    pub(crate) const fn check_revoked(&self) -> Result<(), Reason> {
        if self.is_revoked {
            return Err(Reason::AccessTokenRevoked);
        }
        Ok(())
    }

    pub(crate) fn check_age(&self, now: UnixTime) -> Result<(), Reason> {
        if self.ahead_at(now).is_some() {
            return Err(Reason::AccessTokenAhead);
        }
        if now >= self.accepted_until {
            return Err(Reason::AccessTokenExpired);
        }
        Ok(())
    }

    /// When it was issued, if that is dated too far ahead.
    pub(super) fn ahead_at(&self, now: UnixTime) -> Option<UnixTime> {
        (self.issued).filter(|issued| rotation::is_ahead(*issued, now))
    }

    /// From when it is accepted, if its issue is dated too far ahead.
    pub(crate) fn accepted_from(&self, now: UnixTime) -> Option<UnixTime> {
        self.ahead_at(now).map(rotation::accepted_from)
    }

    pub(crate) fn check_api(&self, api: &Api) -> Result<(), Reason> {
        if self.api != *api {
            return Err(Reason::OtherApi);
        }
        Ok(())
    }
}

/// Proof that a token was accepted for the API that it belongs to.
///
/// Only [`AccessTokens`] creates one. It contains nothing of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGranted {
    api: Api,
    is_previous: bool,
    accepted_until: UnixTime,
}

impl AccessGranted {
    /// The API that the token belongs to, which is the one that was called.
    pub const fn api(&self) -> &Api {
        &self.api
    }

    /// Whether it was the API's previous token: GO does not use the current one yet.
    pub const fn is_previous(&self) -> bool {
        self.is_previous
    }

    /// The first moment at which the token will be rejected.
    pub const fn accepted_until(&self) -> UnixTime {
        self.accepted_until
    }
}

#[cfg(test)]
mod tests;
