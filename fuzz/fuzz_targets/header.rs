//! JOSE headers: what is accepted means the same to a general JSON reader.
#![no_main]

use derbysoft_go_auth::inspect::fuzzing;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|document: &[u8]| {
    let Some(kid) = fuzzing::header(document) else {
        return;
    };
    let Value::Object(header) = serde_json::from_slice(document).expect("JSON") else {
        panic!("not an object");
    };
    assert_eq!(header["alg"], "RS256");
    assert_eq!(header["kid"], *kid);
    assert!((1..=256).contains(&kid.len()));
    for forbidden in ["crit", "b64", "zip", "enc"] {
        assert!(!header.contains_key(forbidden), "{forbidden}");
    }
    let is_text = |name: &str| header.get(name).is_none_or(Value::is_string);
    assert!(["typ", "cty", "jku", "x5u", "x5t"].into_iter().all(is_text));
});
