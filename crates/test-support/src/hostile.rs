//! Worst inputs: what a stranger can send in the `Authorization` header that ought to cost the
//! most, as long as the limit allows. The benches send it, too.
//!
//! The tokens are not signed: their signature is as long as a good one, and wrong.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The limits of a token that are tried: the default, and the most that can be configured.
pub const LIMITS: [usize; 2] = [8 * 1024, 64 * 1024];

/// Levels of nesting and members of an object that are accepted (`src/jwt/json/mod.rs`).
const DEPTH: usize = 32;
const MEMBERS: usize = 64;

/// The longest Access Token that is compared.
const ACCESS_TOKEN_BYTES: usize = 1024;

/// As long as a signature by a 2048-bit key, and below any modulus.
pub const SIGNATURE: [u8; 256] = [0x55; 256];

/// Its characters.
const SIGNATURE_LETTERS: usize = 342;

/// Who is written to, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Desk {
    pub issuer: &'static str,
    pub audience: &'static str,
    pub kid: &'static str,
    /// Of every token, in seconds.
    pub exp: u64,
    /// The longest token.
    pub limit: usize,
}

/// Two documents that would be a token if somebody signed them.
#[derive(Debug, Clone)]
pub struct Hostile {
    pub name: &'static str,
    pub header: String,
    pub payload: Vec<u8>,
}

impl Hostile {
    /// With a signature that fits the key's length, and nothing else.
    pub fn token(&self) -> String {
        let [header, payload] = [self.header.as_bytes(), &self.payload]
            .map(|document| BASE64_URL_SAFE_NO_PAD.encode(document));
        format!("{header}.{payload}.{}", signature())
    }
}

fn signature() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(SIGNATURE)
}

/// `open`, as many `unit`s as there is room for, commas between them, `close`.
fn filled(room: usize, open: &str, close: &str, mut unit: impl FnMut(usize) -> String) -> String {
    let mut text = open.to_owned();
    for number in 0.. {
        let unit = unit(number);
        if text.len() + unit.len() + 1 + close.len() > room {
            break;
        }
        if number > 0 {
            text.push(',');
        }
        text += &unit;
    }
    text + close
}

/// The same without commas: one string, one number, one row of spaces.
fn stuffed(room: usize, open: &str, close: &str, unit: &str) -> String {
    let times = room.saturating_sub(open.len() + close.len()) / unit.len();
    [open, &unit.repeat(times), close].concat()
}

/// As many members as an object may have, beside the `begun` ones, with names that differ
/// at the end only.
fn wide(room: usize, open: &str, begun: usize, spell: fn(&str) -> String) -> String {
    let more = MEMBERS - begun;
    // A name, its number, and `,"":0`.
    let each = (room - open.len() - 1) / more - 5;
    let same = each / spell("a").len() - 2;
    let mut text = open.to_owned();
    for number in 0..more {
        let name = spell(&format!("{}{number:02}", "a".repeat(same)));
        write!(text, ",\"{name}\":0").expect("a string");
    }
    text + "}"
}

/// Each character as an escape.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        write!(escaped, "\\u{:04x}", u32::from(c)).expect("a string");
        escaped
    })
}

/// 24 digits of a number half-way between two neighbouring doubles, so many powers of two above
/// 2^53 or below: it takes as many to see that 19 can't tell which of the two is nearer.
fn halfway(powers: i32) -> String {
    let mut digits: Vec<u8> = (0x003f_ffff_ffff_fff1_u64.to_string().bytes())
        .map(|digit| digit - b'0')
        .collect();
    // A number halved has five times its digits, one place further down.
    let factor = if powers < 0 { 5 } else { 2 };
    for _ in 0..powers.abs() {
        let mut carry = 0;
        for digit in digits.iter_mut().rev() {
            let product = *digit * factor + carry;
            (*digit, carry) = (product % 10, product / 10);
        }
        if carry > 0 {
            digits.insert(0, carry);
        }
    }
    let places = i32::try_from(digits.len()).expect("a few hundred") - 1;
    let exponent = places + powers.min(0);
    let digits: String = (digits.iter().take(24))
        .map(|digit| char::from(digit + b'0'))
        .collect();
    format!("{}.{}e{exponent}", &digits[..1], &digits[1..])
}

impl Desk {
    /// GO's header.
    fn header(&self) -> String {
        format!(r#"{{"kid":"{}","alg":"RS256"}}"#, self.kid)
    }

    /// The claims that every token must have, without the closing brace.
    fn claims(&self) -> String {
        self.claims_without("")
    }

    /// The same without the claim of this name.
    fn claims_without(&self, name: &str) -> String {
        let Self {
            issuer,
            audience,
            exp,
            ..
        } = self;
        let claims = [
            ("iss", format!("\"{issuer}\"")),
            ("aud", format!("\"{audience}\"")),
            ("exp", exp.to_string()),
        ];
        let claims = (claims.iter())
            .filter(|claim| claim.0 != name)
            .map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}", claims.collect::<Vec<_>>().join(","))
    }

    /// The bytes that both documents of a token may have.
    fn room(&self) -> usize {
        // Each of the two may end in the middle of four characters.
        (self.limit - SIGNATURE_LETTERS - 2) / 4 * 3 - 3
    }

    fn paid(&self, name: &'static str, payload: impl Into<Vec<u8>>) -> Hostile {
        Hostile {
            name,
            header: self.header(),
            payload: payload.into(),
        }
    }

    fn headed(&self, name: &'static str, header: String) -> Hostile {
        Hostile {
            name,
            header,
            payload: format!("{}}}", self.claims()).into_bytes(),
        }
    }

    /// A token of this length, or one or two less, that is good in all but its signature: the
    /// normal refusal that others are compared with.
    pub fn normal(&self, length: usize) -> Hostile {
        let desk = Self {
            limit: length,
            ..*self
        };
        let room = desk.room() - desk.header().len();
        let open = desk.claims() + ",\"fill\":\"";
        desk.paid("normal", stuffed(room, &open, "\"}", "a"))
    }

    /// Tokens whose claims are the worst of their kind.
    pub fn payloads(&self) -> Vec<Hostile> {
        let room = self.room() - self.header().len();
        let claims = self.claims();
        let list = format!("{claims},\"x\":[");
        let text = format!("{claims},\"x\":\"");
        let in_list = |unit: &str| filled(room, &list, "]}", |_| unit.to_owned());
        let nested = |open: &str, close: &str, levels: usize| {
            [&open.repeat(levels), "0", &close.repeat(levels)].concat()
        };
        let with = |claim: &str, open: &str, unit: &str, close: &str| {
            let open = format!("{},\"{claim}\":{open}", self.claims_without(claim));
            stuffed(room, &open, &format!("{close}}}"), unit)
        };
        let in_escapes =
            |claim: &str, ours: &str| with(claim, &format!("\"{}", escaped(ours)), "\\u0061", "\"");
        let audiences = |unit: &str, last: &str| {
            let open = format!("{},\"aud\":[", self.claims_without("aud"));
            filled(room, &open, &format!("{last}]}}"), |_| unit.to_owned())
        };
        let near = near(self.audience);
        let mut not_utf8 = stuffed(room - 1, &text, "\"}", "a").into_bytes();
        not_utf8.push(0xff);
        vec![
            self.paid("deep_arrays", in_list(&nested("[", "]", DEPTH - 1))),
            self.paid("deep_objects", in_list(&nested("{\"\":", "}", DEPTH - 1))),
            self.paid("deeper", in_list(&nested("[", "]", DEPTH))),
            self.paid("deep_without_end", stuffed(room, &list, "", "[")),
            self.paid("wide_names", wide(room, &claims, 3, str::to_owned)),
            self.paid("wide_escaped_names", wide(room, &claims, 3, escaped)),
            self.paid(
                "wider",
                filled(room, &format!("{claims},"), "}", |n| {
                    format!("\"{n:05}\":0")
                }),
            ),
            self.paid("audiences_empty", audiences("\"\"", "")),
            self.paid("audiences_near", audiences(&format!("\"{near}\""), "")),
            self.paid(
                "audiences_near_escaped",
                audiences(&format!("\"{}\"", escaped(&near)), ""),
            ),
            self.paid(
                "audiences_ours_last",
                audiences(&format!("\"{near}\""), &format!(",\"{}\"", self.audience)),
            ),
            self.paid("audience_escaped", in_escapes("aud", self.audience)),
            self.paid("issuer_escaped", in_escapes("iss", self.issuer)),
            self.paid("subject_escaped", with("sub", "\"", "\\u0061", "\"")),
            self.paid("subject_pairs", with("sub", "\"", "\\ud83d\\ude00", "\"")),
            self.paid("token_id_newlines", with("jti", "\"", "\\n", "\"")),
            self.paid("exp_digits", with("exp", "1", "1", "")),
            self.paid("exp_fraction", with("exp", "1799999999.", "9", "")),
            self.paid("exp_zeros", with("exp", "0.", "0", "1e9999")),
            self.paid("exp_exponent", with("exp", "1e", "0", "9")),
            self.paid("numbers_huge", in_list(&halfway(967))),
            self.paid("numbers_tiny", in_list(&halfway(-1060))),
            self.paid("numbers_1e308", in_list("1e308")),
            self.paid("numbers_short", in_list("1e5")),
            self.paid("numbers_zero", in_list("0")),
            self.paid("strings_empty", in_list("\"\"")),
            self.paid("text_of_two_bytes", stuffed(room, &text, "\"}", "é")),
            self.paid("text_of_four_bytes", stuffed(room, &text, "\"}", "😀")),
            self.paid("not_utf8_at_the_end", not_utf8),
            self.paid(
                "spaces_before",
                stuffed(room, "", &(claims.clone() + "}"), " "),
            ),
            self.paid("spaces_after", stuffed(room, &claims, "}", "\n")),
            self.paid("spaces_and_no_end", stuffed(room, &claims, "", "\t")),
            self.paid("no_claims", stuffed(room, "{\"x\":\"", "\"}", "a")),
        ]
    }

    /// Tokens whose header takes most of them.
    pub fn headers(&self) -> Vec<Hostile> {
        let Self { kid, .. } = self;
        let room = self.room() - self.claims().len() - 1;
        let good = format!(r#"{{"kid":"{kid}","alg":"RS256""#);
        let with = |name: &str, open: &str, unit: &str, close: &str| {
            stuffed(
                room,
                &format!("{good},\"{name}\":{open}"),
                &format!("{close}}}"),
                unit,
            )
        };
        let kid_of = |unit: &str| stuffed(room, r#"{"alg":"RS256","kid":""#, "\"}", unit);
        vec![
            self.headed("header_text", with("x", "\"", "a", "\"")),
            self.headed("header_wide_names", wide(room, &good, 2, str::to_owned)),
            self.headed("header_wide_escaped_names", wide(room, &good, 2, escaped)),
            self.headed("header_certificates", with("x5c", "[\"\"", ",\"\"", "]")),
            self.headed("header_typ_escaped", with("typ", "\"", "\\u0061", "\"")),
            self.headed(
                "header_typ_prefix",
                with("typ", "\"APPLICATION/", "A", "\""),
            ),
            self.headed("header_cty_escaped", with("cty", "\"", "\\u0041", "\"")),
            self.headed("header_kid", kid_of("a")),
            self.headed("header_kid_escaped", kid_of("\\u0061")),
            self.headed(
                "header_kid_within",
                format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "\\u0061".repeat(256)),
            ),
            self.headed("header_spaces", stuffed(room, &good, "}", " ")),
            self.headed("header_deep", with("x", "", "[", "")),
        ]
    }

    /// What is no token of three good segments.
    pub fn malformed(&self) -> Vec<(&'static str, String)> {
        let good = self.headed("", self.header());
        let [header, payload] = [good.header.as_bytes(), &good.payload]
            .map(|document| BASE64_URL_SAFE_NO_PAD.encode(document));
        let begun = format!("{header}.{payload}.");
        let limit = self.limit;
        vec![
            ("garbage", "53ac0777".repeat(limit / 8)),
            ("dots", ".".repeat(limit)),
            ("empty_segments", stuffed(limit, "..", "", "A")),
            ("long_signature", stuffed(limit, &begun, "", "VVVV")),
            ("bad_at_the_end", stuffed(limit, &begun, "!", "VVVV")),
            (
                "bad_payload_at_the_end",
                stuffed(
                    limit,
                    &format!("{header}.eyJ4Ijoi"),
                    &format!("=.{}", signature()),
                    "VVVV",
                ),
            ),
            ("too_long", "e30.".repeat(limit / 4 + 1)),
            ("much_too_long", "e30.".repeat(limit)),
        ]
    }

    /// Values of the header in which there is no token.
    pub fn values(&self) -> Vec<(&'static str, Vec<u8>)> {
        let of = |open: &str, unit: &str, close: &[u8]| {
            [
                stuffed(self.limit - close.len(), open, "", unit).as_bytes(),
                close,
            ]
            .concat()
        };
        vec![
            ("value_comma_last", of("Bearer ", "a", b",")),
            ("value_commas", of("Bearer ", ",", b"")),
            ("value_tab_last", of("Bearer ", "a", b"\t")),
            ("value_not_ascii_last", of("Bearer ", "a", b"\xff")),
            ("value_spaces", of("Bearer", " ", b"")),
            ("value_spaces_between", of("Bearer ", "a ", b"a")),
            ("value_other_scheme", of("Basic ", "a", b"")),
            ("value_long_scheme", of("", "~", b" a")),
            ("value_long_bad_scheme", of("", "~", b"( a")),
        ]
    }

    /// What is presented where access tokens are accepted, and none is `held`. The first is what others
    /// are compared with.
    pub fn access_tokens(&self, held: &str) -> Vec<(&'static str, String)> {
        vec![
            ("normal", near(held)),
            ("longest", stuffed(ACCESS_TOKEN_BYTES, held, "", "a")),
            ("longer", stuffed(ACCESS_TOKEN_BYTES + 1, held, "", "a")),
            ("one_dot", stuffed(self.limit, held, ".", "a")),
        ]
    }
}

/// The same but for its last letter.
fn near(text: &str) -> String {
    let (last, rest) = text.as_bytes().split_last().expect("a letter");
    let other = if *last == b'A' { 'B' } else { 'A' };
    format!("{}{other}", str::from_utf8(rest).expect("ASCII"))
}
