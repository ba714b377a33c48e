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

use derbysoft_go_auth::Verified;

pub(super) const SUBJECT: HeaderName = HeaderName::from_static("x-go-subject");
pub(super) const ISSUER: HeaderName = HeaderName::from_static("x-go-issuer");
pub(super) const TOKEN_ID: HeaderName = HeaderName::from_static("x-go-token-id");
pub(super) const API: HeaderName = HeaderName::from_static("x-go-api");

/// The longest value, as it is written. Three of them and the rest of an answer fit into
/// the 4 KiB that nginx reads an answer's head into by default (the fourth, the API, is
/// empty with a JWT); GO's longest is the issuer, with some 80.
pub(super) const MAX_BYTES: usize = 1024;

/// The values of a caller's headers.
#[derive(Debug)]
pub(super) struct Identity([(HeaderName, HeaderValue); 4]);

impl Identity {
    /// `None` where one of them is too long for a header.
    pub(super) fn of(caller: &Verified) -> Option<Self> {
        let api = caller
            .access_token()
            .map(|granted| granted.api().as_str().to_owned());
        Some(Self([
            (SUBJECT, encode(caller.subject())?),
            (ISSUER, encode(caller.issuer())?),
            (TOKEN_ID, encode(caller.token_id())?),
            (API, encode(api.as_deref())?),
        ]))
    }

    pub(super) fn write_to(self, headers: &mut HeaderMap) {
        headers.extend(self.0);
    }
}

/// Whether a claim fits into a header.
pub(super) fn fits(claim: &str) -> bool {
    encode(Some(claim)).is_some()
}

fn encode(claim: Option<&str>) -> Option<HeaderValue> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let claim = claim.unwrap_or_default();
    // An encoded claim is no shorter than the claim.
    if claim.len() > MAX_BYTES {
        return None;
    }
    let mut value = Vec::with_capacity(claim.len());
    for byte in claim.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'%' && byte != b',' => value.push(byte),
            _ => {
                let (high, low) = (byte >> 4, byte & 0xF);
                value.extend([b'%', DIGITS[usize::from(high)], DIGITS[usize::from(low)]]);
            }
        }
    }
    if value.len() > MAX_BYTES {
        return None;
    }
    HeaderValue::try_from(value).ok()
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
