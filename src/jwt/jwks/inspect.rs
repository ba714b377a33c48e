//! A key-set document entry by entry, for an operator: the verdict on each is that of
//! [`KeySet::from_document`].

use serde_json::value::RawValue;

use super::gather::Gather;
use super::{
    Key, KeySet, KeySetError, Members, SkipReason, SkippedKey, base64url, gather, read_key, text,
};
use crate::jwt::json;
use crate::jwt::rs256::bits_of;

/// One entry of a document, as untrusted as the document.
#[derive(Debug)]
pub struct Inspected {
    /// Set if it is a text, like the next ones.
    pub kid: Option<String>,
    /// See `kid`.
    pub kty: Option<String>,
    /// See `kid`.
    pub alg: Option<String>,
    /// `use`
    pub usage: Option<String>,
    /// The size of `n`, if it can be read.
    pub bits: Option<usize>,
    /// Why it can't be used; `None` if it can.
    pub unusable: Option<SkipReason>,
}

/// Every entry in the document's order, usable or not.
///
/// # Errors
/// If the document is not a key set.
pub fn inspect(document: &[u8]) -> Result<Vec<Inspected>, KeySetError> {
    let set = KeySet::default().read(gather(document)?);
    let Looked(entries) = gather(document)?;
    let judged = |(mut entry, key): (Inspected, Result<Key, SkippedKey>)| {
        entry.unusable = match key {
            Ok(key) if set.get(key.kid()).is_some_and(|ours| ours.same_key(&key)) => None,
            Ok(key) => Some(reason_in(&set, key.kid())),
            Err(skipped) => Some(skipped.reason()),
        };
        entry
    };
    Ok(entries.into_iter().map(judged).collect())
}

/// The entries of a document, each with its key.
#[derive(Default)]
struct Looked(Vec<(Inspected, Result<Key, SkippedKey>)>);

impl Gather for Looked {
    fn add(&mut self, entry: &RawValue) {
        let entry = entry.get();
        self.0.push((Inspected::of(entry), read_key(entry)));
    }
}

impl Inspected {
    /// The content of an entry; whether it can be used is not judged yet.
    fn of(entry: &str) -> Self {
        let members = json::is_object(entry.as_bytes())
            .then(|| serde_json::from_str::<Members<'_>>(entry).ok())
            .flatten();
        let member = |pick: fn(&Members<'_>) -> Option<String>| members.as_ref().and_then(pick);
        Self {
            kid: member(|members| members.kid.and_then(text)),
            kty: member(|members| members.kty.and_then(text)),
            alg: member(|members| members.alg.and_then(text)),
            usage: member(|members| members.public_key_use.and_then(text)),
            bits: member(|members| members.n.and_then(text))
                .and_then(|n| base64url(&n))
                .map(|n| bits_of(&n)),
            unusable: None,
        }
    }
}

/// Why a set lacks a key that would be usable alone.
fn reason_in(set: &KeySet, kid: &str) -> SkipReason {
    let skipped =
        |reason| (set.skipped().iter()).any(|key| key.kid() == Some(kid) && key.reason() == reason);
    if skipped(SkipReason::Ambiguous) {
        SkipReason::Ambiguous
    } else {
        SkipReason::TooMany
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::jwks::tests::{document, modulus};

    fn key(kid: &str, n: &str) -> String {
        format!(r#"{{"kty":"RSA","kid":"{kid}","use":"sig","alg":"RS256","n":"{n}","e":"AQAB"}}"#)
    }

    fn reasons(entries: &[String]) -> Vec<Option<SkipReason>> {
        let inspected = inspect(document(entries).as_bytes()).expect("a key set");
        inspected.into_iter().map(|key| key.unusable).collect()
    }

    #[test]
    fn each_entry_is_shown_in_the_documents_order() {
        let twins = [key("twin", &modulus(1)), key("twin", &modulus(3))];
        let entries = [
            key("good", &modulus(1)),
            "null".to_owned(),
            key("small", "AQAB"),
            twins[0].clone(),
            twins[1].clone(),
            key("good", &modulus(1)),
        ];
        assert_eq!(
            reasons(&entries),
            [
                None,
                Some(SkipReason::Unreadable),
                Some(SkipReason::ModulusSize),
                Some(SkipReason::Ambiguous),
                Some(SkipReason::Ambiguous),
                None,
            ]
        );
    }

    #[test]
    fn the_verdicts_are_those_of_the_key_set() {
        let entries: Vec<_> = (0..=super::super::MAX_KEYS)
            .map(|n| key(&format!("{n:03}"), &modulus(1)))
            .collect();
        let reasons = reasons(&entries);
        assert_eq!(reasons.iter().filter(|it| it.is_none()).count(), 100);
        assert_eq!(reasons.last(), Some(&Some(SkipReason::TooMany)));
    }

    #[test]
    fn a_set_without_a_usable_key_is_shown_too() {
        let document = format!(r#"{{"keys":[{}]}}"#, key("small", "AQAB"));
        assert!(KeySet::from_document(document.as_bytes()).is_err());
        let inspected = inspect(document.as_bytes()).expect("a key set");
        assert_eq!(inspected[0].kid.as_deref(), Some("small"));
        assert_eq!(inspected[0].bits, Some(17));
        assert!(inspect(b"[]").is_err());
    }
}
