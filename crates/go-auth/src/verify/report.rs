//! What `go-auth verify` says to machines.

use serde::Serialize;

use super::circumstances::Circumstances;
use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::inspect::{Check, Claimed, Explanation, Outcome};

/// A contract: see `docs/guide/cli.md`.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    verdict: &'static str,
    kind: Option<&'static str>,
    detail: Option<&'static str>,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_from: Option<&'a str>,
    checks: Vec<CheckReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a Claimed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct CheckReport<'a> {
    check: &'static str,
    expected: &'a str,
    found: &'a str,
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

impl<'a> Report<'a> {
    pub(super) fn of(
        explanation: &'a Explanation,
        circumstances: &'a Circumstances,
        next: Option<&'a str>,
    ) -> Self {
        let rejection = explanation.verdict.rejection();
        Self {
            verdict: explanation.verdict.as_str(),
            kind: rejection.map(|rejection| rejection.kind().as_str()),
            detail: rejection.map(Rejection::detail),
            at: circumstances.now.to_string(),
            keys_from: circumstances.keys_from.as_deref(),
            checks: explanation.checks.iter().map(CheckReport::of).collect(),
            token: explanation.claimed.as_ref(),
            next,
        }
    }
}

impl<'a> CheckReport<'a> {
    fn of(check: &'a Check) -> Self {
        let (ok, kind) = match check.outcome {
            Outcome::Passed => (Some(true), None),
            Outcome::Failed(kind) => (Some(false), Some(kind.as_str())),
            Outcome::Open => (None, None),
        };
        Self {
            check: check.name,
            expected: &check.expected,
            found: &check.found,
            ok,
            kind,
        }
    }
}
