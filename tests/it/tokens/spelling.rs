//! Spelling, under a genuine signature: segments, base64, JSON or length in any form but the one are
//! rejected.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_simulator::{Encoding, Mint};

use test_support::forge::{
    assert_refused, assert_refused_with, case, config, encode, headed, header_and, judge,
    judge_with, keys, mint, paid, payload_and, refusal, segments, sign_segments, verifier,
    verifier_with,
};

#[test]
fn base64_that_is_not_canonical_is_rejected() {
    // Payload and header of a length that leaves unused bits: one and two bytes over.
    let header = encode(headered(1));
    let payload = encode(payload_of(1));
    let signature = sign_segments(&header, &payload);
    judge(&signature).expect("the control");

    let spoilt = |segment: &str| -> Vec<(&'static str, String)> {
        let middle = segment.len() / 2;
        let with = |at: usize, text: &str| format!("{}{text}{}", &segment[..at], &segment[at..]);
        let mut spoilt = vec![("a loose bit", loosened(segment))];
        for (given, text) in [
            ("a space", " "),
            ("a newline", "\n"),
            ("CRLF", "\r\n"),
            ("a tab", "\t"),
            ("a NUL", "\0"),
            ("padding", "="),
            ("much padding", "===="),
            ("a plus", "+"),
            ("a slash", "/"),
            ("a tilde", "~"),
            ("a comma", ","),
            ("a letter with an accent", "é"),
            ("a no-break space", "\u{a0}"),
            ("a percent escape", "%3D"),
            ("a fullwidth A", "\u{ff21}"),
        ] {
            spoilt.push((given, with(segment.len(), text)));
            spoilt.push((given, with(middle, text)));
            spoilt.push((given, with(0, text)));
        }
        let over = segment.len() % 4;
        spoilt.push((
            "proper padding",
            with(segment.len(), &"=".repeat((4 - over) % 4)),
        ));
        spoilt.push((
            "a single character over",
            format!("{segment}{}", &"AAAA"[..(5 - over) % 4]),
        ));
        spoilt
    };
    let mut cases = Vec::new();
    let mut add = |given: &str, token| cases.push(case(given, token, Kind::Malformed));
    for (given, header) in spoilt(&header) {
        let token = sign_segments(&header, &payload);
        add(&format!("{given} in the header"), token);
    }
    for (given, payload) in spoilt(&payload) {
        let token = sign_segments(&header, &payload);
        add(&format!("{given} in the payload"), token);
    }
    let [header, payload, genuine] = segments(&signature);
    for (given, spoilt) in spoilt(genuine) {
        let token = format!("{header}.{payload}.{spoilt}");
        add(&format!("{given} in the signature"), token);
    }
    for encoding in [
        Encoding::Padded,
        Encoding::StandardAlphabet,
        Encoding::Interrupted(' '),
        Encoding::Interrupted('\n'),
        Encoding::LooseSignatureBits,
        Encoding::LoosePayloadBits,
    ] {
        let token = mint().encoding(encoding).token();
        cases.push(case(format!("{encoding:?}"), token, Kind::Malformed));
    }
    assert_refused(&cases);
}

/// A good header with spaces at its end, so that its length is `over` modulo 3.
fn headered(over: usize) -> String {
    spaced(mint().header_text(), over)
}

fn payload_of(over: usize) -> String {
    spaced(mint().payload_text(), over)
}

fn spaced(mut text: String, over: usize) -> String {
    while text.len() % 3 != over {
        text.push(' ');
    }
    text
}

/// The same bytes in other text: an unused bit set in the last character.
fn loosened(segment: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(segment.len() % 4, 0, "no unused bits");
    let (start, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.find(last).expect("a base64url character");
    format!("{start}{}", &ALPHABET[value + 1..value + 2])
}

#[test]
fn deep_nesting_is_rejected_without_overflow() {
    let bombs = |depth: usize| {
        [
            ("[".repeat(depth), "]".repeat(depth)),
            (r#"{"":"#.repeat(depth), format!("1{}", "}".repeat(depth))),
            (
                "[{\"\":".repeat(depth / 2),
                format!("1{}", "}]".repeat(depth / 2)),
            ),
        ]
        .map(|(open, close)| [format!(r#""x":{open}{close}"#), format!(r#""x":{open}"#)])
        .concat()
    };
    let roomy = verifier_with(|config| config.max_token_bytes = 64 * 1024);
    for (verifier, depth) in [(verifier(), 500), (roomy, 5000)] {
        let mut cases = Vec::new();
        for bomb in bombs(depth) {
            let given = format!("{depth} deep, {bomb:.12}");
            cases.push(case(given.clone(), headed(header_and(&bomb)), Kind::Header));
            cases.push(case(given.clone(), paid(payload_and(&bomb)), Kind::Claims));
            // Before its key is known as well.
            let unknown = mint()
                .kid("unknown")
                .raw_payload(payload_and(&bomb))
                .token();
            cases.push(case(given, unknown, Kind::Claims));
        }
        cases.push(case("an array bomb", paid("[".repeat(depth)), Kind::Claims));
        assert_refused_with(&verifier, keys(), &cases);
    }
}

#[test]
fn a_segment_that_is_no_json_object_is_rejected() {
    let spoil = |good: &str| -> Vec<(String, Vec<u8>)> {
        let inside = &good[1..good.len() - 1];
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut spoilt: Vec<(String, Vec<u8>)> = vec![
            ("UTF-16".into(), utf16),
            ("a stray byte".into(), [good.as_bytes(), b"\xff"].concat()),
            (
                "a byte that is not UTF-8".into(),
                [b"{\"x\":\"\xff\",", inside.as_bytes(), b"}"].concat(),
            ),
            (
                "an overlong slash".into(),
                [b"{\"x\":\"\xc0\xaf\",", inside.as_bytes(), b"}"].concat(),
            ),
            (
                "a surrogate in UTF-8".into(),
                [b"{\"\xed\xa0\x80\":1,", inside.as_bytes(), b"}"].concat(),
            ),
        ];
        spoilt.extend(
            [
                format!("\u{feff}{good}"),
                format!("{good}\u{feff}"),
                format!("{good}x"),
                format!("{good}{{}}"),
                format!("{good},"),
                format!("{good}\0"),
                format!("{good}]"),
                format!("{good}//"),
                format!("x{good}"),
                format!("[{good}]"),
                format!("\u{a0}{good}"),
                format!("{{{inside}"),
                inside.to_owned(),
                format!("{{{inside},}}"),
                format!("{{,{inside}}}"),
                format!("{{/**/{inside}}}"),
                format!("{{{inside};\"x\":1}}"),
                format!("{{{inside},x:1}}"),
                format!("{{{inside},'x':1}}"),
                format!("{{{inside},\"x\":}}"),
                format!("{{{inside},\"x\":NaN}}"),
                format!("{{{inside},\"x\":Infinity}}"),
                format!("{{{inside},\"x\":01}}"),
                format!("{{{inside},\"x\":+1}}"),
                format!("{{{inside},\"x\":1.}}"),
                format!("{{{inside},\"x\":.5}}"),
                format!("{{{inside},\"x\":0x10}}"),
                format!("{{{inside},\"x\":\"\n\"}}"),
                format!("{{{inside},\"x\":\"\\x41\"}}"),
                format!("{{{inside},\"x\":\"\\u00g0\"}}"),
                format!("{{{inside},\"x\":\"\\ud800\"}}"),
                format!("{{{inside},\"\\udc00\":1}}"),
                format!("{{{inside},\"x\":True}}"),
                format!("{{{inside},\"x\":[1,]}}"),
                format!("{{{inside},\"x\":[1}}"),
                format!("{{{inside},\"x\"}}"),
                format!("{{{inside},1:1}}"),
                String::new(),
                " ".to_owned(),
                "null".to_owned(),
                "true".to_owned(),
                "1".to_owned(),
                "\"RS256\"".to_owned(),
                "[]".to_owned(),
                format!("\"{}\"", inside.replace('"', "\\\"")),
            ]
            .map(|text| (text.clone(), text.into_bytes())),
        );
        spoilt
    };
    let mut cases = Vec::new();
    for (given, header) in spoil(&mint().header_text()) {
        cases.push(case(
            format!("header {given}"),
            headed(header),
            Kind::Header,
        ));
    }
    for (given, payload) in spoil(&mint().payload_text()) {
        cases.push(case(
            format!("payload {given}"),
            paid(payload),
            Kind::Claims,
        ));
    }
    let values = r#"["https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration","ZKT",1800000300]"#;
    cases.push(case("claims as an array", paid(values), Kind::Claims));
    assert_refused(&cases);
    // JSON's own freedom stays: space between tokens.
    let spaced = |text: String| text.replace(':', " :\t").replace(",\"", "\r\n, \"");
    let header = format!(" {} ", spaced(mint().header_text()));
    judge(&mint().raw_header(header).token()).expect("space in the header");
}

#[test]
fn a_token_may_have_the_limits_length_and_no_more() {
    assert_eq!(config().max_token_bytes, 8192, "the default");
    for limit in [8192, 1024] {
        let verifier = verifier_with(|config| config.max_token_bytes = limit);
        let longest = token_of(limit);
        judge_with(&verifier, &longest).expect("the longest token");
        let verdict = judge_with(&verifier, &token_of(limit + 1));
        assert_eq!(refusal("one byte more", verdict), Kind::TooLong);
    }
    let cases = [
        ("a byte more at the end", format!("{}A", token_of(8192))),
        ("dots", ".".repeat(8193)),
        ("letters", "A".repeat(1_000_000)),
        ("spaces", " ".repeat(8193)),
        ("two bytes a character", "é".repeat(4097)),
    ]
    .map(|(given, token)| case(given, token, Kind::TooLong));
    assert_refused(&cases);
}

/// A good token of exactly this length.
fn token_of(length: usize) -> String {
    (0..4)
        .flat_map(|h| (0..length).rev().map(move |p| (h, p)))
        .filter(|(h, p)| {
            let chars = |bytes: usize| (bytes * 4).div_ceil(3);
            let payload = mint_padded(*h, 0).payload_text().len() + p;
            let header = mint_padded(*h, 0).header_text().len();
            chars(header) + chars(payload) + chars(256) + 2 == length
        })
        .map(|(h, p)| mint_padded(h, p).token())
        .find(|token| token.len() == length)
        .expect("a token of that length")
}

fn mint_padded(header: usize, payload: usize) -> Mint {
    mint()
        .header("x", "h".repeat(header))
        .claim("x", "p".repeat(payload))
}

#[test]
fn what_stands_around_a_token_is_named() {
    let token = mint().token();
    let scheme = "the token begins with the scheme Bearer";
    let space = "the token begins or ends with white space";
    let segments = "the token does not have three segments";
    let base64 = "a segment is not canonical base64url";
    for (given, detail) in [
        (format!("Bearer {token}"), scheme),
        (format!("bEARER\t{token}\n"), scheme),
        ("Bearer 53ac0777".to_owned(), scheme),
        ("Bearer ".to_owned(), scheme),
        (format!("{token}\n"), space),
        (format!("{token}\r\n"), space),
        (format!(" {token}"), space),
        ("\t53ac0777".to_owned(), space),
        (" ".to_owned(), space),
        (format!("Bearer{token}"), base64),
        (format!("Basic {token}"), base64),
        (token.replacen('.', ". ", 1), base64),
        ("53ac 0777".to_owned(), segments),
        ("Bearer".to_owned(), segments),
        (String::new(), segments),
    ] {
        let error = judge(&given).expect_err("more than a token");
        assert_eq!((error.kind(), error.detail()), (Kind::Malformed, detail));
    }
    judge(&token).expect("the token alone");
}
