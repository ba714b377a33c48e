//! Key documents that must do no harm: whatever shares a name, holds secrets, is too much or is
//! empty, no good key suffers and no ambiguous one verifies.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::{KeySet, KeySetError, MAX_KEYS, SkipReason};
use serde_json::{Value, json};

use test_support::forge::{
    KID, NOW, assert_serves, document, encode, foreign, good, key_set, mint, text, verifier,
};

#[test]
fn a_key_of_another_kind_hides_no_good_one() {
    let mut encrypting = foreign().jwk(KID);
    encrypting["use"] = "enc".into();
    let mut other_algorithm = foreign().jwk(KID);
    other_algorithm["alg"] = "PS256".into();
    let secret = json!({"kty": "oct", "kid": KID, "k": encode([7; 32]), "alg": "HS256"});
    let curve = json!({"kty": "EC", "kid": KID, "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32])});
    for (given, other) in [
        ("an oct key", secret),
        ("an encryption key", encrypting),
        ("a PS256 key", other_algorithm),
        ("an EC key", curve),
        ("nothing but the kid", json!({ "kid": KID })),
    ] {
        for keys in [[other.clone(), good().jwk(KID)], [good().jwk(KID), other]] {
            let keys = key_set(&keys);
            assert_eq!((keys.len(), keys.skipped().len()), (1, 1), "given {given}");
            assert_serves(given, &keys);
        }
    }
}

#[test]
fn two_materials_under_one_kid_serve_neither() {
    let (ours, theirs) = (good().jwk(KID), foreign().jwk(KID));
    let mut other_exponent = ours.clone();
    other_exponent["e"] = "Aw".into();
    for (given, twins) in [
        ("two", vec![ours.clone(), theirs.clone()]),
        (
            "two, the other way round",
            vec![theirs.clone(), ours.clone()],
        ),
        (
            "three, first and last alike",
            vec![ours.clone(), theirs.clone(), ours.clone()],
        ),
        (
            "three, the last differs",
            vec![ours.clone(), ours.clone(), theirs],
        ),
        ("another exponent alone", vec![ours, other_exponent]),
    ] {
        let alone = KeySet::from_document(&document(&twins));
        assert!(
            matches!(alone, Err(KeySetError::NoUsableKey(_))),
            "given {given}"
        );
        let keys = key_set(&[&twins[..], &[good().jwk("bystander")]].concat());
        assert_eq!(
            keys.keys().collect::<Vec<_>>(),
            [("bystander", 2048)],
            "given {given}"
        );
        assert!(
            keys.skipped()
                .iter()
                .all(|key| key.reason() == SkipReason::Ambiguous)
        );
        let verdict = verifier().verify(&mint().token(), &keys, UnixTime::from_secs(NOW));
        assert_eq!(verdict.expect_err(given).kind(), Kind::UnknownKey);
    }
}

#[test]
fn one_material_twice_under_one_kid_serves() {
    let mut spelled_otherwise = good().jwk(KID);
    spelled_otherwise["n"] = encode([vec![0], good().n.to_bytes_be()].concat()).into();
    spelled_otherwise
        .as_object_mut()
        .expect("an object")
        .remove("use");
    for twins in [
        vec![good().jwk(KID), good().jwk(KID)],
        vec![good().jwk(KID), spelled_otherwise.clone()],
        vec![spelled_otherwise, good().jwk(KID), good().jwk(KID)],
    ] {
        let keys = key_set(&twins);
        assert_eq!(keys.len(), 1);
        assert_serves("the same key again", &keys);
    }
}

#[test]
fn private_members_of_a_key_are_not_kept() {
    let mut jwk = good().jwk(KID);
    for (name, number) in [("d", &good().d), ("p", &good().p), ("q", &good().q)] {
        jwk[name] = text(number).into();
    }
    let keys = key_set(&[jwk.clone()]);
    assert_serves("a private key", &keys);
    let printed = format!("{keys:?} {keys:#?}").to_lowercase();
    for number in [&good().d, &good().p, &good().q] {
        let bytes = number.to_bytes_be();
        let listed = format!("{:?}", &bytes[..8]);
        let starts = [
            text(number)[..12].to_lowercase(),
            format!("{number:x}")[..12].to_owned(),
            number.to_string()[..12].to_owned(),
            listed[1..listed.len() - 1].to_owned(),
        ];
        for start in starts {
            assert!(!printed.contains(&start), "{start}");
        }
    }
    // Nor is a private key under an unusable name.
    jwk["use"] = "enc".into();
    let printed = format!("{:?}", key_set(&[jwk.clone(), good().jwk("bystander")]));
    assert!(!printed.contains(jwk["d"].as_str().expect("text")));
}

#[test]
fn ten_thousand_keys_take_a_bounded_space() {
    let mut junk: Vec<Value> = (0..10_000)
        .map(|n| json!({"kty": "oct", "kid": format!("{n}"), "k": "AAAA"}))
        .collect();
    junk.push(good().jwk(KID));
    let keys = key_set(&junk);
    assert_eq!((keys.len(), keys.skipped().len()), (1, MAX_KEYS));
    assert_serves("ten thousand junk keys before it", &keys);

    let many: Vec<Value> = (0..1_000).map(|n| good().jwk(&format!("{n:05}"))).collect();
    let keys = key_set(&many);
    assert_eq!(
        (MAX_KEYS, keys.len(), keys.skipped().len()),
        (100, 100, 100)
    );
    assert!(
        keys.skipped()
            .iter()
            .all(|key| key.reason() == SkipReason::TooMany)
    );
    let exactly = key_set(&many[..100]);
    assert_eq!((exactly.len(), exactly.skipped().len()), (100, 0));
}

#[test]
fn a_document_that_is_no_key_set_is_rejected() {
    let key = good().jwk(KID).to_string();
    for document in [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"keys\"",
        "[]",
        "{}",
        "{",
        r#"{"keys""#,
        r#"{"keys":"#,
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":"x"}"#,
        r#"{"keys":1}"#,
        r#"{"keys":["#,
        r#"{"Keys":[]}"#,
        r#"{"jwks_uri":"https://id.example/keys"}"#,
        "<!DOCTYPE html><html><body>Sign in</body></html>",
        "404 Found",
        "keys: []",
        &key,
        &format!("[{key}]"),
        &format!("{{\"keys\":{key}}}"),
        &format!("{{\"keys\":[{key}]"),
        &format!("{{\"keys\":[{key},]}}"),
        &format!("{{\"keys\":[{key}]}}x"),
        &format!("{{\"keys\":[{key}]}}{{\"keys\":[{key}]}}"),
        &"[".repeat(100_000),
        &r#"{"keys":["#.repeat(100_000),
    ] {
        let error = KeySet::from_document(document.as_bytes()).err();
        assert_eq!(error, Some(KeySetError::NotAKeySet), "{document:.60}");
    }
    let error = KeySet::from_document(b"\x1f\x8b\x08\xff\xfe").err();
    assert_eq!(error, Some(KeySetError::NotAKeySet), "gzip");
    for document in [
        r#"{"keys":[]}"#,
        r#" { "keys" : [ ] , "x" : 1 } "#,
        r#"{"keys":[{}]}"#,
    ] {
        let keys = KeySet::from_document(document.as_bytes());
        assert!(
            matches!(keys, Err(KeySetError::NoUsableKey(_))),
            "{document}"
        );
    }
}

#[test]
fn endless_nesting_in_a_junk_key_harms_no_other() {
    for depth in [200, 100_000] {
        for junk in [
            format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
            format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)),
            format!(
                r#"{{"kty":"RSA","kid":"x","n":{}{}}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            ),
        ] {
            let text = format!(r#"{{"x":{junk},"keys":[{junk},{}]}}"#, good().jwk(KID));
            let keys = KeySet::from_document(text.as_bytes()).expect("one key is good");
            assert_eq!((keys.len(), keys.skipped().len()), (1, 1));
            assert_serves("deep junk", &keys);
        }
    }
}

#[test]
fn an_array_in_place_of_the_document_is_rejected() {
    let key = good().jwk(KID);
    for document in [
        json!([[key]]),
        json!([key]),
        json!([[]]),
        json!([{"keys": [key]}]),
    ] {
        let read = KeySet::from_document(document.to_string().as_bytes());
        assert_eq!(
            read.err(),
            Some(KeySetError::NotAKeySet),
            "given {document}"
        );
    }
}

#[test]
fn thousands_of_useless_entries_hide_no_good_key() {
    let junk = [
        json!(0),
        json!({}),
        json!([]),
        json!({"kty": "RSA", "kid": "x"}),
        json!(null),
    ];
    let mut entries: Vec<_> = junk.iter().cycle().take(20_000).cloned().collect();
    entries.push(good().jwk(KID));
    let keys = key_set(&entries);
    assert_eq!((keys.len(), keys.skipped().len()), (1, MAX_KEYS));
    assert_serves("20,000 useless entries", &keys);
}

#[test]
fn a_key_with_verify_among_many_operations_serves() {
    let with = |operations: Vec<Value>| {
        let mut key = good().jwk(KID);
        key["key_ops"] = operations.into();
        KeySet::from_document(&document(&[key]))
    };
    let many = |last: &str| [vec![json!(""); 2000], vec![json!(1), json!(last)]].concat();
    assert_serves(
        "many operations",
        &with(many("verify")).expect("a usable key"),
    );
    assert!(with(many("sign")).is_err());
    let escaped = r#"{"keys":[KEY]}"#
        .replace("KEY", &good().jwk(KID).to_string())
        .replace(r#""kid""#, r#""key_ops":["\u0076erify"],"kid""#);
    let keys = KeySet::from_document(escaped.as_bytes()).expect("a usable key");
    assert_serves("an operation with escapes", &keys);
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    let marked = |mark: &str| [mark.as_bytes(), &document(&[good().jwk(KID)])].concat();
    let keys = KeySet::from_document(&marked("\u{feff}")).expect("a key set");
    assert_serves("a mark", &keys);
    let twice = KeySet::from_document(&marked("\u{feff}\u{feff}")).err();
    assert_eq!(twice, Some(KeySetError::NotAKeySet));
}
