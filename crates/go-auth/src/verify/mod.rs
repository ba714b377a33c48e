//! `go-auth verify`: why a token is accepted or rejected.

mod advice;
mod facts;
mod input;
mod pasted;
mod report;
mod text;

use std::path::PathBuf;

use clap::Args;

use self::advice::Circumstances;
pub(super) use self::facts::FACTS;
use self::pasted::Given;
use self::report::Report;
use crate::connection_error;
use crate::console::{Console, Exit, Failure, block_on};
use crate::settings::{self, SettingArgs};
use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::{Clock, SystemClock, UnixTime};
use derbysoft_go_auth::inspect::{self, Judge, Verdict, rfc3339, show};
use derbysoft_go_auth::keys::KeySet;

// What stands here as documentation is the help.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Read the token from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Verify as of this time: RFC 3339, or seconds since 1970. Default: now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// The API that an Access Token has to be for. Default: availability-peer
    #[arg(long, value_name = "NAME")]
    api: Option<String>,

    /// Take the keys from this key-set document instead of fetching them
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingArgs<true>,
}

pub(super) fn run(args: &VerifyArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let at = args.at.as_deref().map(moment).transpose()?;
    let api = match &args.api {
        Some(name) => Api::new(name).map_err(|error| Failure::Usage(format!("--api: {error}")))?,
        None => Api::AVAILABILITY_PEER,
    };
    let document = args.keys.as_deref().map(settings::read_document);
    let document = document
        .transpose()
        .map_err(|error| Failure::of_file("--keys", &error))?;
    let (config, reading) = settings::read(&args.settings, console)?;
    let mut judge = Judge::of(config, reading, document.is_some())?;
    let pasted = input::read(args.token_file.as_deref(), console)?;
    let token_from = pasted.place();
    let token = match pasted.given {
        Given::Header(value) => inspect::of_header(&value),
        Given::Token(token) => Ok(token),
    };
    let keys = match &token {
        Ok(token) => keys(&mut judge, token, document.as_deref())?,
        Err(_) => Keys::default(),
    };

    let now = at.unwrap_or_else(|| SystemClock::default().now());
    let explanation = token.map_or_else(
        |explanation| *explanation,
        |token| judge.explain(&token, &api, now, keys.fault.as_deref()),
    );
    let given = Circumstances {
        now,
        is_now_given: at.is_some(),
        are_keys_given: document.is_some(),
        kids: keys.kids,
        max_token_bytes: judge.max_token_bytes(),
    };
    let rejection = explanation.rejection.as_ref();
    let report = Report {
        verdict: explanation.verdict,
        kind: rejection.map(|rejection| rejection.kind().as_str()),
        detail: rejection.map(Rejection::detail),
        at: now,
        is_at_given: at.is_some(),
        token_from,
        keys_from: keys.from,
        next: rejection.map(|rejection| advice::next(rejection, &given)),
        checks: explanation.checks,
        token: explanation.claimed,
    };
    console.say(&report, |terminal| text::text(&report, terminal))?;
    Ok(match report.verdict {
        Verdict::Valid => Exit::Good,
        Verdict::Refused => Exit::Bad,
        Verdict::Unknown => Exit::Unknown,
    })
}

/// RFC 3339, or seconds since 1970.
fn moment(text: &str) -> Result<UnixTime, Failure> {
    let seconds = || text.parse().ok().map(UnixTime::from_secs);
    rfc3339::parse(text).or_else(seconds).ok_or_else(|| {
        let wrong = "--at is not a time such as 2026-11-01T00:00:00Z or 1793491200";
        Failure::Usage(wrong.to_owned())
    })
}

/// The keys that decide about a token; nothing where none do.
#[derive(Default)]
struct Keys {
    from: Option<String>,
    kids: Vec<String>,
    /// Why they can't be had.
    fault: Option<String>,
}

/// Gives the judge the keys that decide about a token.
fn keys(judge: &mut Judge, token: &[u8], document: Option<&[u8]>) -> Result<Keys, Failure> {
    let Some(issuer) = judge.addressee(token) else {
        return Ok(Keys::default());
    };
    let (from, set) = match (document, judge.address(issuer)) {
        (Some(document), _) => {
            let set = KeySet::from_document(document).map_err(|error| error.to_string());
            ("the file given by --keys".to_owned(), set)
        }
        (None, Some(address)) => {
            let visit = block_on(address.visit(connection_error::words))?;
            let set = (visit.keys).map_err(|_| visit.fault.unwrap_or_default());
            (show::plain(&address.name()), set)
        }
        (None, None) => return Ok(Keys::default()),
    };
    let mut keys = Keys {
        from: Some(from),
        ..Keys::default()
    };
    match set {
        Ok(set) => {
            keys.kids = set.keys().map(|(kid, _)| show::quoted(kid)).collect();
            judge.give(issuer, set);
        }
        Err(why) => keys.fault = Some(why),
    }
    Ok(keys)
}
