//! The tokens that are held, and whether one that is presented is among them.

use std::hint::black_box;

use super::api::Api;
use super::entry::{AccessToken, MAX_TOKEN_BYTES, TokenDigest};
use super::fault::{AccessTokensError, Faults, Place, Wrong};
use super::rotation;
use crate::clock::UnixTime;
use crate::error::{Reason, VerifyError};

/// How many tokens there may be: a current and a previous one of sixteen APIs.
/// GO calls three. Each request's token is compared with all of them.
pub(super) const MAX_TOKENS: usize = 32;

/// The access tokens that let GO in: of each API a current one, and at most one
/// previous.
///
/// Of two tokens of one API the later issued is the current one. How long each is
/// accepted follows from the times of their issue, as GO's document has it:
///
/// | token | accepted until |
/// |---|---|
/// | current | 180 days after its issue |
/// | previous | 7 days after the issue of the current one, or its own 180 days, whichever is sooner |
///
/// So a token is accepted for **180 days at the longest** (and for the time by
/// which its issue is dated ahead, at most 24 h), and for **7 days at the
/// shortest**, where it is renewed at once. All ends at the second named, without
/// leeway. It begins when the token is known here: a token is not refused for an
/// issue that the clock has not reached. Whoever takes a token out of the set ends
/// it at once, which is what to do with one that has leaked.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use derbysoft_go_auth::{AccessToken, AccessTokens, Api, UnixTime};
///
/// let issued = UnixTime::from_secs(1_793_491_200);
/// let tokens = AccessTokens::new(
///     [AccessToken::new(Api::AVAILABILITY_PEER, "53ac077700000000000000000000abcd", issued)],
///     issued,
/// )?;
/// let api = Api::AVAILABILITY_PEER;
/// let granted = tokens.check("53ac077700000000000000000000abcd", &api, issued)?;
/// assert!(!granted.is_previous());
/// assert!(tokens.check("53ac077700000000000000000000abce", &api, issued).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AccessTokens {
    held: Box<[Held]>,
}

/// A token that is held, and what follows from its place among them.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) api: Api,
    digest: TokenDigest,
    pub(super) issued: UnixTime,
    /// It has a successor.
    pub(crate) is_previous: bool,
    /// The first moment at which it is refused.
    pub(crate) accepted_until: UnixTime,
}

/// A token, and where it was given.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) place: Place,
    pub(super) token: AccessToken,
}

impl AccessTokens {
    /// The set of these tokens, as of `now`.
    ///
    /// # Errors
    /// With every fault: a token or digest of another form than it should have;
    /// an issue more than 24 h after `now`; of one API more than two tokens, or two
    /// issued at the same time; the same token twice, for whatever APIs; none, or
    /// more than 32.
    pub fn new(
        tokens: impl IntoIterator<Item = AccessToken>,
        now: UnixTime,
    ) -> Result<Self, AccessTokensError> {
        let located = |(number, token)| Located {
            place: Place::Entry(number),
            token,
        };
        // One more than there may be is enough to know.
        let tokens = (1..).zip(tokens).take(MAX_TOKENS + 1).map(located);
        Self::of(tokens.collect(), now, Faults::default())
    }

    /// Goes on from faults that were found already.
    pub(super) fn of(
        tokens: Vec<Located>,
        now: UnixTime,
        mut faults: Faults,
    ) -> Result<Self, AccessTokensError> {
        if tokens.is_empty() && faults.is_empty() {
            faults.add(None, Wrong::Empty);
        }
        if tokens.len() > MAX_TOKENS {
            faults.add(None, Wrong::TooMany);
        }
        let mut held: Vec<(Place, Held)> = Vec::new();
        for Located { place, token } in tokens {
            let AccessToken {
                api,
                digest,
                issued,
            } = token;
            let Some(digest) = faults.take(place, digest) else {
                continue;
            };
            if !rotation::is_plausible(issued, now) {
                faults.add(place, Wrong::FromTheFuture);
            }
            if held.iter().any(|(_, other)| other.digest.is(&digest)) {
                faults.add(place, Wrong::SameToken);
            }
            held.push((place, Held::new(api, digest, issued)));
        }
        rotate(&mut held, &mut faults);
        faults.into_result()?;
        Ok(Self {
            held: held.into_iter().map(|(_, held)| held).collect(),
        })
    }

    /// Whether `presented` is a token of `api` that is accepted at `now`.
    ///
    /// # Errors
    /// With the kind [`UnknownAccessToken`](crate::VerifyErrorKind::UnknownAccessToken),
    /// [`AccessTokenExpired`](crate::VerifyErrorKind::AccessTokenExpired),
    /// [`WrongApi`](crate::VerifyErrorKind::WrongApi) for one that is accepted, but
    /// of another API, or [`TooLong`](crate::VerifyErrorKind::TooLong) past 256
    /// bytes, which are not looked at.
    pub fn check(
        &self,
        presented: impl AsRef<[u8]>,
        api: &Api,
        now: UnixTime,
    ) -> Result<AccessGranted, VerifyError> {
        let held = self.look_up(presented.as_ref())?;
        held.check_age(now)?;
        held.check_api(api)?;
        Ok(AccessGranted {
            api: held.api.clone(),
            is_previous: held.is_previous,
            accepted_until: held.accepted_until,
        })
    }

    /// The token that `presented` is, whatever its age and its API.
    pub(crate) fn look_up(&self, presented: &[u8]) -> Result<&Held, Reason> {
        if presented.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLongForAccessToken);
        }
        (self.find(&TokenDigest::of(presented))).ok_or(Reason::UnknownAccessToken)
    }

    /// Looks at all that are held, whatever it finds: what it does until the
    /// verdict depends on their number alone. No two are the same, so that the
    /// places found add up to the one, or to none.
    fn find(&self, presented: &TokenDigest) -> Option<&Held> {
        let place = (1..).zip(&self.held).fold(0, |found, (place, held)| {
            // Not known to the compiler, which could make a branch of it.
            let is_it = usize::from(black_box(held.digest.is(presented)));
            found | (place * is_it)
        });
        self.held.get(usize::checked_sub(place, 1)?)
    }

    /// How many tokens are held.
    #[cfg(feature = "cli")]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// The APIs that there are tokens of.
    pub fn apis(&self) -> impl Iterator<Item = &Api> {
        self.current().map(|held| &held.api)
    }

    /// The current token of each API.
    pub(super) fn current(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| !held.is_previous)
    }

    /// The previous token of an API.
    pub(super) fn previous(&self, api: &Api) -> Option<&Held> {
        (self.held.iter()).find(|held| held.is_previous && held.api == *api)
    }
}

impl Held {
    /// A current token.
    fn new(api: Api, digest: TokenDigest, issued: UnixTime) -> Self {
        Self {
            api,
            digest,
            issued,
            is_previous: false,
            accepted_until: rotation::accepted_until(issued, None),
        }
    }

    pub(crate) fn check_age(&self, now: UnixTime) -> Result<(), Reason> {
        if now >= self.accepted_until {
            return Err(Reason::AccessTokenExpired);
        }
        Ok(())
    }

    pub(crate) fn check_api(&self, api: &Api) -> Result<(), Reason> {
        if self.api != *api {
            return Err(Reason::OtherApi);
        }
        Ok(())
    }

    fn succeeded_by(&mut self, successor: UnixTime) {
        self.is_previous = true;
        self.accepted_until = rotation::accepted_until(self.issued, Some(successor));
    }
}

/// Tells current from previous tokens.
fn rotate(held: &mut [(Place, Held)], faults: &mut Faults) {
    for this in 1..held.len() {
        let (earlier, rest) = held.split_at_mut(this);
        let (place, held) = &mut rest[0];
        let mut others = earlier
            .iter_mut()
            .filter(|(_, other)| other.api == held.api);
        let Some((_, other)) = others.next() else {
            continue;
        };
        if others.next().is_some() {
            faults.add(*place, Wrong::Third(held.api.clone()));
        } else if other.issued == held.issued {
            faults.add(*place, Wrong::SameTime(held.api.clone()));
        } else if other.issued < held.issued {
            other.succeeded_by(held.issued);
        } else {
            held.succeeded_by(other.issued);
        }
    }
}

/// Proof that a token was accepted, for the API that it belongs to.
///
/// Only [`AccessTokens`] make one. Nothing of the token is in it.
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

    /// Whether it was the API's previous token: GO has not taken up the current
    /// one yet.
    pub const fn is_previous(&self) -> bool {
        self.is_previous
    }

    /// The first moment at which the token will be refused.
    pub const fn accepted_until(&self) -> UnixTime {
        self.accepted_until
    }
}

#[cfg(test)]
mod tests;
