//! Signatures: the classes of Project Wycheproof's tests for JSON web signatures and keys, as far as
//! they bear on RS256, each with the verdict that is its own.
//!
//! Theirs are tokens by their keys; these are made here, by keys of our own, so that claims and time
//! are good and the fault that a case is named for is the only one. The number of cases of each
//! class is written down and printed: a generator that shrinks is noticed.
//!
//! Three of their classes are tested elsewhere: base64 in other spellings and unused bits
//! (`tokens::spelling`), members and `alg` of other types and names (`tokens::misleading_headers`),
//! and public keys that cannot be read (`keys::published_keys`).

mod confusion;
mod der;
mod digests;
mod embedded;
mod forgeries;
mod key_numbers;
mod key_use;
mod padding;
mod structure;

use std::collections::HashSet;

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use serde_json::Value;

use test_support::forge::{
    Case, assert_refused, assert_refused_with, case, foreign, good, judge, key_set, verifier,
    with_signature,
};

/// Asserts the verdict on each case of a class with the usual keys.
#[track_caller]
fn hold(class: &str, count: usize, cases: &[Case]) {
    assert_distinct(class, cases.iter().map(|(_, token, _)| &**token));
    assert_refused(cases);
    say(class, count, cases.len());
}

/// Asserts that each of these tokens is accepted with the usual keys.
#[track_caller]
fn hold_accepted(class: &str, count: usize, tokens: &[(String, String)]) {
    for (given, token) in tokens {
        if let Err(error) = judge(token) {
            panic!("given {given}: {error}");
        }
    }
    say(class, count, tokens.len());
}

/// A token, and what is published when it comes.
struct Published {
    keys: Vec<Value>,
    case: Case,
}

impl Published {
    fn new(given: impl Into<String>, keys: &[Value], token: String, kind: Kind) -> Self {
        Self {
            keys: keys.to_vec(),
            case: case(given, token, kind),
        }
    }
}

/// Asserts the verdict on each case of a class with its own keys, beside which a good one is always
/// published.
#[track_caller]
fn hold_published(class: &str, count: usize, cases: &[Published]) {
    assert_distinct(class, cases.iter().map(|published| &*published.case.0));
    for Published { keys, case } in cases {
        let keys = [&keys[..], &[foreign().jwk("bystander")]].concat();
        assert_refused_with(&verifier(), &key_set(&keys), std::slice::from_ref(case));
    }
    say(class, count, cases.len());
}

/// A case that comes twice would count for two.
#[track_caller]
fn assert_distinct<'a>(class: &str, cases: impl Iterator<Item = &'a str>) {
    let mut seen = HashSet::new();
    for case in cases {
        assert!(seen.insert(case), "{class} has this twice: {case}");
    }
}

#[track_caller]
#[expect(
    clippy::print_stdout,
    reason = "how many there were is what is to be shown"
)]
fn say(class: &str, expected: usize, cases: usize) {
    assert_eq!(cases, expected, "the number of cases of {class}");
    println!("proof: json web signature, {class}: {cases} cases");
}

/// `token` with this block under the good key's signature.
#[track_caller]
fn forged(token: &str, given: impl Into<String>, block: &[u8]) -> Case {
    let signature = good().raise(block);
    let given = given.into();
    assert_eq!(good().lower(&signature), block, "given {given}");
    case(given, with_signature(token, &signature), Kind::Signature)
}
