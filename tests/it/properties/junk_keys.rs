//! Key documents: junk that is added to one never removes a good key.
//!
//! Junk is what can't be used as a key, whatever its name. (A second key that could be used, under
//! the name of a good one, is no junk: nobody can tell which of the two GO means, and neither
//! serves. `keys::documents` tests that.)

use std::cell::Cell;
use std::sync::LazyLock;

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::{KeySet, MAX_KEYS};
use derbysoft_go_simulator::{Mint, SigningKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

use test_support::forge::{AUDIENCE, ISSUER, NOW, encode, foreign, good, verifier};
use test_support::property::hold;

/// A key that can be used, and a token of its.
#[derive(Debug, Clone)]
struct Good {
    kid: &'static str,
    jwk: Value,
    token: String,
}

/// Under names of which some are much alike, and by which they are sorted.
static GOOD: LazyLock<Vec<Good>> = LazyLock::new(|| {
    let wide = SigningKey::generate(3072).expect("a key");
    let mut wide_jwk = json!({"kty": "RSA", "key_ops": ["sign", "verify"]});
    wide_jwk["n"] = encode(wide.modulus()).into();
    wide_jwk["e"] = encode(wide.exponent()).into();
    [
        ("K", wide_jwk, wide),
        ("k", good().jwk(""), good().signing()),
        ("k1", foreign().jwk(""), foreign().signing()),
        ("k\u{e9}", good().jwk(""), good().signing()),
    ]
    .into_iter()
    .map(|(kid, mut jwk, key)| {
        jwk["kid"] = kid.into();
        let mint = Mint::new(key, kid, ISSUER, AUDIENCE).at(UnixTime::from_secs(NOW));
        let token = mint.token();
        Good { kid, jwk, token }
    })
    .collect()
});

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

/// The text of a value that readers of JSON disagree on, or choke on.
fn odd_text() -> impl Strategy<Value = String> {
    let deep = |depth: usize, open: &str, close: &str| {
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    prop_oneof![
        select(vec![
            "1e400",
            "-0",
            "184467440737095516160",
            r#""\ud800""#,
            r#"{"kid":"\udc00","kty":"RSA"}"#,
            r#"{"":{},"":{}}"#,
            r#"["RSA","k",null,null,"RS256","AQAB","AQAB"]"#,
            r#"{"keys":[]}"#,
        ])
        .prop_map(str::to_owned),
        (1..3000_usize).prop_map(move |depth| deep(depth, "[", "]")),
        (1..3000_usize).prop_map(move |depth| deep(depth, "{\"kid\":", "}")),
        (1..9000_usize).prop_map(|length| format!("\"{}\"", "k".repeat(length))),
    ]
}

/// An object with some of a key's members, whose modulus has less than 2048 bits.
fn weak_key() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        select(vec!["kty", "use", "alg", "key_ops", "e", "x5c"]).prop_map(str::to_owned),
        "[a-z]{1,4}",
    ];
    let words = ["RSA", "oct", "sig", "enc", "RS256", "AQAB"].map(|word| json!(word));
    let words = [&words[..], &[json!(["verify"])]].concat();
    let value = prop_oneof![7 => select(words), 1 => any_json()];
    (
        vec((member, value), 0..6),
        vec(any::<u8>(), 0..255),
        proptest::option::of(select(GOOD.clone())),
    )
        .prop_map(|(members, modulus, namesake)| {
            let mut key: Map<String, Value> = members.into_iter().collect();
            key.insert("n".to_owned(), encode(modulus).into());
            if let Some(good) = namesake {
                key.insert("kid".to_owned(), good.kid.into());
            }
            Value::Object(key).to_string()
        })
}

/// A good key that one change has made useless, most often still under its name.
fn wrecked_key() -> impl Strategy<Value = String> {
    let modulus = good().n.to_bytes_be();
    let changed = |at: usize, to: u8| {
        let mut modulus = modulus.clone();
        modulus[at] = to;
        encode(modulus)
    };
    let wrecks: Vec<(&str, Value)> = vec![
        ("use", json!("enc")),
        ("use", json!("SIG")),
        ("use", json!(["sig"])),
        ("use", json!(1)),
        ("key_ops", json!([])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
        ("key_ops", json!([["verify"]])),
        ("alg", json!("PS256")),
        ("alg", json!("RS512")),
        ("alg", json!("none")),
        ("alg", json!({"RS256": null})),
        ("kty", json!("rsa")),
        ("kty", json!("EC")),
        ("kty", json!({"RSA": null})),
        ("kty", Value::Null),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!(1)),
        ("kid", json!("k".repeat(257))),
        ("n", Value::Null),
        ("n", json!("")),
        ("n", json!(65537)),
        ("n", json!(changed(255, modulus[255] ^ 1))),
        ("n", json!(changed(0, 0x7f))),
        ("n", json!(encode(&modulus[1..]))),
        ("n", json!(format!("{}==", encode(&modulus)))),
        ("n", json!(encode([&modulus[..], &[1; 257]].concat()))),
        ("e", Value::Null),
        ("e", json!("AQ")),
        ("e", json!("Ag")),
        ("e", json!("AQAC")),
        ("e", json!("AAAA")),
        ("e", json!("AgAAAAE")),
        ("e", json!("AQAB=")),
        ("e", json!(65537)),
    ];
    let twice = select(vec!["kid", "kty", "n", "e"]);
    let once = select(wrecks).prop_map(|(name, value)| (name, value, false));
    let change = prop_oneof![8 => once, 1 => twice.prop_map(|name| (name, json!("k"), true))];
    (select(GOOD.clone()), change).prop_map(|(Good { mut jwk, .. }, (name, value, twice))| {
        if twice {
            // A member twice, which `Value` cannot represent.
            let text = jwk.to_string();
            return format!("{{\"{name}\":{value},{}", &text[1..]);
        }
        jwk[name] = value;
        jwk.to_string()
    })
}

#[test]
fn any_junk_leaves_the_good_keys_in_place() {
    let verifier = verifier();
    let most_junk = Cell::new(0);
    let junk = || {
        prop_oneof![
            2 => any_json().prop_map(|value| value.to_string()),
            1 => odd_text(),
            3 => weak_key(),
            6 => wrecked_key(),
        ]
    };
    let junk = prop_oneof![
        9 => vec((any::<Index>(), junk()), 0..12),
        1 => vec((any::<Index>(), junk()), 90..110),
    ];
    let good = subsequence(GOOD.clone(), 1..=GOOD.len());
    let values = (good.prop_shuffle(), junk, any_json());
    hold("junk keys", 384, values, |(mut good, junk, other)| {
        let mut entries: Vec<String> = good.iter().map(|key| key.jwk.to_string()).collect();
        for (at, junk) in &junk {
            entries.insert(at.index(entries.len() + 1), junk.clone());
        }
        most_junk.set(most_junk.get().max(junk.len()));
        let keys = entries.join(",");
        let document = format!(r#"{{"other":{other},"keys":[{keys}],"more":{other}}}"#);
        let set = KeySet::from_document(document.as_bytes()).expect("good keys");

        good.sort_by_key(|key| key.kid);
        let kids: Vec<_> = good.iter().map(|key| key.kid).collect();
        prop_assert_eq!(set.keys().map(|(kid, _)| kid).collect::<Vec<_>>(), kids);
        prop_assert_eq!(set.skipped().len(), junk.len().min(MAX_KEYS));
        for key in &good {
            let verdict = verifier.verify(&key.token, &set, UnixTime::from_secs(NOW));
            prop_assert!(verdict.is_ok(), "{}: {:?}", key.kid, verdict);
        }
        Ok(())
    });
    assert!(most_junk.get() > MAX_KEYS - 10, "{}", most_junk.get());
}
