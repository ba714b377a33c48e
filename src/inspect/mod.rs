//! Why a token is accepted or refused, check by check.
//!
//! The verdict is the gate's own: [`Authority::check`] gives it, on the same token,
//! keys and time, and nothing here can change it. The checks beside it go on after
//! the first that fails, as far as anything can be said: whoever looks for a reason
//! wants to know of all. Each is decided by the function that the verifier decides
//! by. All of it is pure: no keys are fetched and no clock is read.

mod access_token;
mod claimed;
mod credential;
#[cfg(fuzzing)]
pub mod fuzzing;
mod jwt;
mod reading;
mod rules;
pub(crate) mod show;
pub(crate) mod words;

use crate::access_token::Api;
use crate::authenticate::authority::{Authority, Check as Answer};
use crate::clock::UnixTime;
use crate::error::{VerifyError, VerifyErrorKind};
use crate::inbound::{Rejection, RejectionKind};

pub(crate) use self::claimed::Claimed;
pub(crate) use self::credential::of_header;

/// What is found where something is not to be read.
const NOT_READABLE: &str = "not readable";

/// What a token is held against, as of one moment.
pub(crate) struct Ground<'a> {
    /// The gate, with keys that are at hand and a clock that stands at `now`.
    pub(crate) authority: &'a Authority,
    /// The API that the token is to open, where it is an Access Token.
    pub(crate) api: &'a Api,
    pub(crate) now: UnixTime,
    /// Why the keys of the token's issuer could not be had, if they could not.
    pub(crate) no_keys: Option<&'a str>,
}

/// What becomes of a token, and why.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) verdict: Verdict,
    /// In the verifier's order.
    pub(crate) checks: Vec<Check>,
    /// What the token says, as far as it can be read; nothing of an Access Token.
    pub(crate) claimed: Option<Claimed>,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    Valid,
    Refused(Rejection),
    /// Nothing is said about the token.
    Unknown(Rejection),
}

impl Verdict {
    /// A stable name.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }

    pub(crate) const fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Valid => None,
            Self::Refused(rejection) | Self::Unknown(rejection) => Some(rejection),
        }
    }
}

/// One check: what was expected, what was found, and how it ended.
#[derive(Debug)]
pub(crate) struct Check {
    /// A stable name.
    pub(crate) name: &'static str,
    pub(crate) expected: String,
    /// Fit to be shown: see [`show`].
    pub(crate) found: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// With the kind of refusal that it is alone.
    Failed(RejectionKind),
    /// Not reached, or could not be told.
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
pub(crate) fn explain(ground: &Ground<'_>, token: &[u8]) -> Explanation {
    let verdict = match ground.authority.check(token, ground.api) {
        Answer::Done(Ok(_)) => Verdict::Valid,
        // As the gate has it: an unknown key is no verdict while the issuer can't
        // be asked.
        Answer::Done(Err(error))
            if error.kind() == VerifyErrorKind::UnknownKey && ground.no_keys.is_some() =>
        {
            no_verdict()
        }
        Answer::Done(Err(error)) => Verdict::Refused(error.into()),
        // Keys that are at hand are not waited for.
        Answer::Wait(_) => no_verdict(),
    };
    let (checks, claimed) = match &ground.authority.access_tokens {
        Some(held) if !ground.authority.takes_for_jwt(token) => {
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

fn no_verdict() -> Verdict {
    Verdict::Unknown(VerifyError::keys_unavailable(std::time::Duration::ZERO).into())
}

/// Which of the trusted issuers' keys decide about a token; `None` where none do:
/// it is no JWT, or it is refused before keys are looked at.
pub(crate) fn addressee(authority: &Authority, token: &[u8]) -> Option<usize> {
    if authority.access_tokens.is_some() && !authority.takes_for_jwt(token) {
        return None;
    }
    jwt::addressee(authority, token)
}
