//! One published key: one that departs from the rules in one member is skipped, and no other with
//! it; one that the rules allow can verify.

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::{KeySet, KeySetError, MAX_KEYS};
use num_bigint::BigUint;
use serde_json::{Value, json};

use test_support::forge::{
    DIGEST_INFO, KID, NOW, assert_serves, block, cubic, document, encode, good, key_set, message,
    mint, text, verifier, with_signature,
};
use test_support::strange_keys::{changed, odd_of, strange_keys};

#[test]
fn an_unusable_key_alone_is_skipped() {
    for (given, strange, why) in strange_keys() {
        let keys = key_set(&[strange.clone(), good().jwk(KID)]);
        assert_eq!(
            keys.keys().collect::<Vec<_>>(),
            [(KID, 2048)],
            "given {given}"
        );
        assert_eq!(keys.skipped().len(), 1, "given {given}");
        let reason = keys.skipped()[0].reason();
        assert!(
            why.is_none_or(|why| why == reason),
            "given {given}: {reason:?}"
        );
        assert!(keys.skipped()[0].kid().is_none_or(|kid| kid.len() <= 256));
        let alone = KeySet::from_document(&document(&[strange]));
        let Err(KeySetError::NoUsableKey(skipped)) = alone else {
            panic!("given {given} alone: {alone:?}");
        };
        assert_eq!(skipped[0].reason(), reason, "given {given} alone");
    }
}

#[test]
fn all_unusable_keys_at_once_hide_no_good_one() {
    let mut keys: Vec<Value> = strange_keys().into_iter().map(|(_, key, _)| key).collect();
    keys.insert(keys.len() / 2, good().jwk(KID));
    let keys = key_set(&keys);
    assert_eq!(keys.len(), 1);
    assert!((50..=MAX_KEYS).contains(&keys.skipped().len()));
    assert_serves("every strange key", &keys);
}

#[test]
fn a_key_in_any_allowed_form_serves() {
    let numbers = |name: &str, number: &BigUint, zeroes: usize| {
        (
            name.to_owned(),
            Value::from(encode([vec![0; zeroes], number.to_bytes_be()].concat())),
        )
    };
    let guises: Vec<Vec<(String, Value)>> = vec![
        vec![("use".into(), Value::Null)],
        vec![("alg".into(), Value::Null)],
        vec![("key_ops".into(), json!(["verify"]))],
        vec![("key_ops".into(), json!(["sign", "verify", "unheard-of"]))],
        vec![
            ("x5t".into(), json!("AAAA")),
            ("x5c".into(), json!(["AAAA"])),
        ],
        vec![
            ("x".into(), json!({"y": [1, {"z": null}]})),
            ("ext".into(), json!(true)),
        ],
        vec![numbers("n", &good().n, 1)],
        vec![numbers("n", &good().n, 40)],
        vec![numbers("e", &good().e, 1)],
        vec![numbers("e", &good().e, 300)],
        vec![numbers("n", &good().n, 2), numbers("e", &good().e, 2)],
    ];
    for guise in guises {
        let mut jwk = good().jwk(KID);
        let given = format!("{:.60}", json!(guise));
        for (name, value) in guise {
            match value {
                Value::Null => drop(jwk.as_object_mut().expect("an object").remove(&name)),
                value => jwk[name] = value,
            }
        }
        let keys = key_set(&[jwk]);
        assert_eq!(
            keys.keys().collect::<Vec<_>>(),
            [(KID, 2048)],
            "given {given}"
        );
        assert_serves(&given, &keys);
    }
}

#[test]
fn a_null_member_harms_no_other_key() {
    for name in ["use", "alg", "key_ops", "x5c"] {
        let keys = key_set(&[changed(name, Value::Null), good().jwk(KID)]);
        assert_serves(name, &keys);
    }
}

#[test]
fn sizes_and_exponents_at_their_bounds_are_usable() {
    for bits in [2048, 2049, 3072, 4095, 4096] {
        let mut jwk = good().jwk("bound");
        jwk["n"] = text(&odd_of(bits)).into();
        let listed: Vec<_> = key_set(&[jwk]).keys().map(|(_, bits)| bits).collect();
        assert_eq!(listed, [usize::try_from(bits).expect("small")]);
    }
    for exponent in [3_u64, 5, 17, 65535, 65537, (1 << 32) + 1, (1 << 33) - 1] {
        let keys = key_set(&[changed("e", text(&BigUint::from(exponent)).into())]);
        assert_eq!(keys.len(), 1, "exponent {exponent}");
    }
    let keys = key_set(&[cubic().jwk(KID)]);
    let token = mint().token();
    let token = with_signature(
        &token,
        &cubic().raise(&block(&DIGEST_INFO, message(&token))),
    );
    let verdict = verifier().verify(&token, &keys, UnixTime::from_secs(NOW));
    verdict.expect("exponent 3 is allowed");
}

/// An object that contains the right word is not the right word.
#[test]
fn an_object_in_place_of_a_word_is_skipped() {
    let accepted: Vec<_> = [
        ("alg", json!({"RS256": null})),
        ("kty", json!({"RSA": null})),
        ("use", json!({"sig": null})),
        ("key_ops", json!([{"verify": null}])),
    ]
    .into_iter()
    .filter(|(name, value)| {
        let keys = key_set(&[changed(name, value.clone()), good().jwk(KID)]);
        assert_serves(name, &keys);
        keys.len() != 1
    })
    .collect();
    assert!(accepted.is_empty(), "usable with {accepted:?}");
}
