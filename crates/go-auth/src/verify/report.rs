//! What is reported of a token, to people and to machines.

use serde::Serialize;

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::inspect::{Check, Claimed, Verdict};

/// A contract: see `docs/guide/cli.md`.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) verdict: Verdict,
    pub(super) kind: Option<&'static str>,
    pub(super) detail: Option<&'static str>,
    pub(super) at: UnixTime,
    #[serde(skip)]
    pub(super) is_at_given: bool,
    /// Where the token was found; `None` if it was given alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_from: Option<String>,
    /// `None` where no keys were needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keys_from: Option<String>,
    pub(super) checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Claimed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}
