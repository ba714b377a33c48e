//! Key sets, verifiers, and what they make of a token.

use std::sync::OnceLock;

use derbysoft_go_auth::authenticate::{Verifier, VerifyError, VerifyErrorKind as Kind};
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{Config, Verified};
use derbysoft_go_simulator::PublishedKey;
use serde_json::{Value, json};

use super::{AUDIENCE, ISSUER, KID, NOW, foreign, good, mint};

/// A document with these keys.
pub fn document(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// A key set with these keys.
#[track_caller]
pub fn key_set(keys: &[Value]) -> KeySet {
    KeySet::from_document(&document(keys)).expect("a usable key set")
}

/// The key set with the [`good`] key under [`KID`], as the simulator publishes it.
pub fn keys() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| {
        let published = PublishedKey::new(good().signing()).with_kid(KID);
        key_set(std::slice::from_ref(published.jwk()))
    })
}

/// The least configuration: one issuer, one audience.
pub fn config() -> Config {
    let mut config = Config::default();
    ISSUER.clone_into(&mut config.issuer);
    config.audience = vec![AUDIENCE.to_owned()];
    config
}

pub fn verifier() -> Verifier {
    config().verifier().expect("a good configuration")
}

/// A verifier whose configuration departs from the least one.
pub fn verifier_with(change: impl FnOnce(&mut Config)) -> Verifier {
    let mut config = config();
    change(&mut config);
    config.verifier().expect("a good configuration")
}

/// The least configuration's verdict on a token, with the usual keys, at [`NOW`].
pub fn judge(token: &str) -> Result<Verified, VerifyError> {
    judge_with(&verifier(), token)
}

pub fn judge_with(verifier: &Verifier, token: &str) -> Result<Verified, VerifyError> {
    verifier.verify(token, keys(), UnixTime::from_secs(NOW))
}

/// What is given, the token, and the kind of its rejection.
pub type Case = (String, String, Kind);

pub fn case(given: impl Into<String>, token: impl Into<String>, kind: Kind) -> Case {
    (given.into(), token.into(), kind)
}

/// Checks each case with the least configuration, and names all that fail.
#[track_caller]
pub fn assert_refused(cases: &[Case]) {
    assert_refused_with(&verifier(), keys(), cases);
}

#[track_caller]
pub fn assert_refused_with(verifier: &Verifier, keys: &KeySet, cases: &[Case]) {
    assert!(!cases.is_empty());
    let now = UnixTime::from_secs(NOW);
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|(given, token, expected)| {
            let verdict = match verifier.verify(token, keys, now) {
                Ok(_) => "accepted".to_owned(),
                Err(error) => {
                    assert_harmless(&error);
                    if error.kind() == *expected {
                        return None;
                    }
                    format!("{:?}", error.kind())
                }
            };
            Some(format!("given {given}: {verdict}, not {expected:?}"))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A rejection's text can go into a quoted header parameter as it is.
#[track_caller]
pub fn assert_harmless(error: &VerifyError) {
    let printable = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    for text in [error.detail(), &error.to_string(), error.kind().as_str()] {
        assert!(!text.is_empty() && text.chars().all(printable), "{text:?}");
    }
}

/// The kind of a rejection; a panic that names `given` where there is none.
#[track_caller]
pub fn refusal(given: &str, verdict: Result<Verified, VerifyError>) -> Kind {
    match verdict {
        Ok(_) => panic!("given {given}: accepted"),
        Err(error) => {
            assert_harmless(&error);
            error.kind()
        }
    }
}

/// Asserts that a token of the [`good`] key passes, and one by a stranger under its kid does not.
#[track_caller]
pub fn assert_serves(given: &str, keys: &KeySet) {
    let now = UnixTime::from_secs(NOW);
    if let Err(error) = verifier().verify(&mint().token(), keys, now) {
        panic!("given {given}: a genuine token is rejected: {error}");
    }
    let forged = mint().key(foreign().signing()).token();
    let error = verifier().verify(&forged, keys, now).expect_err(given);
    assert_eq!(error.kind(), Kind::Signature, "given {given}");
}
