//! `Authorization` header lines, one a line of the input, against the grammar as
//! the docs of `Credential::from_header` have it.
#![no_main]

use derbysoft_go_auth::inbound::Credential;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.append(AUTHORIZATION, value);
    }
    let expected = if headers.len() == 1 {
        expected(input)
    } else {
        Expected::Invalid
    };
    let found = match Credential::from_authorization(&headers) {
        Credential::Token(token) => Expected::Token(token.into_owned()),
        Credential::Missing => Expected::Missing,
        Credential::OtherScheme => Expected::OtherScheme,
        _ => Expected::Invalid,
    };
    assert_eq!(found, expected);
});

#[derive(Debug, PartialEq)]
enum Expected {
    Token(String),
    Missing,
    OtherScheme,
    Invalid,
}

/// Of one line, word by word: slower than the crate's own reading, and another.
fn expected(line: &[u8]) -> Expected {
    let text = match std::str::from_utf8(line) {
        Ok(text) if text.chars().all(|c| matches!(c, ' '..='~')) => text,
        _ => return Expected::Invalid,
    };
    let is_token = |word: &str| !word.is_empty() && !word.contains([',', ' ']);
    let Some((first, rest)) = text.split_once(' ') else {
        let is_scheme_alone = text.eq_ignore_ascii_case("bearer");
        return if is_token(text) && !is_scheme_alone {
            Expected::Token(text.to_owned())
        } else {
            Expected::Invalid
        };
    };
    if first.eq_ignore_ascii_case("bearer") {
        let token = rest.trim_start_matches(' ');
        return if is_token(token) {
            Expected::Token(token.to_owned())
        } else {
            Expected::Invalid
        };
    }
    // RFC 9110, section 5.6.2.
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !first.is_empty() && first.chars().all(is_tchar) {
        Expected::OtherScheme
    } else {
        Expected::Invalid
    }
}
