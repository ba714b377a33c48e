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

fn strange_numbers() -> Vec<Strange> {
    let mut keys = Vec::new();
    let mut add = |given: &str, key: Value, why| keys.push((given.to_owned(), key, why));

    for bits in [1, 512, 768, 1024, 2040, 2047, 4097, 8192, 16384] {
        let key = changed("n", text(&odd_of(bits)).into());
        add(
            &format!("a modulus of {bits} bits"),
            key,
            Some(Why::ModulusSize),
        );
    }
    add(
        "an empty modulus",
        changed("n", "".into()),
        Some(Why::ModulusSize),
    );
    add(
        "an even modulus",
        changed("n", text(&(&good().n - 1_u8)).into()),
        Some(Why::Material),
    );
    for exponent in [
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
        let key = changed("e", text(&BigUint::from(exponent)).into());
        add(
            &format!("an exponent of {exponent}"),
            key,
            Some(Why::Exponent),
        );
    }
    add(
        "an empty exponent",
        changed("e", "".into()),
        Some(Why::Exponent),
    );
    add(
        "an exponent of 2048 bits",
        changed("e", text(&odd_of(2048)).into()),
        Some(Why::Exponent),
    );
    // Whether it wraps to 65537 in 64 bits must not matter.
    let wrapping = (BigUint::from(1_u8) << 64) + 65537_u32;
    add(
        "an exponent that wraps",
        changed("e", text(&wrapping).into()),
        Some(Why::Exponent),
    );

    keys
}

pub fn strange_purposes() -> Vec<Strange> {
    let mut keys = Vec::new();
    let mut add = |given: &str, key: Value, why| keys.push((given.to_owned(), key, why));

    add("kty [\"RSA\"]", changed("kty", json!(["RSA"])), None);
    for kty in ["EC", "oct", "OKP", "rsa", ""] {
        add(&format!("kty {kty:?}"), changed("kty", kty.into()), None);
    }
    for usage in [
        json!("enc"),
        json!(""),
        json!("SIG"),
        json!("sig "),
        json!("signature"),
        json!("tls"),
    ] {
        add(
            &format!("use {usage}"),
            changed("use", usage),
            Some(Why::Use),
        );
    }
    for usage in [json!(1), json!(true), json!(["sig"]), json!({"sig": null})] {
        add(&format!("use {usage}"), changed("use", usage), None);
    }
    for operations in [
        json!([]),
        json!(["sign"]),
        json!(["encrypt"]),
        json!(["VERIFY"]),
        json!(["sign", "decrypt"]),
        json!(["unheard-of"]),
    ] {
        add(
            &format!("key_ops {operations}"),
            changed("key_ops", operations),
            Some(Why::Use),
        );
    }
    for operations in [
        json!("verify"),
        json!({"verify": null}),
        json!([["verify"]]),
        json!([{"verify": null}]),
    ] {
        add(
            &format!("key_ops {operations}"),
            changed("key_ops", operations),
            None,
        );
    }
    for alg in [
        "RS384", "RS512", "PS256", "HS256", "ES256", "RSA-OAEP", "none", "rs256", "", "new",
    ] {
        add(
            &format!("alg {alg}"),
            changed("alg", alg.into()),
            Some(Why::Algorithm),
        );
    }
    for alg in [json!(256), json!(["RS256"])] {
        add(&format!("alg {alg}"), changed("alg", alg), None);
    }
    keys
}

fn strange_shapes() -> Vec<Strange> {
    let mut keys = Vec::new();
    let mut add = |given: &str, key: Value, why| keys.push((given.to_owned(), key, why));

    for kid in [
        json!(""),
        json!("k".repeat(257)),
        json!("é".repeat(129)),
        json!(null),
    ] {
        add(
            &format!("kid {kid:.20}"),
            changed("kid", kid),
            Some(Why::KeyId),
        );
    }
    for kid in [json!(1), json!(["1"]), json!({}), json!(true)] {
        add(&format!("kid {kid}"), changed("kid", kid), None);
    }
    add("no kid", without("kid"), Some(Why::KeyId));
    for name in ["kty", "n", "e"] {
        add(&format!("no {name}"), without(name), None);
        for value in [
            json!(null),
            json!(3),
            json!(["AQAB"]),
            json!("AQ AB"),
            json!("A"),
            json!("é"),
        ] {
            add(&format!("{name} {value}"), changed(name, value), None);
        }
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
        add(&format!("junk {junk:.30}"), junk, None);
    }
    keys
}
