//! The checks of an Access Token. Nothing of the token is shown.

use memchr::memchr_iter;

use super::words::{duration, relative};
use super::{Check, Ground, Outcome};
use crate::access_token::{AccessTokens, MAX_TOKEN_BYTES};
use crate::error::Reason;

pub(super) fn checks(ground: &Ground<'_>, held: &AccessTokens, token: &[u8]) -> Vec<Check> {
    let found = held.look_up(token);
    let too_long = found
        .as_ref()
        .is_err_and(|reason| *reason == Reason::TooLongForAccessToken);
    let mut checks = vec![
        Check::new(
            "form",
            "two dots in a JWT, none or others in an Access Token",
            form(ground, token),
            Outcome::Passed,
        ),
        Check::new(
            "length",
            format!("at most {MAX_TOKEN_BYTES} bytes"),
            format!("{} bytes", token.len()),
            if too_long {
                Err(Reason::TooLongForAccessToken)
            } else {
                Ok(())
            },
        ),
    ];
    let expected = format!("one of the {} Access Tokens held", held.len());
    let api = format!("a token of {}", ground.api);
    let open = |name, expected: &str| Check::new(name, expected, "not looked at", Outcome::Open);
    match found {
        Ok(held) if held.check_revoked().is_err() => checks.extend([
            Check::new("token", expected, "revoked", held.check_revoked()),
            open("exp", "still accepted"),
            open("api", &api),
        ]),
        Ok(held) => {
            let age = held.check_age(ground.now);
            checks.extend([
                Check::new("token", expected, which(held.is_previous), Ok(())),
                Check::new(
                    "exp",
                    "still accepted",
                    match (age, held.accepted_from(ground.now)) {
                        (_, Some(from)) => {
                            format!("accepted from {from}, {}", relative(from, ground.now))
                        }
                        (Ok(()), None) => format!(
                            "accepted for another {}, until {}",
                            duration(held.accepted_until.saturating_since(ground.now)),
                            held.accepted_until
                        ),
                        (Err(_), None) => format!(
                            "accepted until {}, {}",
                            held.accepted_until,
                            relative(held.accepted_until, ground.now)
                        ),
                    },
                    age,
                ),
                Check::new(
                    "api",
                    api,
                    format!("a token of {}", held.api),
                    held.check_api(ground.api),
                ),
            ]);
        }
        Err(_) if too_long => checks.extend([
            open("token", &expected),
            open("exp", "still accepted"),
            open("api", &api),
        ]),
        Err(reason) => checks.extend([
            Check::new("token", expected, "none of them", Err(reason)),
            open("exp", "still accepted"),
            open("api", &api),
        ]),
    }
    checks
}

const fn which(is_previous: bool) -> &'static str {
    if is_previous {
        "the previous token of its API"
    } else {
        "the current token of its API"
    }
}

/// What the token is taken for, and why.
fn form(ground: &Ground<'_>, token: &[u8]) -> String {
    let dots = memchr_iter(b'.', token).count();
    let dots = match dots {
        0 => "no dot".to_owned(),
        1 => "one dot".to_owned(),
        _ => format!("{dots} dots"),
    };
    if ground.authenticator.issuers.trusted.is_empty() {
        format!("{dots}; only Access Tokens are accepted here")
    } else {
        format!("{dots}: taken for an Access Token")
    }
}
