//! Where labelled tokens are put together, and the one key document that all verifiers read.

use std::sync::OnceLock;

use derbysoft_go_simulator::{PublishedKey, SigningKey};
use serde_json::{Value, json};

use test_support::corpus::{mint, now};
use test_support::forge::{self, KID, claims_of, cubic, foreign, good, header_and};

/// A token of the corpus.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) class: &'static str,
    /// What is given; by this name a case can be an example.
    pub(crate) given: String,
    pub(crate) token: String,
    /// Whether it must be accepted, where that is known beforehand.
    pub(crate) good: Option<bool>,
}

/// Collects the cases of one class after the other.
#[derive(Default)]
pub(crate) struct Desk {
    class: &'static str,
    good: Option<bool>,
    pub(crate) cases: Vec<Case>,
}

impl Desk {
    /// What comes next are tokens of this class.
    pub(crate) fn class(&mut self, name: &'static str, good: Option<bool>) {
        (self.class, self.good) = (name, good);
    }

    pub(crate) fn attack(&mut self, name: &'static str) {
        self.class(name, Some(false));
    }

    pub(crate) fn token(&mut self, given: impl Into<String>, token: impl Into<String>) {
        self.cases.push(Case {
            class: self.class,
            given: given.into(),
            token: token.into(),
            good: self.good,
        });
    }

    pub(crate) fn raw_header(&mut self, given: impl Into<String>, header: impl Into<Vec<u8>>) {
        self.token(given, mint().raw_header(header).token());
    }

    pub(crate) fn raw_payload(&mut self, given: impl Into<String>, payload: impl Into<Vec<u8>>) {
        self.token(given, mint().raw_payload(payload).token());
    }

    /// A good header, and these members of JSON text.
    pub(crate) fn header(&mut self, members: &str) {
        self.raw_header(members, header_and(members));
    }

    /// Good claims, and these members of JSON text.
    pub(crate) fn payload(&mut self, members: &str) {
        self.raw_payload(members, payload_and(members));
    }

    /// Good claims, one of them replaced, or left out with `""`.
    pub(crate) fn claim(&mut self, name: &str, value: &str) {
        let given = match value {
            "" => format!("no {name}"),
            value => format!("\"{name}\":{value}"),
        };
        self.claim_called(&given, name, value);
    }

    pub(crate) fn claim_called(&mut self, given: &str, name: &str, value: &str) {
        self.raw_payload(given, claims(&[(name, value)]));
    }
}

/// Good claims as JSON text, those named replaced; `""` leaves one out.
pub(crate) fn claims(changes: &[(&str, &str)]) -> String {
    let now = now();
    claims_of(now - 720, now - 600, now + 600, changes)
}

/// Good claims as JSON text with `more` before the closing brace.
pub(crate) fn payload_and(more: &str) -> String {
    let text = mint().payload_text();
    format!("{},{more}}}", &text[..text.len() - 1])
}

/// The longest name that a key may have, and one that is too long.
pub(crate) fn long_kids() -> [String; 2] {
    [256, 257].map(|bytes| "k".repeat(bytes))
}

/// A key of 3072 bits, published under `3072`.
pub(crate) fn larger() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(3072).expect("a key of 3072 bits"))
}

/// Good keys, and keys that must not verify a token although they could: the good one's material
/// published for something else, or under a name that nobody may have.
pub(crate) fn key_document() -> String {
    let [longest, too_long] = long_kids();
    let with = |kid: &str, member: &str, value: Value| {
        let mut key = good().jwk(kid);
        key[member] = value;
        key
    };
    let wrapping = {
        let mut key = with("for-wrapping", "key_ops", json!(["wrapKey"]));
        key.as_object_mut().expect("an object").remove("use");
        key
    };
    let keys = [
        good().jwk(KID),
        cubic().jwk("cubic"),
        PublishedKey::new(larger().clone())
            .with_kid("3072")
            .jwk()
            .clone(),
        good().jwk(&longest),
        with("for-encryption", "use", json!("enc")),
        wrapping,
        with("for-RS512", "alg", json!("RS512")),
        good().jwk("twice"),
        foreign().jwk("twice"),
        good().jwk(""),
        good().jwk(&too_long),
    ];
    String::from_utf8(forge::document(&keys)).expect("JSON")
}
