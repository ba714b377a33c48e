//! Key documents: what is kept is within bounds, and nothing in a document takes a
//! good key of another name with it.
#![no_main]

use std::sync::LazyLock;

use derbysoft_go_auth::inspect::fuzzing;
use derbysoft_go_auth::keys::{KeySet, MAX_KEYS};
use derbysoft_go_simulator::PublishedKey;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

static GOOD: LazyLock<String> = LazyLock::new(|| {
    let mut jwk = PublishedKey::fresh().jwk().clone();
    jwk["kid"] = "the good key".into();
    jwk.to_string()
});

fuzz_target!(|document: &[u8]| {
    check(document);
    if let Some(address) = fuzzing::discovered("https://id.example/keys", document) {
        assert!(address.starts_with("https://id.example/"), "{address}");
        assert!(
            KeySet::from_document(document).is_err(),
            "it is one of the two"
        );
    }
    // The same among junk: whatever JSON value stands beside it.
    let Ok(junk) = serde_json::from_slice::<&RawValue>(document) else {
        return;
    };
    let junk = junk.get();
    if junk.contains("the good key") || junk.contains("\\u") {
        return;
    }
    let good = &*GOOD;
    for document in [
        format!(r#"{{"keys":[{junk},{good}]}}"#),
        format!(r#"{{"x":{junk},"keys":[{good},{junk}]}}"#),
    ] {
        let keys = check(document.as_bytes()).expect("one key is good");
        assert!(
            keys.keys()
                .any(|(kid, bits)| kid == "the good key" && bits == 2048)
        );
    }
});

fn check(document: &[u8]) -> Option<KeySet> {
    let keys = KeySet::from_document(document).ok()?;
    assert!((1..=MAX_KEYS).contains(&keys.len()));
    assert!(keys.skipped().len() <= MAX_KEYS);
    let mut last = "";
    for (kid, bits) in keys.keys() {
        assert!(
            last < kid && kid.len() <= 256,
            "sorted, each once, and bounded"
        );
        assert!((2048..=4096).contains(&bits));
        last = kid;
    }
    // RFC 8259, section 8.1: a reader may ignore one byte order mark.
    let text = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    serde_json::from_slice::<serde::de::IgnoredAny>(text).expect("JSON");
    Some(keys)
}
