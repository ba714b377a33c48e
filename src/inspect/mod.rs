//! Why a token is accepted or rejected, check by check, and what a key address serves.
//!
//! For the command `go-auth`, which depends on exactly this version; not part of the
//! interface. It holds what the command and its gate need of the internals.
//!
//! The verdict is the gate's own: `Authenticator::check` gives it, on the same token,
//! keys and time, and nothing here can change it. The listed checks go on after the first
//! that fails, as far as possible, so that all reasons are shown. Each is decided by the
//! function that the verifier uses. All of it is pure: no keys are fetched and no clock
//! is read.

#![allow(missing_docs, reason = "no part of the interface")]

mod access_token;
mod claimed;
mod credential;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod judge;
mod jwt;
mod reading;
mod rules;
pub mod show;
mod visit;
pub mod words;

use crate::access_token::Api;
use crate::authenticate::authenticator::{Authenticator, Check as Answer};
use crate::clock::UnixTime;
use crate::error::{VerifyError, VerifyErrorKind};
use crate::inbound::{Rejection, RejectionKind};

pub use self::claimed::Claimed;
pub use self::credential::of_header;
pub use self::gate::{
    both, distrust_meanwhile, distrusted, fault, layered, read_settings, reject, take_over, union,
};
pub use self::judge::Judge;
pub use self::visit::{Answer as SeenAnswer, KeyAddress, Refresh, Seen, Visit, key_addresses};
pub use crate::clock::rfc3339;
pub use crate::config::layers::{Flag, Reading};
pub use crate::config::settings::{FlagOf, Part, SETTINGS, Setting};
pub use crate::jwt::jwks::inspect::{Inspected, inspect};
pub use crate::net::{address, bounded_http};

/// Shown for what can't be read.
const NOT_READABLE: &str = "not readable";

/// What a token is checked against, as of one moment.
struct Ground<'a> {
    /// The gate, with stored keys and a clock fixed at `now`.
    authenticator: &'a Authenticator,
    /// The API that an Access Token is checked for.
    api: &'a Api,
    now: UnixTime,
    /// Why the keys of the token's issuer could not be fetched, if so.
    no_keys: Option<&'a str>,
}

/// The verdict on a token, and why.
#[derive(Debug)]
pub struct Explanation {
    pub verdict: Verdict,
    /// In the verifier's order.
    pub checks: Vec<Check>,
    /// What the token says, as far as it can be read; nothing of an Access Token.
    pub claimed: Option<Claimed>,
}

#[derive(Debug)]
pub enum Verdict {
    Valid,
    Refused(Rejection),
    /// Nothing is known about the token.
    Unknown(Rejection),
}

impl Verdict {
    /// A stable name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }

    pub const fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Valid => None,
            Self::Refused(rejection) | Self::Unknown(rejection) => Some(rejection),
        }
    }
}

/// One check: what was expected, what was found, and how it ended.
#[derive(Debug)]
pub struct Check {
    /// A stable name.
    pub name: &'static str,
    pub expected: String,
    /// Safe to display: see [`show`].
    pub found: String,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// With the kind of the rejection that it alone would cause.
    Failed(RejectionKind),
    /// Not reached, or undecidable.
    Open,
}

impl Check {
    fn new(
        name: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
        outcome: impl Into<Outcome>,
    ) -> Self {
        Self {
            name,
            expected: expected.into(),
            found: found.into(),
            outcome: outcome.into(),
        }
    }
}

impl From<Result<(), crate::error::Reason>> for Outcome {
    fn from(result: Result<(), crate::error::Reason>) -> Self {
        result.map_or_else(
            |reason| Self::Failed(RejectionKind::Token(reason.kind())),
            |()| Self::Passed,
        )
    }
}

/// Explains a token, given as in the `Authorization` header without its scheme.
fn explain(ground: &Ground<'_>, token: &[u8]) -> Explanation {
    let verdict = match ground.authenticator.check(token, ground.api) {
        Answer::Done(Ok(_)) => Verdict::Valid,
        // As in the gate: an unknown key is no verdict while the issuer can't be asked.
        Answer::Done(Err(error))
            if error.kind() == VerifyErrorKind::UnknownKey && ground.no_keys.is_some() =>
        {
            no_verdict()
        }
        Answer::Done(Err(error)) => Verdict::Refused(error.into()),
        // Stored keys are not waited for.
        Answer::Wait(_) => no_verdict(),
    };
    let (checks, claimed) = match &ground.authenticator.access_tokens {
        Some(held) if !ground.authenticator.takes_for_jwt(token) => {
            (access_token::checks(ground, &held.load(), token), None)
        }
        _ => jwt::checks(ground, token),
    };
    Explanation {
        verdict,
        checks,
        claimed,
    }
}

/// Whether a rejection concerns an Access Token that was not even looked up.
pub fn is_of_access_token(rejection: &Rejection) -> bool {
    rejection.is_of_access_token()
}

fn no_verdict() -> Verdict {
    Verdict::Unknown(VerifyError::keys_unavailable(std::time::Duration::ZERO).into())
}

/// Which trusted issuer's keys decide about a token; `None` if none do: it is no JWT, or
/// it is rejected before keys are looked up.
fn addressee(authenticator: &Authenticator, token: &[u8]) -> Option<usize> {
    if authenticator.access_tokens.is_some() && !authenticator.takes_for_jwt(token) {
        return None;
    }
    jwt::addressee(authenticator, token)
}
