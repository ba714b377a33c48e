//! Which fault a rejection names, and in which words: of several faults the first checked, and never
//! a word of the attacker's.

use std::time::Duration;

use derbysoft_go_auth::authenticate::{RequiredClaim, VerifyError, VerifyErrorKind as Kind};
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_simulator::{Mint, SignatureKind};

use test_support::forge::{
    ISSUER, NOW, assert_harmless, assert_refused, assert_refused_with, case, claiming, encode,
    foreign, headed, judge, keys, mint, paid, refusal, segments, verifier, verifier_with,
};

/// Tokens with one bad claim each, and the kind that names it.
fn bad_claims() -> Vec<(&'static str, Mint, Kind)> {
    vec![
        (
            "a foreign issuer",
            mint().issuer("https://attacker.example"),
            Kind::Issuer,
        ),
        ("another audience", mint().audience("other"), Kind::Audience),
        (
            "an expired token",
            mint().at(UnixTime::from_secs(NOW - 331)),
            Kind::Expired,
        ),
        ("no audience", mint().without("aud"), Kind::MissingClaim),
        ("a wrong type", mint().claim("exp", "soon"), Kind::Claims),
        (
            "a duplicate claim",
            mint().repeat_claim("iss", ISSUER),
            Kind::Claims,
        ),
        (
            "claims that are an array",
            mint().raw_payload("[]"),
            Kind::Claims,
        ),
        (
            "claims that are no JSON",
            mint().raw_payload("{"),
            Kind::Claims,
        ),
        (
            "claims that are no text",
            mint().raw_payload(*b"\xff\xfe"),
            Kind::Claims,
        ),
    ]
}

#[test]
fn a_bad_signature_is_named_before_a_bad_claim() {
    let strict = verifier_with(|config| {
        config.subjects = vec!["nobody".into()];
        config.max_lifetime = Some(Duration::from_secs(1));
        config.required_claims = vec![RequiredClaim::Sub];
    });
    let mut cases = Vec::new();
    for (given, mint, kind) in bad_claims() {
        assert_refused(&[case(given, mint.token(), kind)]);
        for signature in [
            SignatureKind::Empty,
            SignatureKind::Corrupted,
            SignatureKind::OtherKey(foreign().signing()),
        ] {
            let token = mint.clone().signature(signature).token();
            cases.push(case(given, token, Kind::Signature));
        }
    }
    let not_yet = mint().not_before_offset(60);
    for (given, mint) in [("not yet valid", not_yet), ("only a bad signature", mint())] {
        let token = mint.signature(SignatureKind::Corrupted).token();
        cases.push(case(given, token, Kind::Signature));
    }
    assert_refused(&cases);
    assert_refused_with(&strict, keys(), &cases);
}

#[test]
fn a_bad_claim_is_named_before_an_unknown_key() {
    let mut cases = vec![case(
        "good claims",
        mint().kid("unknown").token(),
        Kind::UnknownKey,
    )];
    for (given, mint, kind) in bad_claims() {
        let token = mint.kid("unknown");
        cases.push(case(given, token.clone().token(), kind));
        // Whoever signed it.
        cases.push(case(given, token.key(foreign().signing()).token(), kind));
    }
    assert_refused(&cases);
    // Where there is no key at all, every key is unknown.
    let none = KeySet::default();
    let now = UnixTime::from_secs(NOW);
    let verdict = verifier().verify(&mint().token(), &none, now);
    assert_eq!(refusal("no keys", verdict), Kind::UnknownKey);
    let expired = mint().at(UnixTime::from_secs(NOW - 3600)).token();
    let verdict = verifier().verify(&expired, &none, now);
    assert_eq!(refusal("no keys, an expired token", verdict), Kind::Expired);
}

#[test]
fn a_rejection_repeats_no_attackers_words() {
    const MARK: &str = "Qzx9Mark";
    let quoted = format!("\"{MARK}\"");
    let mut tokens: Vec<String> = ["alg", "kid", "typ", "crit", "zip", "enc", "b64"]
        .map(|name| mint().header(name, MARK).token())
        .into();
    tokens.extend(["iss", "aud", "exp", "nbf", "iat"].map(|name| claiming(name, &quoted)));
    tokens.extend([
        claiming("sub", &format!("[{quoted}]")),
        claiming(&format!("{MARK}\":1,\"{MARK}"), "1"),
        headed(format!("{{{quoted}:1,{quoted}:2}}")),
        headed(MARK),
        paid(MARK),
        MARK.to_owned(),
        format!("{MARK}.{MARK}.{MARK}"),
        format!("{MARK}.{MARK}.{MARK}.{MARK}"),
        MARK.repeat(2000),
        format!("\"\\\r\n\u{1b}[31m{MARK}"),
        format!("{}.{MARK}", mint().token()),
    ]);
    let genuine = mint().token();
    let [header, payload, _] = segments(&genuine);
    tokens.push(format!("{header}.{payload}.{MARK}"));
    tokens.push(format!("{header}.{MARK}.{payload}"));

    for token in tokens {
        let error: VerifyError = judge(&token).expect_err("a rejection");
        assert_harmless(&error);
        let said = format!("{error} {error:?} {}", error.detail()).to_lowercase();
        for word in [MARK.to_lowercase(), encode(MARK).to_lowercase()] {
            assert!(!said.contains(&word), "{said}");
        }
    }
}
