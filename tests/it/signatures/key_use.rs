//! Wrong primitives and key use: signature, header and key must all say RS256.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use serde_json::{Value, json};

use super::{Published, hold_published};
use test_support::forge::{
    KID, NOW, foreign, good, key_set, message, mint, verifier, with_signature,
};
use test_support::strange_keys::strange_purposes;

/// The message's signature in another scheme, by the good key where it can sign so.
fn sign(alg: &str, message: &[u8]) -> Vec<u8> {
    let rsa = |scheme: &'static dyn RsaEncoding| good().sign_with(scheme, message);
    let hmac = |algorithm| {
        let secret = good().signing().public_spki_pem();
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        hmac::sign(&key, message).as_ref().to_vec()
    };
    match alg {
        "RS384" => rsa(&RSA_PKCS1_SHA384),
        "RS512" => rsa(&RSA_PKCS1_SHA512),
        "PS256" => rsa(&RSA_PSS_SHA256),
        "PS384" => rsa(&RSA_PSS_SHA384),
        "PS512" => rsa(&RSA_PSS_SHA512),
        "HS256" => hmac(hmac::HMAC_SHA256),
        "HS384" => hmac(hmac::HMAC_SHA384),
        "HS512" => hmac(hmac::HMAC_SHA512),
        "ES256" => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|key| key.sign(&SystemRandom::new(), message))
            .expect("a signature")
            .as_ref()
            .to_vec(),
        "EdDSA" => {
            let key = Ed25519KeyPair::generate().expect("a key");
            key.sign(message).as_ref().to_vec()
        }
        other => panic!("nobody signs {other}"),
    }
}

const SCHEMES: [&str; 10] = [
    "RS384", "RS512", "PS256", "PS384", "PS512", "HS256", "HS384", "HS512", "ES256", "EdDSA",
];

#[test]
fn another_primitive_than_the_keys_is_rejected() {
    let ours = good().jwk(KID);
    let mut unspecified = ours.clone();
    unspecified
        .as_object_mut()
        .expect("an object")
        .remove("alg");
    let mut cases = Vec::new();
    for scheme in SCHEMES {
        let mut theirs = ours.clone();
        theirs["alg"] = scheme.into();
        for (label, signed) in [(scheme, true), ("RS256", true), (scheme, false)] {
            let token = mint().header("alg", label).token();
            let token = if signed {
                with_signature(&token, &sign(scheme, message(&token)))
            } else {
                token
            };
            let scheme = if signed { scheme } else { "RS256" };
            for (key, whose, kind) in [
                (&ours, "RS256", Kind::Signature),
                (&unspecified, "no", Kind::Signature),
                (&theirs, "its own", Kind::UnknownKey),
            ] {
                let given = format!("{scheme}, called {label}, by a key of {whose} alg");
                let kind = if label == "RS256" {
                    kind
                } else {
                    Kind::Algorithm
                };
                cases.push(Published::new(
                    given,
                    std::slice::from_ref(key),
                    token.clone(),
                    kind,
                ));
            }
        }
        // Nothing is wrong with the token; its key is for something else.
        let given = format!("RS256 by a key for {scheme}");
        cases.push(Published::new(
            given,
            &[theirs],
            mint().token(),
            Kind::UnknownKey,
        ));
    }
    hold_published("wrong primitive", 100, &cases);
}

#[test]
fn a_key_for_another_use_is_unknown() {
    let with = |members: Value| {
        let mut key = good().jwk("changed");
        for (name, value) in members.as_object().expect("an object") {
            key[name] = value.clone();
        }
        key
    };
    let mut keys: Vec<(String, Value)> = strange_purposes()
        .into_iter()
        .map(|(given, key, _)| (given, key))
        .collect();
    for members in [
        json!({"alg": "RSA1_5", "use": "enc"}),
        json!({"use": "enc", "key_ops": ["verify"]}),
        json!({"use": "sig", "key_ops": ["encrypt"]}),
        json!({"use": "sig", "key_ops": ["sign, verify"]}),
        json!({"use": "enc", "key_ops": ["encrypt", "decrypt"]}),
        json!({"key_ops": ["wrapKey", "unwrapKey"]}),
        json!({"key_ops": ["deriveKey", "deriveBits"]}),
        json!({"kty": "RSA ", "use": "sig"}),
    ] {
        keys.push((members.to_string(), with(members)));
    }
    let token = mint().kid("changed");
    let cases: Vec<Published> = keys
        .into_iter()
        .map(|(given, key)| Published::new(given, &[key], token.token(), Kind::UnknownKey))
        .collect();
    hold_published("key use", 46, &cases);

    // Each of them is the good key but for what it is for.
    for members in [
        json!({}),
        json!({"use": "sig", "key_ops": ["verify"]}),
        json!({"use": "sig", "key_ops": ["sign", "verify"], "alg": "RS256"}),
    ] {
        let keys = key_set(&[with(members)]);
        let now = UnixTime::from_secs(NOW);
        verifier()
            .verify(&token.token(), &keys, now)
            .expect("a key for this");
    }
}

/// Duplicate kids: none of them is used, since nobody knows which is meant.
#[test]
fn several_keys_of_one_kid_are_unknown() {
    let (ours, theirs) = (good().jwk(KID), foreign().jwk(KID));
    let mut other_exponent = ours.clone();
    other_exponent["e"] = "Aw".into();
    let mut cases = Vec::new();
    for (given, keys) in [
        ("two", vec![ours.clone(), theirs.clone()]),
        ("two, turned round", vec![theirs.clone(), ours.clone()]),
        ("three", vec![ours.clone(), theirs.clone(), ours.clone()]),
        ("two of one modulus", vec![ours.clone(), other_exponent]),
    ] {
        for (whose, signer) in [("the good key", good()), ("the other key", foreign())] {
            let token = mint().key(signer.signing()).token();
            let given = format!("{given}, signed by {whose}");
            cases.push(Published::new(given, &keys, token, Kind::UnknownKey));
        }
    }
    hold_published("duplicate kid", 8, &cases);
}
