//! The `Authorization` header against a grammar of its own: for any lines that a request can have,
//! whoever reads them is of the grammar's opinion.
//!
//! The grammar is that of the docs of `Credential::from_header` and of the answers that the layer
//! promises, written as regular expressions over bytes; what none of them matches is unusable.

use derbysoft_go_auth::inbound::Credential;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regex::bytes::Regex;

use test_support::property::{Tally, report, try_all};
use test_support::{Api, Keys, request, runtime};

/// What a request presents, by the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presents<'a> {
    Nothing,
    Unusable,
    Token(&'a [u8]),
}

/// What one line can be.
struct Grammar {
    /// `Bearer` in any case, spaces, and a token of visible ASCII without a comma.
    bearer: Regex,
    /// A token without a scheme, which the word `Bearer` is not.
    bare: Regex,
    /// `Bearer` in any case, and what is not one token.
    bearer_word: Regex,
    /// Another scheme, which is a token of RFC 9110, section 5.6.2; and anything, without a tab,
    /// after a space.
    other_scheme: Regex,
}

impl Grammar {
    fn new() -> Self {
        let regex = |pattern| Regex::new(pattern).expect("a pattern");
        Self {
            bearer: regex(r"(?-u)\A[Bb][Ee][Aa][Rr][Ee][Rr]\x20+([\x21-\x2B\x2D-\x7E]+)\z"),
            bare: regex(r"(?-u)\A([\x21-\x2B\x2D-\x7E]+)\z"),
            bearer_word: regex(r"(?-u)\A[Bb][Ee][Aa][Rr][Ee][Rr](\x20|\z)"),
            other_scheme: regex(r"(?-u)\A[0-9A-Za-z!#$%&'*+.^_`|~\x2D]+\x20[\x20-\x7E]*\z"),
        }
    }

    fn read<'a>(&self, lines: &'a [Vec<u8>]) -> Presents<'a> {
        let line = match lines {
            [] => return Presents::Nothing,
            [line] => line,
            _ => return Presents::Unusable,
        };
        let captured = |regex: &Regex| {
            let captures = regex.captures(line)?;
            Some(captures.get(1).expect("a group").range())
        };
        if let Some(token) = captured(&self.bearer) {
            Presents::Token(&line[token])
        } else if self.bearer_word.is_match(line) {
            Presents::Unusable
        } else if let Some(token) = captured(&self.bare) {
            Presents::Token(&line[token])
        } else if self.other_scheme.is_match(line) {
            Presents::Nothing
        } else {
            Presents::Unusable
        }
    }
}

/// A piece of a line: near what means something, or anything that a line can hold.
fn piece(genuine: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let bearer = "[Bb][Ee][Aa][Rr][Ee][Rr]".prop_map(String::into_bytes);
    let words = [
        "Bearer ",
        "Beare",
        "BearerX",
        "Basic ",
        "Digest realm=\"x\"",
        "53ac0777",
    ];
    let signs = b"  \t,;=.\"\\(/:@[{~!#$%&'*+-^_`|".to_vec();
    let other: Vec<&[u8]> = vec![b"\xff", b"\xc3\xa9", b"\xe2\x80\x80", b"\xc2\xa0"];
    let any = prop_oneof![8 => 0x20..=0x7e_u8, 1 => Just(b'\t'), 2 => 0x80..=0xff_u8];
    prop_oneof![
        3 => bearer,
        4 => select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        4 => select(signs).prop_map(|sign| vec![sign]),
        1 => select(other).prop_map(<[u8]>::to_vec),
        2 => Just(genuine.as_bytes().to_vec()),
        2 => vec(any, 0..6),
    ]
}

/// The lines of a request's header, one most often.
fn lines(genuine: &str) -> impl Strategy<Value = Vec<Vec<u8>>> + use<> {
    let formed = {
        let (bearer, token) = ("[Bb][Ee][Aa][Rr][Ee][Rr]", genuine.to_owned());
        let own = prop_oneof![1 => Just(token), 1 => "[!-~]{1,12}"];
        (bearer, " {1,3}", own).prop_map(|(bearer, spaces, token)| [bearer, spaces, token].concat())
    };
    let scheme = "[A-Za-z!#$%&'*+.^_`|~-]{1,8} [ -~]{0,12}";
    let line = prop_oneof![
        2 => formed.prop_map(String::into_bytes),
        1 => scheme.prop_map(String::into_bytes),
        5 => vec(piece(genuine), 0..5).prop_map(|pieces| pieces.concat()),
    ];
    prop_oneof![
        8 => line.clone().prop_map(|line| vec![line]),
        1 => vec(line, 0..4),
    ]
}

fn headers(name: &HeaderName, lines: &[Vec<u8>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line).expect("a header value");
        headers.append(name.clone(), value);
    }
    headers
}

#[test]
fn any_header_is_read_as_the_grammar_says() {
    let runtime = runtime();
    let (grammar, keys) = (Grammar::new(), Keys::new());
    let layer = keys.layer();
    let genuine = keys.token();
    let other_name = HeaderName::from_static("x-go-token");
    let tally = Tally::default();

    let cases = 4096;
    try_all("header grammar", cases, lines(&genuine), |lines| {
        let presents = grammar.read(&lines);
        for name in [AUTHORIZATION, other_name.clone()] {
            let headers = headers(&name, &lines);
            let credential = Credential::from_header(&headers, &name);
            let read = match &credential {
                Credential::Missing | Credential::OtherScheme => Presents::Nothing,
                Credential::Invalid(_) => Presents::Unusable,
                Credential::Token(token) => Presents::Token(token.as_bytes()),
                _ => unreachable!("there are no others"),
            };
            prop_assert_eq!(read, presents);
            let authorization = Credential::from_authorization(&headers);
            if name == AUTHORIZATION {
                prop_assert_eq!(authorization, credential);
            } else {
                prop_assert_eq!(authorization, Credential::Missing);
            }
        }

        let api = Api::behind(layer.clone());
        let spelled: Vec<_> = lines.iter().map(Vec::as_slice).collect();
        let answer = runtime.block_on(api.send(request(&spelled)));
        let kind = answer.kind().unwrap_or("none");
        let challenge = answer.header("www-authenticate").unwrap_or("none");
        let class = match presents {
            Presents::Nothing => {
                prop_assert_eq!((answer.status(), kind), (401, "missing_credentials"));
                prop_assert!(challenge.starts_with("Bearer ") && !challenge.contains("error="));
                "nothing"
            }
            Presents::Unusable => {
                prop_assert_eq!((answer.status(), kind), (400, "invalid_request"));
                prop_assert!(challenge.contains(r#"error="invalid_request""#));
                "unusable"
            }
            Presents::Token(token) if token == genuine.as_bytes() => {
                prop_assert_eq!((answer.status(), kind, challenge), (200, "none", "none"));
                "the genuine token"
            }
            Presents::Token(_) => {
                prop_assert_eq!(answer.status(), 401);
                prop_assert!(!["none", "missing_credentials", "invalid_request"].contains(&kind));
                prop_assert!(challenge.contains(r#"error="invalid_token""#));
                "another token"
            }
        };
        prop_assert_eq!(api.calls(), usize::from(answer.status() == 200));
        tally.count(class);
        Ok(())
    });
    let classes = ["nothing", "unusable", "the genuine token", "another token"];
    tally.assert_each(&classes, cases / 20);
    report("header grammar", cases);
}
