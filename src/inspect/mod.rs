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
mod difference;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod judge;
mod jwt;
mod reading;
mod rules;
mod visit;
pub mod words;

use serde::Serialize;

use crate::access_token::Api;
use crate::authenticate::authenticator::Authenticator;
use crate::clock::UnixTime;
use crate::error::Reason;
use crate::inbound::Rejection;

pub use self::claimed::Claimed;
pub use self::credential::of_header;
pub use self::difference::Difference;
pub use self::gate::{
    both, distrust_meanwhile, distrusted, fault, layered, reject, take_over, union,
};
pub use self::judge::Judge;
pub use self::reading::is_jwt_header;
pub use self::visit::{Answer, KeyAddress, Refresh, Visit, key_addresses, without_query};
pub use crate::clock::rfc3339;
pub use crate::config::layers::{Flag, Reading};
pub use crate::config::settings::{FlagOf, Part, SETTINGS, Setting};
pub use crate::jwt::jwks::inspect::{Inspected, inspect};
pub use crate::net::{address, bounded_http};
pub use crate::observe::refusals::{Counted, PERIOD, Refusals};

/// Makes untrusted text safe to display.
pub mod show {
    pub use crate::show::*;
}

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
    /// Set unless the token is valid.
    pub rejection: Option<Rejection>,
    /// In the verifier's order.
    pub checks: Vec<Check>,
    /// What the token says, as far as it can be read; nothing of an Access Token.
    pub claimed: Option<Claimed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Valid,
    Refused,
    /// Nothing is known about the token.
    Unknown,
}

/// One check: what was expected, what was found, and how it ended.
#[derive(Debug, Serialize)]
pub struct Check {
    /// A stable name.
    #[serde(rename = "check")]
    pub name: &'static str,
    pub expected: String,
    /// Safe to display: see [`show`].
    pub found: String,
    /// `None` if it was not reached, or is undecidable.
    pub ok: Option<bool>,
    /// Of the rejection that a failed check alone would cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Set if a claim failed that is like what was expected, or that can't be compared
    /// with it at a glance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

impl Check {
    fn new(
        name: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
        result: Option<Result<(), Reason>>,
    ) -> Self {
        let reason = result.and_then(Result::err);
        Self {
            name,
            expected: expected.into(),
            found: found.into(),
            ok: result.map(|result| result.is_ok()),
            kind: reason.map(|reason| reason.kind().as_str()),
            difference: None,
        }
    }
}

fn length(token: &[u8], most: usize, too_long: Reason) -> Check {
    let result = (token.len() <= most).then_some(()).ok_or(too_long);
    let (expected, found) = (
        format!("at most {most} bytes"),
        format!("{} bytes", token.len()),
    );
    Check::new("length", expected, found, Some(result))
}

/// Whether a rejection concerns an Access Token that was not even looked up.
pub fn is_of_access_token(rejection: &Rejection) -> bool {
    rejection.is_of_access_token()
}
