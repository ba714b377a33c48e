//! Symmetric confusion: the public key as the secret of an HMAC, in any form in which somebody may
//! have it, under an HS or an RS label, makes no token good.

use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use serde_json::json;

use super::{Published, hold, hold_published};
use test_support::forge::{
    Case, KID, case, document, encode, good, message, mint, sha256, text, with_signature,
};

const HMACS: [(&str, hmac::Algorithm); 3] = [
    ("HS256", HMAC_SHA256),
    ("HS384", HMAC_SHA384),
    ("HS512", HMAC_SHA512),
];

/// A token with this `alg`, and an HMAC for its signature.
fn hmac_token(alg: &str, algorithm: hmac::Algorithm, secret: &[u8]) -> String {
    let token = mint().header("alg", alg).token();
    let key = hmac::Key::new(algorithm, secret);
    with_signature(&token, hmac::sign(&key, message(&token)).as_ref())
}

/// What anybody can know of the good key.
fn public_forms() -> Vec<(&'static str, Vec<u8>)> {
    let key = good().signing();
    let pem = key.public_spki_pem();
    let pkcs1 = key.public_pkcs1_der();
    let jwk = good().jwk(KID);
    // RFC 7638, section 3.2: the members of a thumbprint, in their order.
    let required = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        text(&good().e),
        text(&good().n)
    );
    let thumbprint = sha256(required.as_bytes());
    vec![
        ("PEM", pem.clone().into_bytes()),
        ("PEM without its last newline", pem.trim_end().into()),
        ("PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
        (
            "PEM's base64 alone",
            BASE64_STANDARD.encode(key.public_spki_der()).into_bytes(),
        ),
        ("SubjectPublicKeyInfo", key.public_spki_der()),
        ("RSAPublicKey", pkcs1.to_vec()),
        (
            "RSAPublicKey in PEM",
            format!(
                "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
                BASE64_STANDARD.encode(pkcs1)
            )
            .into_bytes(),
        ),
        ("modulus", key.modulus().to_vec()),
        (
            "modulus with a leading zero",
            [&[0], key.modulus()].concat(),
        ),
        (
            "modulus in hexadecimal",
            format!("{:x}", good().n).into_bytes(),
        ),
        ("modulus in decimal", good().n.to_string().into_bytes()),
        ("n", text(&good().n).into_bytes()),
        ("e", text(&good().e).into_bytes()),
        ("JWK", jwk.to_string().into_bytes()),
        ("JWK in few members", required.into_bytes()),
        ("JWK's thumbprint", thumbprint.clone()),
        ("JWK's thumbprint as text", encode(thumbprint).into_bytes()),
        ("key set", document(std::slice::from_ref(&jwk))),
        ("kid", KID.into()),
        ("nothing", Vec::new()),
    ]
}

#[test]
fn a_public_key_as_hmac_secret_is_rejected() {
    let mut cases: Vec<Case> = Vec::new();
    for (form, secret) in public_forms() {
        for (name, algorithm) in HMACS {
            let labelled = hmac_token(name, algorithm, &secret);
            let disguised = hmac_token("RS256", algorithm, &secret);
            cases.push(case(format!("{name} by {form}"), labelled, Kind::Algorithm));
            let given = format!("{name} by {form}, called RS256");
            cases.push(case(given, disguised, Kind::Signature));
        }
    }
    hold("symmetric confusion", 120, &cases);
}

/// A document with a secret in it: whoever reads the document could sign by it.
#[test]
fn an_hmac_by_a_published_secret_is_rejected() {
    let mut cases = Vec::new();
    let secret = [7; 64];
    for (name, algorithm) in HMACS {
        for alg in [name, "RS256", "A256GCM", "A256KW"] {
            let oct = json!({"kty": "oct", "kid": KID, "k": encode(secret), "alg": alg});
            for (given, keys, known) in [
                ("alone", vec![oct.clone()], false),
                (
                    "before the good key",
                    vec![oct.clone(), good().jwk(KID)],
                    true,
                ),
                (
                    "behind the good key",
                    vec![good().jwk(KID), oct.clone()],
                    true,
                ),
            ] {
                let given = format!("{name} by an {alg} key {given}");
                let labelled = hmac_token(name, algorithm, &secret);
                cases.push(Published::new(&*given, &keys, labelled, Kind::Algorithm));
                let given = format!("{given}, called RS256");
                let disguised = hmac_token("RS256", algorithm, &secret);
                let kind = if known {
                    Kind::Signature
                } else {
                    Kind::UnknownKey
                };
                cases.push(Published::new(given, &keys, disguised, kind));
            }
        }
    }
    hold_published("mixed key set", 72, &cases);
}
