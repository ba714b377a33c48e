//! The checks of a JWT, in the verifier's order.

use std::borrow::Cow;

use super::claimed::Claimed;
use super::reading::{Decoded, Reading};
use super::show::{list, quoted, value};
use super::{Check, Ground, NOT_READABLE, Outcome, rules};
use crate::authenticate::authenticator::{Authenticator, Issuer};
use crate::error::Reason;
use crate::jwt::jws::MAX_KID_BYTES;

/// The `kid` to look up, and whose key it is; `None` if the token is rejected before any
/// key is looked up.
fn wanted_key<'d, 'i>(
    decoded: &Decoded<'_>,
    reading: &Reading<'d>,
    picked: Option<&'i Issuer>,
) -> Option<(Cow<'d, str>, &'i Issuer)> {
    decoded.signed()?;
    reading.members()?.check_algorithm().ok()?;
    Some((reading.key_id()?, picked?))
}

pub(super) fn addressee(authenticator: &Authenticator, token: &[u8]) -> Option<usize> {
    let decoded = Decoded::of(token);
    let reading = Reading::of(&decoded);
    let picked = reading.pick(&authenticator.issuers).ok();
    let (_, wanted) = wanted_key(&decoded, &reading, picked)?;
    (authenticator.issuers.trusted.iter()).position(|issuer| std::ptr::eq(issuer, wanted))
}

pub(super) fn checks(ground: &Ground<'_>, token: &[u8]) -> (Vec<Check>, Option<Claimed>) {
    let decoded = Decoded::of(token);
    let reading = Reading::of(&decoded);
    let issuers = &ground.authenticator.issuers;
    let picked = reading.pick(issuers);
    let mut checks = vec![
        length(issuers.max_token_bytes, token),
        form(token, &decoded),
        header(&reading),
        algorithm(&reading),
        key_id(&reading),
    ];
    checks.extend(key_and_signature(ground, &decoded, &reading, picked.ok()));
    checks.extend(rules::checks(ground, &reading, picked));
    (checks, Claimed::of(&reading))
}

fn length(most: usize, token: &[u8]) -> Check {
    let result = if token.len() > most {
        Err(Reason::TooLong)
    } else {
        Ok(())
    };
    let found = format!("{} bytes", token.len());
    Check::new("length", format!("at most {most} bytes"), found, result)
}

fn form(token: &[u8], decoded: &Decoded<'_>) -> Check {
    let (found, result) = match decoded.each() {
        None => {
            let segments = token.split(|byte| *byte == b'.').count();
            let found = match segments {
                1 => "no dot: one segment".to_owned(),
                _ => format!("{segments} segments"),
            };
            (found, Err(Reason::NotThreeSegments))
        }
        Some(segments) => {
            let mut start = 0;
            let mut faults = Vec::new();
            for (name, segment, is_decoded) in segments {
                if !is_decoded {
                    faults.push(format!("the {name} has {}", misspelling(segment, start)));
                }
                start += segment.len() + 1;
            }
            if faults.is_empty() {
                ("three segments".to_owned(), Ok(()))
            } else {
                (faults.join("; "), Err(Reason::NotBase64url))
            }
        }
    };
    let expected = "three base64url segments";
    Check::new("form", expected, found, result)
}

/// Why a segment is not canonical base64url; `start` is its place in the token. Nothing
/// of the segment is shown.
fn misspelling(segment: &[u8], start: usize) -> String {
    let foreign = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_');
    let Some(at) = segment.iter().position(foreign) else {
        return if segment.len() % 4 == 1 {
            "a length that base64url can't have: it was cut or grew".to_owned()
        } else {
            "bits left over at its end: it was cut or changed".to_owned()
        };
    };
    let what = match segment[at] {
        b' ' | b'\t' => "a space",
        b'\r' | b'\n' => "a line end",
        b'=' => "padding (=)",
        b'+' | b'/' => "a character of the other base64 (+ or /)",
        _ => "a character that is none of base64url",
    };
    format!("{what} as byte {} of the token", start + at + 1)
}

fn header(reading: &Reading<'_>) -> Check {
    let (found, outcome) = match &reading.header {
        None => (NOT_READABLE.to_owned(), Outcome::Open),
        Some(Err(reason)) => (reason.text().to_owned(), Err(*reason).into()),
        Some(Ok(members)) => {
            let names = list(reading.header_names().iter().map(|name| quoted(name)));
            match members.check_meaning() {
                Ok(()) => (names, Outcome::Passed),
                Err(reason) => (format!("{}: {names}", reason.text()), Err(reason).into()),
            }
        }
    };
    let expected = "strict, nothing critical";
    Check::new("header", expected, found, outcome)
}

fn algorithm(reading: &Reading<'_>) -> Check {
    let (found, outcome) = match reading.members() {
        None => (NOT_READABLE.to_owned(), Outcome::Open),
        Some(members) => (
            members.alg.map_or_else(|| "absent".to_owned(), value),
            members.check_algorithm().into(),
        ),
    };
    Check::new("alg", "\"RS256\"", found, outcome)
}

fn key_id(reading: &Reading<'_>) -> Check {
    let (found, outcome) = match reading.members() {
        None => (NOT_READABLE.to_owned(), Outcome::Open),
        Some(members) => (
            members.kid.map_or_else(|| "absent".to_owned(), value),
            members.key_id().map(drop).into(),
        ),
    };
    let expected = format!("a string, 1 to {MAX_KID_BYTES} bytes");
    Check::new("kid", expected, found, outcome)
}

fn key_and_signature(
    ground: &Ground<'_>,
    decoded: &Decoded<'_>,
    reading: &Reading<'_>,
    picked: Option<&Issuer>,
) -> [Check; 2] {
    let signature = |found: String, outcome: Outcome| {
        Check::new("signature", "RS256 by that key", found, outcome)
    };
    let keyless = |expected: &str, found: String, outcome: Outcome| {
        let key = Check::new("key", expected, found, outcome);
        [key, signature("not checked".to_owned(), Outcome::Open)]
    };
    let any = "one of the issuer's keys";
    let (Some((kid, issuer)), Some((input, bytes))) =
        (wanted_key(decoded, reading, picked), decoded.signed())
    else {
        return keyless(any, "not looked for".to_owned(), Outcome::Open);
    };
    if let Some(why) = ground.no_keys {
        return keyless(any, format!("no keys to be had: {why}"), Outcome::Open);
    }
    let published = issuer.keys.load(ground.now);
    let keys = published.keys(ground.now);
    let expected = match keys.len() {
        1 => "the issuer's one key".to_owned(),
        n => format!("one of the issuer's {n} keys"),
    };
    let Some(key) = keys.get(&kid) else {
        if keys.distrusts(&kid) {
            let found = "distrusted by the settings".to_owned();
            return keyless(&expected, found, Err(Reason::DistrustedKey).into());
        }
        let found = "none has this kid".to_owned();
        return keyless(&expected, found, Err(Reason::UnknownKey).into());
    };
    let size = key.modulus_bits().div_ceil(8);
    let (found, result) = if key.verifies(input, bytes) {
        ("valid".to_owned(), Ok(()))
    } else if bytes.len() == size {
        ("not valid".to_owned(), Err(Reason::BadSignature))
    } else {
        let found = format!("not valid: {} bytes, and not {size}", bytes.len());
        (found, Err(Reason::BadSignature))
    };
    let of_key = format!("RSA, {} bits", key.modulus_bits());
    [
        Check::new("key", expected, of_key, Outcome::Passed),
        signature(found, result.into()),
    ]
}
