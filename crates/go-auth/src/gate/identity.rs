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

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use derbysoft_go_auth::Verified;

/// What [`encode`] escapes beside what is not ASCII.
const ESCAPED: AsciiSet = CONTROLS.add(b' ').add(b'%').add(b',');

/// The longest value, as it is written. Three of them and the rest of an answer fit into
/// the 4 KiB that nginx reads an answer's head into by default (the fourth, the API, is
/// empty with a JWT); GO's longest is the issuer, with some 80.
pub(super) const MAX_BYTES: usize = 1024;

/// The headers for a caller; `None` where a value is too long.
pub(super) fn headers_of(caller: &Verified) -> Option<[(HeaderName, HeaderValue); 4]> {
    let api = caller.access_token().map(|granted| granted.api().as_str());
    let header = |name, claim| Some((HeaderName::from_static(name), encode(claim)?));
    Some([
        header("x-go-subject", caller.subject())?,
        header("x-go-issuer", caller.issuer())?,
        header("x-go-token-id", caller.token_id())?,
        header("x-go-api", api)?,
    ])
}

/// Whether a claim fits into a header.
pub(super) fn fits(claim: &str) -> bool {
    encode(Some(claim)).is_some()
}

fn encode(claim: Option<&str>) -> Option<HeaderValue> {
    let claim = claim.unwrap_or_default();
    // An encoded claim is no shorter than the claim.
    if claim.len() > MAX_BYTES {
        return None;
    }
    let value = utf8_percent_encode(claim, &ESCAPED).to_string();
    (value.len() <= MAX_BYTES).then(|| HeaderValue::try_from(value).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(claim: &str) -> Option<String> {
        let value = encode(Some(claim))?;
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
        assert_eq!(encode(None).expect("short"), "");
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
    fn a_value_is_limited_to_1024_bytes() {
        assert!(fits(&"a".repeat(1024)));
        assert!(!fits(&"a".repeat(1025)));
        assert!(fits(&" ".repeat(341)));
        assert!(!fits(&" ".repeat(342)));
    }

    proptest! {
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
