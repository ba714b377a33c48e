//! `go-auth verify`: why a token is accepted or refused.

mod advice;
mod circumstances;
mod text;

use serde::Serialize;

use self::circumstances::Circumstances;
use super::Exit;
use super::args::VerifyArgs;
use super::console::{Console, Failure, block_on};
use super::input::{self, Given};
use super::settings::{self, Settings};
use super::trouble;
use derbysoft_go_auth::Api;
use derbysoft_go_auth::KeySet;
use derbysoft_go_auth::inspect::rfc3339;
use derbysoft_go_auth::inspect::{self, Claimed, Explanation, Judge, Outcome, Verdict, show};
use derbysoft_go_auth::{Clock, SystemClock, UnixTime};

pub(super) fn run(args: &VerifyArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let at = args.at.as_deref().map(moment).transpose()?;
    let api = match &args.api {
        Some(name) => Api::new(name).map_err(|error| Failure::Usage(format!("--api: {error}")))?,
        None => Api::AVAILABILITY_PEER,
    };
    let document = args
        .keys
        .as_deref()
        .map(settings::read_document)
        .transpose();
    let document = document.map_err(|error| Failure::of_file("--keys", &error))?;
    let Settings { config, reading } = Settings::read(Some(&args.rules), &args.fetching, console)?;
    let mut judge = Judge::of(config, reading, document.is_some())?;
    let input = input::read(args.token_file.as_deref(), console)?;
    let token = match input::given(&input) {
        Given::Header(value) => inspect::of_header(value),
        Given::Token(token) => Ok(token.to_vec().into()),
    };
    let keys = match &token {
        Ok(token) => keys(&judge, token, document.as_deref())?,
        Err(_) => None,
    };

    let now = at.unwrap_or_else(|| SystemClock::default().now());
    let mut circumstances = Circumstances {
        now,
        is_now_given: at.is_some(),
        keys_from: None,
        are_keys_given: document.is_some(),
        kids: Vec::new(),
        max_token_bytes: judge.max_token_bytes(),
    };
    let mut no_keys = None;
    if let Some(Keys { issuer, from, set }) = keys {
        circumstances.keys_from = Some(from);
        match set {
            Ok(keys) => {
                circumstances.kids = keys.keys().map(|(kid, _)| show::quoted(kid)).collect();
                judge.give(issuer, keys);
            }
            Err(why) => no_keys = Some(why),
        }
    }
    let explanation = token.map_or_else(
        |explanation| *explanation,
        |token| judge.explain(&token, &api, now, no_keys.as_deref()),
    );
    let next =
        (explanation.verdict.rejection()).map(|rejection| advice::next(rejection, &circumstances));
    let report = Report::of(&explanation, &circumstances, next.as_deref());
    console.say(&report, |terminal| {
        text::text(&explanation, &circumstances, next.as_deref(), terminal)
    })?;
    Ok(match explanation.verdict {
        Verdict::Valid => Exit::Good,
        Verdict::Refused(_) => Exit::Bad,
        Verdict::Unknown(_) => Exit::Unknown,
    })
}

/// RFC 3339, or seconds since 1970.
fn moment(text: &str) -> Result<UnixTime, Failure> {
    let seconds = || text.parse().ok().map(UnixTime::from_secs);
    rfc3339::parse(text).or_else(seconds).ok_or_else(|| {
        let wrong = "--at is no time such as 2026-11-01T00:00:00Z or 1793491200";
        Failure::Usage(wrong.to_owned())
    })
}

/// The keys that decide about a token, or why they can't be had.
struct Keys {
    /// Whose they are.
    issuer: usize,
    from: String,
    set: Result<KeySet, String>,
}

/// `None` where no keys decide.
fn keys(judge: &Judge, token: &[u8], document: Option<&[u8]>) -> Result<Option<Keys>, Failure> {
    let Some(issuer) = judge.addressee(token) else {
        return Ok(None);
    };
    if let Some(document) = document {
        return Ok(Some(Keys {
            issuer,
            from: "the file of --keys".to_owned(),
            set: KeySet::from_document(document).map_err(|error| error.to_string()),
        }));
    }
    let Some(address) = judge.address(issuer) else {
        return Ok(None);
    };
    let from = show::plain(address.as_str());
    let visit = block_on(address.visit(trouble::words))?;
    let fault = visit.fault().unwrap_or_default();
    let set = visit.keys.map_err(|_| fault);
    Ok(Some(Keys { issuer, from, set }))
}

/// The same for a machine: a contract, told in `docs/guide/cli.md`.
#[derive(Serialize)]
struct Report<'a> {
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
    fn of(
        explanation: &'a Explanation,
        circumstances: &'a Circumstances,
        next: Option<&'a str>,
    ) -> Self {
        let rejection = explanation.verdict.rejection();
        Self {
            verdict: explanation.verdict.as_str(),
            kind: rejection.map(|rejection| rejection.kind().as_str()),
            detail: rejection.map(derbysoft_go_auth::Rejection::detail),
            at: circumstances.now.to_string(),
            keys_from: circumstances.keys_from.as_deref(),
            checks: (explanation.checks.iter())
                .map(|check| CheckReport {
                    check: check.name,
                    expected: &check.expected,
                    found: &check.found,
                    ok: match check.outcome {
                        Outcome::Passed => Some(true),
                        Outcome::Failed(_) => Some(false),
                        Outcome::Open => None,
                    },
                    kind: match check.outcome {
                        Outcome::Failed(kind) => Some(kind.as_str()),
                        _ => None,
                    },
                })
                .collect(),
            token: explanation.claimed.as_ref(),
            next,
        }
    }
}
