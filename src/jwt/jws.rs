//! JWS compact serialization (RFC 7515, section 7.1), read strictly.
//!
//! Only what GO sends is accepted: three segments, RS256, a `kid`. Whatever would change
//! the meaning of the signature (`crit`, `b64`, `zip`, `enc`, a nested token) is rejected
//! rather than interpreted, and members that carry or point to keys (`jwk`, `jku`, `x5u`,
//! `x5c`) are never used: keys come from configuration alone.

use std::borrow::Cow;
use std::mem::{self, MaybeUninit};

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use memchr::memchr;

use crate::error::Reason;
use crate::jwt::json::{self, JsonError, Value};

/// Decodes base64url without padding and without leftover bits: one token has one
/// spelling (RFC 7515, section 2; RFC 4648, section 3.5).
///
/// Uses `base64-simd`: on one of GO's tokens `base64` takes 570 ns, 3.5 % of the
/// signature check, and this 140 ns; a property test checks it against `base64`'s
/// strictest verdict.
pub(crate) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// The longest `kid` that is looked up, in bytes. GO's have up to 40; the limit leaves
/// room for a thumbprint address (RFC 9278) and bounds a log line.
pub(crate) const MAX_KID_BYTES: usize = 256;

/// Room for the decoded segments of one token: on the stack, and not even zeroed, for
/// tokens like GO's.
pub(crate) struct Room {
    stack: [MaybeUninit<u8>; STACK_ROOM],
    heap: Box<[MaybeUninit<u8>]>,
}

/// Four times what GO's tokens decode to; longer ones go on the heap.
const STACK_ROOM: usize = 2048;

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            stack: [const { MaybeUninit::uninit() }; STACK_ROOM],
            heap: Box::default(),
        }
    }

    fn of(&mut self, bytes: usize) -> &mut [MaybeUninit<u8>] {
        if bytes <= STACK_ROOM {
            return &mut self.stack;
        }
        self.heap = Box::new_uninit_slice(bytes);
        &mut self.heap
    }
}

/// Three segments, not checked yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segments<'t> {
    token: &'t [u8],
    pub(crate) header: &'t [u8],
    pub(crate) payload: &'t [u8],
    pub(crate) signature: &'t [u8],
}

impl<'t> Segments<'t> {
    /// Rejects a token longer than `max_bytes` before anything else.
    pub(crate) fn split(token: &'t [u8], max_bytes: usize) -> Result<Self, Reason> {
        if token.len() > max_bytes {
            return Err(Reason::TooLong);
        }
        Self::of_three(token).ok_or_else(|| unreadable(token, Reason::NotThreeSegments))
    }

    fn of_three(token: &'t [u8]) -> Option<Self> {
        let (header, rest) = split_at_dot(token)?;
        let (payload, signature) = split_at_dot(rest)?;
        if memchr(b'.', signature).is_some() {
            return None;
        }
        Some(Self {
            token,
            header,
            payload,
            signature,
        })
    }

    /// What the signature covers: header and payload as spelled.
    pub(crate) fn signing_input(&self) -> &'t [u8] {
        &self.token[..self.token.len() - self.signature.len() - 1]
    }

    pub(crate) fn decode(self, room: &'t mut Room) -> Result<Compact<'t>, Reason> {
        let segments = [self.header, self.payload, self.signature];
        let mut room = room.of(segments.map(decoded_room).iter().sum());
        let mut decode = |segment: &[u8]| {
            let (here, rest) = mem::take(&mut room).split_at_mut(decoded_room(segment));
            room = rest;
            URL_SAFE_NO_PAD
                .decode(segment, here.as_out())
                .map(|decoded| &*decoded)
                .map_err(|_| unreadable(self.token, Reason::NotBase64url))
        };
        Ok(Compact {
            signing_input: self.signing_input(),
            header: decode(self.header)?,
            payload: decode(self.payload)?,
            signature: decode(self.signature)?,
        })
    }
}

/// A token's three segments of canonical base64url, decoded.
#[derive(Debug)]
pub(crate) struct Compact<'t> {
    /// What the signature covers: header and payload as spelled.
    pub(crate) signing_input: &'t [u8],
    pub(crate) header: &'t [u8],
    pub(crate) payload: &'t [u8],
    pub(crate) signature: &'t [u8],
}

/// Why a text is no token: for what a program may have left around it, if it did, or
/// else for `reason`.
#[cold]
pub(crate) fn unreadable(text: &[u8], reason: Reason) -> Reason {
    const SCHEME: &[u8] = b"bearer";
    let is_space = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    match text.split_at_checked(SCHEME.len()) {
        Some((word, rest)) if word.eq_ignore_ascii_case(SCHEME) && is_space(rest.first()) => {
            Reason::SchemeBefore
        }
        _ if is_space(text.first()) || is_space(text.last()) => Reason::WhiteSpaceAround,
        _ => reason,
    }
}

fn split_at_dot(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = memchr(b'.', text)?;
    Some((&text[..dot], &text[dot + 1..]))
}

/// Three bytes for every four characters, rounded up.
const fn decoded_room(segment: &[u8]) -> usize {
    segment.len().div_ceil(4) * 3
}

/// The content of a header that satisfies every rule.
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'h> {
    pub(crate) kid: Cow<'h, str>,
}

impl<'h> Header<'h> {
    pub(crate) fn read(document: &'h [u8]) -> Result<Self, Reason> {
        let members = Members::read(document)?;
        members.check_algorithm()?;
        members.check_meaning()?;
        Ok(Self {
            kid: members.key_id()?,
        })
    }
}

/// The relevant members of a header, not judged yet.
pub(crate) struct Members<'h> {
    pub(crate) alg: Option<Value<'h>>,
    pub(crate) kid: Option<Value<'h>>,
    typ: Option<Value<'h>>,
    cty: Option<Value<'h>>,
    forbidden: Option<Reason>,
    ill_typed: bool,
}

impl<'h> Members<'h> {
    pub(crate) fn read(document: &'h [u8]) -> Result<Self, Reason> {
        let document = str::from_utf8(document).map_err(|_| Reason::HeaderNotUtf8)?;
        let mut alg = None;
        let mut kid = None;
        let mut typ = None;
        let mut cty = None;
        let mut forbidden = None;
        let mut ill_typed = false;
        json::read_object(document, |name, value| match name {
            "alg" => alg = Some(value),
            "kid" => kid = Some(value),
            "typ" => typ = Some(value),
            "cty" => cty = Some(value),
            // RFC 7515, section 4.1.11: an extension that is not understood must be
            // rejected.
            "crit" => forbidden = Some(Reason::Critical),
            // RFC 7797 would change what is signed.
            "b64" => forbidden = Some(Reason::UnencodedPayload),
            "zip" | "enc" => forbidden = Some(Reason::Encrypted),
            // Never used; but their types must be those of RFC 7515, section 4.1, and RFC
            // 8555, section 6, lest the token mean different things to different readers.
            "jku" | "x5u" | "x5t" | "x5t#S256" | "url" | "nonce" => {
                ill_typed |= !matches!(value, Value::String(_));
            }
            "jwk" => ill_typed |= !matches!(value, Value::Object(_)),
            "x5c" => ill_typed |= !matches!(value, Value::Strings(_)),
            _ => {}
        })
        .map_err(|error| match error {
            JsonError::Syntax => Reason::HeaderNotObject,
            JsonError::Duplicate => Reason::HeaderDuplicate,
            JsonError::Excess => Reason::HeaderExcess,
        })?;
        Ok(Self {
            alg,
            kid,
            typ,
            cty,
            forbidden,
            ill_typed,
        })
    }

    pub(crate) fn check_algorithm(&self) -> Result<(), Reason> {
        match self.alg {
            Some(Value::String(alg)) if alg.is("RS256") => Ok(()),
            _ => Err(Reason::NotRs256),
        }
    }

    /// Checks that nothing changes the meaning of the signature.
    pub(crate) fn check_meaning(&self) -> Result<(), Reason> {
        if let Some(reason) = self.forbidden {
            return Err(reason);
        }
        if self.ill_typed {
            return Err(Reason::HeaderMemberType);
        }
        // RFC 7519, section 5.1, and RFC 9068, section 2.1. GO sends none.
        if !(self.typ).is_none_or(|typ| is_one_of(typ, &JWT) || is_one_of(typ, &ACCESS_TOKEN)) {
            return Err(Reason::OtherType);
        }
        // RFC 7519, section 5.2: "JWT" announces a nested token.
        match self.cty {
            None => Ok(()),
            Some(cty @ Value::String(_)) if !is_one_of(cty, &JWT) => Ok(()),
            Some(_) => Err(Reason::Nested),
        }
    }

    pub(crate) fn key_id(&self) -> Result<Cow<'h, str>, Reason> {
        match self.kid {
            // A byte is spelled with at most six.
            Some(Value::String(kid)) if kid.spelled_len() > 6 * MAX_KID_BYTES => {
                Err(Reason::KeyIdLength)
            }
            Some(Value::String(kid)) => {
                let kid = kid.decode();
                if (1..=MAX_KID_BYTES).contains(&kid.len()) {
                    Ok(kid)
                } else {
                    Err(Reason::KeyIdLength)
                }
            }
            Some(_) => Err(Reason::KeyIdType),
            None => Err(Reason::NoKeyId),
        }
    }
}

/// Media types with and without the `application/` prefix (RFC 7515, section 4.1.9).
const JWT: [&str; 2] = ["jwt", "application/jwt"];
const ACCESS_TOKEN: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// Whether `value` is one of these names, ignoring case.
fn is_one_of(value: Value<'_>, names: &[&str]) -> bool {
    match value {
        Value::String(text) => names.iter().any(|name| text.is_ignoring_case(name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::VerifyErrorKind as Kind;

    #[track_caller]
    fn kind(document: &str) -> Kind {
        Header::read(document.as_bytes())
            .expect_err(document)
            .kind()
    }

    fn decode<'t>(token: &'t [u8], max: usize, room: &'t mut Room) -> Result<Compact<'t>, Reason> {
        Segments::split(token, max)?.decode(room)
    }

    #[test]
    fn what_a_program_left_around_a_token_is_named() {
        for (text, reason) in [
            ("Bearer abc", Reason::SchemeBefore),
            ("bearer\tabc", Reason::SchemeBefore),
            ("Bearerabc", Reason::NotThreeSegments),
            ("secret abc", Reason::NotThreeSegments),
            (" abc", Reason::WhiteSpaceAround),
            ("abc\n", Reason::WhiteSpaceAround),
        ] {
            let found = unreadable(text.as_bytes(), Reason::NotThreeSegments);
            assert_eq!(found, reason, "{text:?}");
        }
    }

    fn decode_kind(token: &str) -> Option<Kind> {
        decode(token.as_bytes(), 8192, &mut Room::new())
            .err()
            .map(Reason::kind)
    }

    #[test]
    fn a_token_has_exactly_three_segments() {
        let mut room = Room::new();
        let token = decode(b"e30.e30.AA", 10, &mut room).expect("three segments");
        assert_eq!(token.signing_input, b"e30.e30");
        assert_eq!((token.header, token.payload), (&b"{}"[..], &b"{}"[..]));
        assert_eq!(token.signature, [0]);
        for token in [
            "",
            "e30",
            "e30.e30",
            "e30.e30.AA.AA",
            "e30.e30.AA.AA.AA",
            "{}",
        ] {
            assert_eq!(decode_kind(token), Some(Kind::Malformed), "{token}");
        }
    }

    #[test]
    fn base64url_has_one_spelling_in_every_segment() {
        // "e30" is "{}"; its last character carries two unused bits.
        for wrong in [
            "e30=", "e31", "e", " e30", "e30\n", "e3\u{e9}", "+-_/", "e3+w",
        ] {
            for token in [
                format!("{wrong}.e30.AA"),
                format!("e30.{wrong}.AA"),
                format!("e30.e30.{wrong}"),
            ] {
                assert_eq!(decode_kind(&token), Some(Kind::Malformed), "{token}");
            }
        }
    }

    #[test]
    fn an_oversized_token_is_rejected_before_its_form() {
        for (token, kind) in [
            ("e30.e30.AA", None),
            ("e30.e30.AAA", Some(Kind::TooLong)),
            ("...........", Some(Kind::TooLong)),
        ] {
            let error = decode(token.as_bytes(), 10, &mut Room::new()).err();
            assert_eq!(error.map(Reason::kind), kind, "{token}");
        }
    }

    #[test]
    fn a_token_may_exceed_the_room_on_the_stack() {
        for len in [0, 4, 682, 683, 1360, 1364, 1366, 1367, 1368, 2732, 4000] {
            let segment = "A".repeat(len);
            let token = format!("{segment}.e30.{segment}");
            let mut room = Room::new();
            let token = decode(token.as_bytes(), 10_000, &mut room).expect("well-formed");
            assert_eq!(token.header, vec![0; len * 3 / 4], "{len}");
            assert_eq!(token.payload, b"{}", "{len}");
            assert_eq!(token.signature, vec![0; len * 3 / 4], "{len}");
        }
    }

    proptest::proptest! {
        #[test]
        fn base64url_is_read_as_strictly_as_base64_can(
            text in "[A-Za-z0-9_+/=. -]{0,70}|[A-Za-z0-9_-]{0,70}",
        ) {
            use base64::Engine;
            use base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let theirs = URL_SAFE_NO_PAD.decode(&text).ok();
            proptest::prop_assert_eq!(base64url(&text), theirs.clone());
            let token = format!("e30.{text}.");
            let mut room = Room::new();
            let ours = decode(token.as_bytes(), 8192, &mut room).ok();
            let dots = text.contains('.');
            proptest::prop_assert_eq!(
                ours.map(|token| token.payload.to_vec()),
                theirs.filter(|_| !dots)
            );
        }
    }

    #[test]
    fn the_headers_of_gos_documents_are_read() {
        let header = r#"{"kid":"394b56c3ea524ee59015f9a7e8866312","alg":"RS256"}"#;
        assert_eq!(
            Header::read(header.as_bytes()).unwrap().kid,
            "394b56c3ea524ee59015f9a7e8866312"
        );
        assert_eq!(kind(r#"{"typ":"JWT","alg":"RS256"}"#), Kind::Header);
    }

    #[test]
    fn the_algorithm_is_the_string_rs256_only() {
        for alg in [
            r#""none""#,
            r#""None""#,
            r#""HS256""#,
            r#""RS384""#,
            r#""RS512""#,
            r#""PS256""#,
            r#""ES256""#,
            r#""rs256""#,
            r#""RS256 ""#,
            r#""""#,
            r#"["RS256"]"#,
            r#"{"RS256":null}"#,
            "null",
            "true",
            "256",
        ] {
            assert_eq!(
                kind(&format!(r#"{{"alg":{alg},"kid":"1"}}"#)),
                Kind::Algorithm,
                "{alg}"
            );
        }
        assert_eq!(kind(r#"{"kid":"1"}"#), Kind::Algorithm);
    }

    #[test]
    fn members_that_change_the_meaning_are_rejected() {
        for name in ["crit", "b64", "zip", "enc", "\\u0063rit"] {
            for value in [
                "[]",
                r#"["exp"]"#,
                "null",
                "true",
                "false",
                r#""DEF""#,
                "{}",
            ] {
                let document = format!(r#"{{"alg":"RS256","kid":"1","{name}":{value}}}"#);
                assert_eq!(kind(&document), Kind::Header, "{document}");
            }
        }
    }

    #[test]
    fn keys_in_the_header_are_ignored() {
        let document = r#"{"alg":"RS256","jwk":{"kty":"RSA"},"jku":"https://a","x5u":"https://b",
            "x5c":["MII"],"x5t":"t","x5t#S256":"s","url":"u","nonce":"n","kid":"1"}"#;
        assert_eq!(Header::read(document.as_bytes()).unwrap().kid, "1");
        for ill_typed in [
            r#""jwk":"{}""#,
            r#""jku":1"#,
            r#""x5u":null"#,
            r#""x5c":"MII""#,
            r#""x5c":[1]"#,
            r#""x5t":[]"#,
            r#""x5t#S256":{}"#,
            r#""url":1"#,
            r#""nonce":[]"#,
        ] {
            let document = format!(r#"{{"alg":"RS256","kid":"1",{ill_typed}}}"#);
            assert_eq!(kind(&document), Kind::Header, "{document}");
        }
    }

    #[test]
    fn the_type_is_absent_or_that_of_a_jwt() {
        let with = |name: &str, value: &str| {
            Header::read(format!(r#"{{"alg":"RS256","kid":"1","{name}":{value}}}"#).as_bytes())
                .is_ok()
        };
        for typ in [
            r#""JWT""#,
            r#""jwt""#,
            r#""at+jwt""#,
            r#""application/jwt""#,
            r#""application/at+JWT""#,
        ] {
            assert!(with("typ", typ), "{typ}");
        }
        for typ in [
            r#""JWE""#,
            r#""""#,
            r#""dpop+jwt""#,
            r#""JWT ""#,
            r#""text/jwt""#,
            "null",
            "1",
            "[]",
        ] {
            assert!(!with("typ", typ), "{typ}");
        }
        assert!(with("cty", r#""json""#));
        for cty in [r#""JWT""#, r#""jwt""#, r#""application/jwt""#, "null", "1"] {
            assert!(!with("cty", cty), "{cty}");
        }
    }

    #[test]
    fn the_key_id_is_a_string_of_1_to_256_bytes() {
        let with = |kid: &str| {
            Header::read(format!(r#"{{"alg":"RS256","kid":{kid}}}"#).as_bytes()).is_ok()
        };
        assert!(with(r#""1""#));
        assert!(with(&format!("\"{}\"", "k".repeat(256))));
        assert!(!with(&format!("\"{}\"", "k".repeat(257))));
        for kid in [r#""""#, "1", "null", "[\"1\"]", "{}"] {
            assert!(!with(kid), "{kid}");
        }
    }
}
