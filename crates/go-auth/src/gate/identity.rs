//! Who was accepted, as the headers that a proxy copies into the request.
//!
//! All four are in every answer that accepts a request, empty where there is nothing to
//! say: a proxy that copies them always replaces what a client has sent under these
//! names.
//!
//! A claim is a string of any characters, and a header is not (RFC 9110, section
//! 5.5). A claim's UTF-8 is written as it is where it is of visible ASCII other
//! than `%` and `,`; any other byte, and these two, as `%` and two upper-case hex
//! digits (RFC 3986, section 2.1). So no two claims look alike, decoding gives the
//! claim back, and nothing in it can end a line or begin a second value, as a comma
//! would where header lines are joined (RFC 9110, section 5.3).

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};

use derbysoft_go_auth::Verified;

/// What is escaped beside what is not ASCII. [`is_plain`] has it too.
const ESCAPED: AsciiSet = CONTROLS.add(b' ').add(b'%').add(b',');

/// The longest value, as it is written. Three of them and the rest of an answer fit into
/// the 4 KiB that nginx reads an answer's head into by default (the fourth, the API, is
/// empty with a JWT); GO's longest is the issuer, with some 80.
pub(super) const MAX_BYTES: usize = 1024;

const SUBJECT: HeaderName = HeaderName::from_static("x-go-subject");
const ISSUER: HeaderName = HeaderName::from_static("x-go-issuer");
const TOKEN_ID: HeaderName = HeaderName::from_static("x-go-token-id");
const API: HeaderName = HeaderName::from_static("x-go-api");

/// What the headers say of a caller.
fn claims_of(caller: &Verified) -> [(HeaderName, &str); 4] {
    let api = caller.access_token().map(|granted| granted.api().as_str());
    let claim = Option::unwrap_or_default;
    [
        (SUBJECT, claim(caller.subject())),
        (ISSUER, claim(caller.issuer())),
        (TOKEN_ID, claim(caller.token_id())),
        (API, claim(api)),
    ]
}

/// The headers for a caller; `None` where a value is too long.
pub(super) fn headers_of(caller: &Verified) -> Option<HeaderMap> {
    let claims = claims_of(caller);
    // And one for whoever answers.
    let mut headers = HeaderMap::with_capacity(claims.len() + 1);
    for (name, claim) in claims {
        headers.insert(name, encode(claim)?);
    }
    Some(headers)
}

/// Whether all of a caller's claims fit into headers.
pub(super) fn all_fit(caller: &Verified) -> bool {
    claims_of(caller).iter().all(|(_, claim)| fits(claim))
}

/// Whether a claim fits into a header.
pub(super) fn fits(claim: &str) -> bool {
    // An encoded claim is no shorter than the claim.
    claim.len() <= MAX_BYTES
        && (is_plain(claim) || escaped(claim).map(str::len).sum::<usize>() <= MAX_BYTES)
}

fn encode(claim: &str) -> Option<HeaderValue> {
    if !fits(claim) {
        return None;
    }
    if is_plain(claim) {
        return HeaderValue::from_str(claim).ok();
    }
    HeaderValue::try_from(escaped(claim).to_string()).ok()
}

fn escaped(claim: &str) -> PercentEncode<'_> {
    utf8_percent_encode(claim, &ESCAPED)
}

/// Whether there is nothing to escape, as in all claims of GO's.
fn is_plain(claim: &str) -> bool {
    let is_escaped = |byte: u8| !byte.is_ascii_graphic() || byte == b'%' || byte == b',';
    // All of them are looked at, many at a time.
    !claim
        .bytes()
        .fold(false, |any, byte| any | is_escaped(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(claim: &str) -> Option<String> {
        let value = encode(claim)?;
        Some(value.to_str().expect("visible ASCII").to_owned())
    }

    /// What any decoder of percent signs does.
    fn decoded(value: &str) -> Vec<u8> {
        let mut bytes = value.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let digits = [bytes.next().expect("two"), bytes.next().expect("two")];
                let digits = str::from_utf8(&digits).expect("ASCII");
                decoded.push(u8::from_str_radix(digits, 16).expect("hex"));
            } else {
                decoded.push(byte);
            }
        }
        decoded
    }

    #[test]
    fn claims_of_go_are_written_as_they_are() {
        for claim in [
            "ds-go-module",
            "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration",
            "wOoSYqfOyuPFZPaLkSVVGQ",
            "https://id.example/a?b=c&d=e#f;g=\"h\"",
        ] {
            assert_eq!(encoded(claim).as_deref(), Some(claim));
        }
        assert_eq!(encode("").expect("short"), "");
    }

    #[test]
    fn what_a_header_cannot_hold_is_escaped() {
        for (claim, value) in [
            ("a b", "a%20b"),
            (" a", "%20a"),
            ("a,b", "a%2Cb"),
            ("100%", "100%25"),
            ("a%20b", "a%2520b"),
            ("a\r\nx-go-subject: b", "a%0D%0Ax-go-subject:%20b"),
            ("\0", "%00"),
            ("\u{7f}", "%7F"),
            ("Zürich", "Z%C3%BCrich"),
        ] {
            assert_eq!(encoded(claim).as_deref(), Some(value), "{claim:?}");
        }
    }

    #[test]
    fn no_character_is_plain_that_is_escaped() {
        for character in '\0'..='\u{ff}' {
            let claim = format!("https://id.example/{character}");
            assert_eq!(
                is_plain(&claim),
                escaped(&claim).to_string() == claim,
                "{claim:?}"
            );
        }
    }

    #[test]
    fn a_value_is_limited_to_1024_bytes() {
        assert!(fits(&"a".repeat(1024)));
        assert!(!fits(&"a".repeat(1025)));
        assert!(fits(&" ".repeat(341)));
        assert!(!fits(&" ".repeat(342)));
    }

    proptest! {
        #[test]
        fn plain_claims_are_those_that_escaping_leaves_alone(claim in any::<String>()) {
            prop_assert_eq!(is_plain(&claim), escaped(&claim).to_string() == claim);
        }

        #[test]
        fn no_two_claims_look_alike(claim in any::<String>()) {
            let fits = claim.len() <= MAX_BYTES / 3;
            match encoded(&claim) {
                Some(value) => {
                    prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','));
                    prop_assert!(value.len() <= MAX_BYTES);
                    prop_assert_eq!(decoded(&value), claim.as_bytes());
                }
                None => prop_assert!(!fits),
            }
        }
    }
}
