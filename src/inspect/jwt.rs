//! The checks of a JWT, in the verifier's order.

use std::borrow::Cow;

use super::claimed::Claimed;
use super::reading::{Decoded, Reading, members};
use super::show::{list, quoted};
use super::{Check, Ground, NOT_READABLE, length, rules};
use crate::authenticate::authenticator::{Authenticator, Issuer};
use crate::error::Reason;
use crate::jwt::json::Value;
use crate::jwt::jws::{MAX_KID_BYTES, unreadable};

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
        length(token, issuers.max_token_bytes, Reason::TooLong),
        form(token, &decoded),
        header(&decoded, &reading),
    ];
    let found = reading.members();
    let absent = || "absent".to_owned();
    let member = |name, expected: &str, value: Option<(String, _)>| {
        let (found, outcome) = value.unzip();
        let found = found.unwrap_or_else(|| NOT_READABLE.to_owned());
        Check::new(name, expected, found, outcome)
    };
    let alg = found.map(|it| {
        (
            it.alg.map_or_else(absent, Value::shown),
            it.check_algorithm(),
        )
    });
    let kid = found.map(|it| {
        (
            it.kid.map_or_else(absent, Value::shown),
            it.key_id().map(drop),
        )
    });
    let of_kid = format!("a string, 1 to {MAX_KID_BYTES} bytes");
    checks.push(member("alg", "\"RS256\"", alg));
    checks.push(member("kid", &of_kid, kid));
    checks.extend(key_and_signature(ground, &decoded, &reading, picked.ok()));
    checks.extend(rules::checks(ground, &reading, picked));
    (checks, Claimed::of(&reading))
}

fn form(token: &[u8], decoded: &Decoded<'_>) -> Check {
    let (found, result) = match decoded.segments {
        None => {
            let segments = token.split(|byte| *byte == b'.').count();
            let found = match segments {
                1 => "no dot: one segment".to_owned(),
                _ => format!("{segments} segments"),
            };
            (found, Err(Reason::NotThreeSegments))
        }
        Some(it) => {
            let mut start = 0;
            let mut faults = Vec::new();
            let names = ["header", "payload", "signature"]
                .iter()
                .zip(&decoded.parts);
            for (segment, (name, part)) in [it.header, it.payload, it.signature].iter().zip(names) {
                if part.is_none() {
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
    // What stands around the token is why its segments are wrong.
    let around = result.map_err(|reason| unreadable(token, reason));
    let found = match around {
        Err(reason) if around != result => reason.text().to_owned(),
        _ => found,
    };
    Check::new("form", "three base64url segments", found, Some(around))
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

fn header(decoded: &Decoded<'_>, reading: &Reading<'_>) -> Check {
    let (found, outcome) = match &reading.header {
        None => (NOT_READABLE.to_owned(), None),
        Some(Err(reason)) => (reason.text().to_owned(), Some(Err(*reason))),
        Some(Ok(header)) => {
            let text = decoded.parts[0].as_deref().map(str::from_utf8);
            let members = members(text.and_then(Result::ok).unwrap_or_default());
            let names = list(members.iter().map(|(name, _)| quoted(name)));
            let result = header.check_meaning();
            let found = match result {
                Ok(()) => names,
                Err(reason) => format!("{}: {names}", reason.text()),
            };
            (found, Some(result))
        }
    };
    Check::new("header", "strict, nothing critical", found, outcome)
}

fn key_and_signature(
    ground: &Ground<'_>,
    decoded: &Decoded<'_>,
    reading: &Reading<'_>,
    picked: Option<&Issuer>,
) -> [Check; 2] {
    let checks = |expected: &str, key: (String, _), signature: (&str, _)| {
        [
            Check::new("key", expected, key.0, key.1),
            Check::new("signature", "RS256 by that key", signature.0, signature.1),
        ]
    };
    let keyless =
        |expected, found, outcome| checks(expected, (found, outcome), ("not checked", None));
    let any = "one of the issuer's keys";
    let (Some((kid, issuer)), Some((input, bytes))) =
        (wanted_key(decoded, reading, picked), decoded.signed())
    else {
        return keyless(any, "not looked for".to_owned(), None);
    };
    if let Some(why) = ground.no_keys {
        return keyless(any, format!("no keys to be had: {why}"), None);
    }
    let published = issuer.keys.load(ground.now);
    let keys = published.keys(ground.now);
    let expected = match keys.len() {
        1 => "the issuer's one key".to_owned(),
        n => format!("one of the issuer's {n} keys"),
    };
    let Some(key) = keys.get(&kid) else {
        let (found, reason) = if keys.distrusts(&kid) {
            ("distrusted by the settings", Reason::DistrustedKey)
        } else {
            ("none has this kid", Reason::UnknownKey)
        };
        return keyless(&expected, found.to_owned(), Some(Err(reason)));
    };
    let size = key.modulus_bits().div_ceil(8);
    let is_valid = key.verifies(input, bytes);
    let found = if is_valid {
        "valid".to_owned()
    } else if bytes.len() == size {
        "not valid".to_owned()
    } else {
        format!("not valid: {} bytes, and not {size}", bytes.len())
    };
    let result = is_valid.then_some(()).ok_or(Reason::BadSignature);
    let of_key = format!("RSA, {} bits", key.modulus_bits());
    checks(&expected, (of_key, Some(Ok(()))), (&found, Some(result)))
}
