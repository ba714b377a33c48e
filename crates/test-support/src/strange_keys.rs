//! Published keys that cannot be used: the [`good`] key with one member changed, and junk.

use derbysoft_go_auth::keys::SkipReason as Why;
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::forge::{good, text};

/// The good key with one member changed, under another kid.
pub fn changed(name: &str, value: Value) -> Value {
    let mut jwk = good().jwk("changed");
    jwk[name] = value;
    jwk
}

fn without(name: &str) -> Value {
    let mut jwk = good().jwk("changed");
    jwk.as_object_mut().expect("an object").remove(name);
    jwk
}

/// A number of this many bits, first and last of them set.
pub fn odd_of(bits: u64) -> BigUint {
    (BigUint::from(1_u8) << (bits - 1)) + 1_u8
}

/// What is given, the key, and why it is passed over where only one reason will do.
pub type Strange = (String, Value, Option<Why>);

/// Keys that are not usable.
pub fn strange_keys() -> Vec<Strange> {
    [strange_numbers(), strange_purposes(), strange_shapes()].concat()
}

/// The good key under each of these values of a member.
fn each(name: &str, why: Option<Why>, values: impl IntoIterator<Item = Value>) -> Vec<Strange> {
    let strange = |value: Value| (format!("{name} {value}"), changed(name, value), why);
    values.into_iter().map(strange).collect()
}

fn one(given: &str, why: Option<Why>, key: Value) -> Vec<Strange> {
    vec![(given.to_owned(), key, why)]
}

fn strange_numbers() -> Vec<Strange> {
    let modulus = |n: &BigUint| changed("n", text(n).into());
    let exponent = |e: &BigUint| changed("e", text(e).into());
    let mut keys = Vec::new();
    for bits in [1, 512, 768, 1024, 2040, 2047, 4097, 8192, 16384] {
        let given = format!("a modulus of {bits} bits");
        keys.extend(one(&given, Some(Why::ModulusSize), modulus(&odd_of(bits))));
    }
    for e in [
        0,
        1,
        2,
        4,
        65536,
        1 << 33,
        (1 << 33) + 1,
        (1 << 34) - 1,
        u64::MAX,
    ] {
        let given = format!("an exponent of {e}");
        keys.extend(one(&given, Some(Why::Exponent), exponent(&e.into())));
    }
    // Whether it wraps to 65537 in 64 bits must not matter.
    let wrapping = (BigUint::from(1_u8) << 64) + 65537_u32;
    let even = &good().n - 1_u8;
    [
        keys,
        each("n", Some(Why::ModulusSize), [json!("")]),
        one("an even modulus", Some(Why::Material), modulus(&even)),
        each("e", Some(Why::Exponent), [json!("")]),
        one(
            "an exponent of 2048 bits",
            Some(Why::Exponent),
            exponent(&odd_of(2048)),
        ),
        one(
            "an exponent that wraps",
            Some(Why::Exponent),
            exponent(&wrapping),
        ),
    ]
    .concat()
}

pub fn strange_purposes() -> Vec<Strange> {
    let of = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let no_uses = ["enc", "", "SIG", "sig ", "signature", "tls"];
    let no_algorithms = [
        "RS384", "RS512", "PS256", "HS256", "ES256", "RSA-OAEP", "none", "rs256", "", "new",
    ];
    let no_verifying = [
        json!([]),
        json!(["sign"]),
        json!(["encrypt"]),
        json!(["VERIFY"]),
        json!(["sign", "decrypt"]),
        json!(["unheard-of"]),
    ];
    let no_operations = [
        json!("verify"),
        json!({"verify": null}),
        json!([["verify"]]),
        json!([{"verify": null}]),
    ];
    let no_texts = [json!(1), json!(true), json!(["sig"]), json!({"sig": null})];
    [
        each("kty", None, [json!(["RSA"])]),
        each("kty", None, of(&["EC", "oct", "OKP", "rsa", ""])),
        each("use", Some(Why::Use), of(&no_uses)),
        each("use", None, no_texts),
        each("key_ops", Some(Why::Use), no_verifying),
        each("key_ops", None, no_operations),
        each("alg", Some(Why::Algorithm), of(&no_algorithms)),
        each("alg", None, [json!(256), json!(["RS256"])]),
    ]
    .concat()
}

fn strange_shapes() -> Vec<Strange> {
    let no_kids = [
        json!(""),
        json!("k".repeat(257)),
        json!("é".repeat(129)),
        json!(null),
    ];
    let no_texts = [json!(1), json!(["1"]), json!({}), json!(true)];
    let mut keys = [
        each("kid", Some(Why::KeyId), no_kids),
        each("kid", None, no_texts),
        one("no kid", Some(Why::KeyId), without("kid")),
    ]
    .concat();
    for name in ["kty", "n", "e"] {
        keys.extend(one(&format!("no {name}"), None, without(name)));
        let values = [
            json!(null),
            json!(3),
            json!(["AQAB"]),
            json!("AQ AB"),
            json!("A"),
            json!("é"),
        ];
        keys.extend(each(name, None, values));
    }
    for junk in [
        json!(null),
        json!(true),
        json!(-1.5),
        json!("key"),
        json!([]),
        json!([[[[]]]]),
        json!({}),
        json!({"keys": [good().jwk("nested")]}),
        json!([good().jwk("nested")]),
        json!({"kty": "oct", "k": "AAAA", "kid": "o"}),
        json!({"kid": "changed"}),
    ] {
        keys.extend(one(&format!("junk {junk}"), None, junk));
    }
    keys
}
