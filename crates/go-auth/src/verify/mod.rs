//! `go-auth verify`: why a token is accepted or rejected.

mod advice;
mod args;
mod circumstances;
mod input;
mod report;
mod text;

pub(crate) use self::args::VerifyArgs;
use self::circumstances::Circumstances;
use self::input::Given;
use self::report::Report;
use crate::connection_error;
use crate::console::{Console, Exit, Failure, block_on};
use crate::settings::{self, Settings};
use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::{Clock, SystemClock, UnixTime};
use derbysoft_go_auth::inspect::{self, Judge, Verdict, rfc3339, show};
use derbysoft_go_auth::keys::KeySet;

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
    let Settings { config, reading } = Settings::read(&args.settings, console)?;
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
        let wrong = "--at is not a time such as 2026-11-01T00:00:00Z or 1793491200";
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
            from: "the file given by --keys".to_owned(),
            set: KeySet::from_document(document).map_err(|error| error.to_string()),
        }));
    }
    let Some(address) = judge.address(issuer) else {
        return Ok(None);
    };
    let from = show::plain(address.as_str());
    let visit = block_on(address.visit(connection_error::words))?;
    let fault = visit.fault().unwrap_or_default();
    let set = visit.keys.map_err(|_| fault);
    Ok(Some(Keys { issuer, from, set }))
}
