//! Key documents: junk that is added to one never removes a good key.

use derbysoft_go_auth::KeySet;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::forge::{self, KID, document, encode, good};

/// Any JSON value, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{0,5}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Something that may stand in a key document and is not a usable key: its modulus, where it is one
/// at all, has less than 2048 bits.
fn junk_key() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        Just("kty".to_owned()),
        Just("use".to_owned()),
        Just("alg".to_owned()),
        Just("key_ops".to_owned()),
        Just("e".to_owned()),
        Just("x5c".to_owned()),
        "[a-z]{1,4}",
    ];
    let words = prop_oneof![
        Just(json!("RSA")),
        Just(json!("oct")),
        Just(json!("sig")),
        Just(json!("enc")),
        Just(json!("RS256")),
        Just(json!("AQAB")),
        Just(json!(["verify"])),
        any_json(),
    ];
    let object = (
        vec((member, words), 0..6),
        vec(any::<u8>(), 0..255),
        any::<bool>(),
    )
        .prop_map(|(members, modulus, ours)| {
            let mut key: Map<String, Value> = members.into_iter().collect();
            key.insert("n".to_owned(), encode(modulus).into());
            if ours {
                key.insert("kid".to_owned(), KID.into());
            }
            Value::Object(key)
        });
    prop_oneof![any_json(), object]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn given_a_good_document_when_junk_is_added_then_its_good_keys_stay(
        junk in vec((any::<Index>(), junk_key()), 0..12),
    ) {
        let mut entries = vec![good().jwk(KID), forge::foreign().jwk("second")];
        for (at, junk) in junk {
            entries.insert(at.index(entries.len() + 1), junk);
        }
        let set = KeySet::from_document(&document(&entries)).expect("two good keys");
        prop_assert_eq!(set.keys().map(|(kid, _)| kid).collect::<Vec<_>>(), [KID, "second"]);
        prop_assert_eq!(set.skipped().len(), entries.len() - 2);
    }
}
