//! The readers of untrusted text, for the targets in `fuzz/`: built with `--cfg fuzzing`
//! alone, and not part of the interface.
#![allow(missing_docs)]

use std::time::Duration;

use crate::clock::UnixTime;
use crate::jwt::claims::ClaimsView;
use crate::jwt::jws::Header;
use crate::{keys, outbound};

/// The `kid` of an accepted JOSE header.
pub fn header(document: &[u8]) -> Option<String> {
    let header = Header::read(document).ok()?;
    Some(header.kid.into_owned())
}

/// The registered claims as read.
#[derive(Debug)]
pub struct Claims {
    pub issuer: Option<String>,
    pub audiences: Option<Vec<String>>,
    pub subject: Option<String>,
    pub token_id: Option<String>,
    /// `exp`, `nbf` and `iat`, since the epoch.
    pub times: [Option<Duration>; 3],
}

/// The claims of a well-formed payload.
pub fn claims(payload: &[u8]) -> Option<Claims> {
    let view = ClaimsView::read(str::from_utf8(payload).ok()?).ok()?;
    let text = |text: crate::jwt::json::Text<'_>| text.decode().into_owned();
    Some(Claims {
        issuer: view.issuer.map(text),
        audiences: (view.audience).map(|audience| audience.iter().map(text).collect()),
        subject: view.subject.map(text),
        token_id: view.token_id.map(text),
        times: [view.expires_at, view.not_before, view.issued_at]
            .map(|time| time.map(UnixTime::since_epoch)),
    })
}

/// The address of the key set, if `body` is a discovery document fetched from `address`
/// and may be followed.
pub fn discovered(address: &str, body: &[u8]) -> Option<String> {
    let address = address.parse().ok()?;
    let url = keys::discovered(&address, body).ok().flatten();
    url.map(Into::into)
}

/// How long the token in an answer of the token endpoint is valid.
pub fn token_answer(body: &[u8], asked: UnixTime) -> Option<Duration> {
    outbound::token_answer(body, asked)
}
