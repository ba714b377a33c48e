//! The checks of an Access Token. Nothing of the token is shown.

use memchr::memchr_iter;

use super::words::{duration, relative};
use super::{Check, Ground, length};
use crate::access_token::{AccessTokens, MAX_TOKEN_BYTES};
use crate::error::Reason;

pub(super) fn checks(ground: &Ground<'_>, held: &AccessTokens, token: &[u8]) -> Vec<Check> {
    let (count, now) = (held.len(), ground.now);
    let found = held.look_up(token);
    let open = || ("not looked at".to_owned(), None);
    let (which, age, api) = match found {
        Ok(held) if held.check_revoked().is_err() => {
            let which = ("revoked".to_owned(), Some(held.check_revoked()));
            (which, open(), open())
        }
        Ok(held) => {
            let which = if held.is_previous {
                "the previous token of its API"
            } else {
                "the current token of its API"
            };
            let (age, until) = (held.check_age(now), held.accepted_until);
            let words = match (age, held.accepted_from(now)) {
                (_, Some(from)) => format!("accepted from {from}, {}", relative(from, now)),
                (Ok(()), None) => {
                    let left = duration(until.saturating_since(now));
                    format!("accepted for another {left}, until {until}")
                }
                (Err(_), None) => format!("accepted until {until}, {}", relative(until, now)),
            };
            let api = format!("a token of {}", held.api);
            (
                (which.to_owned(), Some(Ok(()))),
                (words, Some(age)),
                (api, Some(held.check_api(ground.api))),
            )
        }
        Err(Reason::TooLongForAccessToken) => (open(), open(), open()),
        Err(reason) => {
            let which = ("none of them".to_owned(), Some(Err(reason)));
            (which, open(), open())
        }
    };
    let kind = "two dots in a JWT, none or others in an Access Token";
    let one_of = format!("one of the {count} Access Tokens held");
    let of_api = format!("a token of {}", ground.api);
    vec![
        Check::new("form", kind, form(ground, token), Some(Ok(()))),
        length(token, MAX_TOKEN_BYTES, Reason::TooLongForAccessToken),
        Check::new("token", one_of, which.0, which.1),
        Check::new("exp", "still accepted", age.0, age.1),
        Check::new("api", of_api, api.0, api.1),
    ]
}

/// What the token is taken for, and why.
fn form(ground: &Ground<'_>, token: &[u8]) -> String {
    let dots = match memchr_iter(b'.', token).count() {
        0 => "no dot".to_owned(),
        1 => "one dot".to_owned(),
        dots => format!("{dots} dots"),
    };
    if ground.authenticator.issuers.trusted.is_empty() {
        format!("{dots}; only Access Tokens are accepted here")
    } else {
        format!("{dots}: taken for an Access Token")
    }
}
