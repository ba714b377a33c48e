//! Keys in the header: a token that brings the key it verifies with, or says where that key is, is
//! rejected.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::Mint;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::hold;
use test_support::forge::{
    AUDIENCE, Case, ISSUER, KID, NOW, case, encode, foreign, good, judge, mint, sha256, text,
};

/// The attacker's own certificate for the attacker's own key.
fn certificate() -> Vec<u8> {
    let key = KeyPair::try_from(foreign().pkcs8()).expect("an RSA key");
    let params = CertificateParams::new(vec!["id.example".to_owned()]).expect("a name");
    params
        .self_signed(&key)
        .expect("a certificate")
        .der()
        .to_vec()
}

/// Members, each of which would do where keys are taken from the token.
fn members() -> Vec<(&'static str, Value)> {
    let certificate = certificate();
    let chain = BASE64_STANDARD.encode(&certificate);
    let sha1 = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate);
    let mut private = foreign().jwk(KID);
    private["d"] = text(&foreign().d).into();
    let least = json!({"kty": "RSA", "n": text(&foreign().n), "e": text(&foreign().e)});
    vec![
        ("jwk", foreign().jwk(KID)),
        ("jwk", foreign().jwk("attacker")),
        ("jwk", least),
        ("jwk", private),
        ("jwk", json!({"keys": [foreign().jwk(KID)]})),
        ("jku", "https://attacker.example/keys".into()),
        ("jku", format!("{ISSUER}@attacker.example/keys").into()),
        ("jku", "http://127.0.0.1:9/keys".into()),
        ("jku", "file:///dev/stdin".into()),
        ("x5u", "https://attacker.example/certificate".into()),
        ("x5c", json!([chain])),
        ("x5c", json!([chain, chain])),
        ("x5t", encode(sha1).into()),
        ("x5t#S256", encode(sha256(&certificate)).into()),
    ]
}

#[test]
fn a_key_in_the_header_verifies_nothing() {
    let attacker =
        Mint::new(foreign().signing(), KID, ISSUER, AUDIENCE).at(UnixTime::from_secs(NOW));
    let mut tokens: Vec<(String, Mint)> = members()
        .into_iter()
        .map(|(name, value)| {
            let given = format!("{name} {value:.60}");
            (given, attacker.clone().header(name, value))
        })
        .collect();
    let all = members()
        .into_iter()
        .fold(attacker, |token, (name, value)| token.header(name, value));
    tokens.push(("all of them".to_owned(), all));

    let mut cases: Vec<Case> = Vec::new();
    for (given, token) in tokens {
        for (kid, token, kind) in [
            ("the known kid", token.clone(), Kind::Signature),
            (
                "the attacker's kid",
                token.clone().kid("attacker"),
                Kind::UnknownKey,
            ),
            ("no kid", token.without_header("kid"), Kind::Header),
        ] {
            cases.push(case(format!("{given} and {kid}"), token.token(), kind));
        }
    }
    hold("embedded keys", 45, &cases);
}

/// The good key in the header does no harm, and no good: it is not read.
#[test]
fn the_good_key_in_the_header_changes_nothing() {
    let token = mint().header("jwk", good().jwk(KID));
    judge(&token.token()).expect("a genuine token");
    let cases = [
        case(
            "another kid",
            token.clone().kid("other").token(),
            Kind::UnknownKey,
        ),
        case(
            "no kid",
            token.clone().without_header("kid").token(),
            Kind::Header,
        ),
        case(
            "a text instead",
            token.header("jwk", good().jwk(KID).to_string()).token(),
            Kind::Header,
        ),
    ];
    hold("embedded good key", 3, &cases);
}
