//! Misleading headers and duplicate members, under a genuine signature: each is rejected.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::SignatureKind;
use serde_json::{Value, json};

use test_support::forge::{
    Case, KID, NOW, assert_refused, case, good, headed, header_and, judge, key_set, mint, paid,
    payload_and, verifier,
};

/// A token for each value of this member.
fn each(member: &str, values: impl IntoIterator<Item = Value>, kind: Kind) -> Vec<Case> {
    let cases = values.into_iter().map(|value| {
        let given = format!("{member} {value:.40}");
        case(given, mint().header(member, value).token(), kind)
    });
    cases.collect()
}

fn without(member: &str, kind: Kind) -> Case {
    let token = mint().without_header(member).token();
    case(format!("no {member}"), token, kind)
}

#[test]
fn any_alg_but_the_string_rs256_is_rejected() {
    let names = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        " ",
        "HS256",
        "HS384",
        "HS512",
        "RS384",
        "RS512",
        "RS1",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "RSA-OAEP",
        "dir",
        "rs256",
        "Rs256",
        "RS256 ",
        " RS256",
        "RS256\0",
        "RS256\n",
        "RS-256",
        "RS2560",
        "RS25",
        "RS256,none",
        "SHA256withRSA",
        "\u{ff32}S256",
        "R\u{405}256",
        "RS256\u{200b}",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    ];
    let others = [
        json!(null),
        json!(true),
        json!(256),
        json!(["RS256"]),
        json!({"RS256": null}),
        json!([]),
        json!({}),
        json!({"alg": "RS256"}),
    ];
    let names = names.into_iter().map(Value::from);
    let mut cases = each("alg", names.chain(others), Kind::Algorithm);
    cases.push(without("alg", Kind::Algorithm));
    cases.push(case(
        "ALG for alg",
        mint().without_header("alg").header("ALG", "RS256").token(),
        Kind::Algorithm,
    ));
    for none in ["none", "None", "NONE", "nOnE"] {
        let unsigned = mint().header("alg", none).signature(SignatureKind::Empty);
        cases.push(case(
            format!("alg {none} unsigned"),
            unsigned.token(),
            Kind::Algorithm,
        ));
    }
    for (alg, kind) in [
        ("RS384", SignatureKind::Rs384),
        ("RS512", SignatureKind::Rs512),
        ("PS256", SignatureKind::Ps256),
        ("HS256", SignatureKind::Hs256(Vec::new())),
    ] {
        let honest = mint().header("alg", alg).signature(kind);
        cases.push(case(
            format!("an honest {alg}"),
            honest.token(),
            Kind::Algorithm,
        ));
    }
    assert_refused(&cases);
}

#[test]
fn a_member_that_changes_the_meaning_is_rejected() {
    let values = [
        "[]",
        r#"["exp"]"#,
        r#"["b64"]"#,
        r#"["crit"]"#,
        "null",
        "true",
        "false",
        "0",
        "{}",
        r#""""#,
        r#""exp""#,
        r#""DEF""#,
        r#""A128GCM""#,
    ];
    let mut cases = Vec::new();
    for name in [
        "crit",
        "b64",
        "zip",
        "enc",
        r"\u0063rit",
        r"\u0062\u00364",
        r"z\u0069p",
    ] {
        for value in values {
            let more = format!(r#""{name}":{value}"#);
            cases.push(case(more.clone(), headed(header_and(&more)), Kind::Header));
        }
    }
    for more in [
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["http://example.invalid/x"],"http://example.invalid/x":1"#,
        r#""cty":"JWT""#,
        r#""cty":"jwt""#,
        r#""cty":"application/jwt""#,
        r#""cty":"\u004aWT""#,
    ] {
        cases.push(case(more, headed(header_and(more)), Kind::Header));
    }
    assert_refused(&cases);
}

#[test]
fn a_typ_other_than_a_jwts_is_rejected() {
    for typ in ["JWT", "at+jwt", "application/jwt", "application/at+jwt"] {
        judge(&mint().header("typ", typ).token()).expect(typ);
    }
    let types = [
        json!("JWE"),
        json!("JOSE"),
        json!("JOSE+JSON"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("JWT "),
        json!("text/jwt"),
        json!("application/"),
        json!(""),
        json!(null),
        json!(1),
        json!(["JWT"]),
        json!({"JWT": null}),
    ];
    assert_refused(&each("typ", types, Kind::Header));
}

#[test]
fn a_kid_is_a_string_of_1_to_256_bytes() {
    let kids = [
        json!(""),
        json!(1),
        json!(1.5),
        json!(null),
        json!(true),
        json!([KID]),
        json!({}),
        json!("k".repeat(257)),
        json!("é".repeat(129)),
        json!("k".repeat(5000)),
    ];
    let mut cases = each("kid", kids, Kind::Header);
    cases.push(without("kid", Kind::Header));
    let misspelt = mint().without_header("kid").header("Kid", KID);
    cases.push(case("Kid for kid", misspelt.token(), Kind::Header));
    // Of good form, and nobody's.
    let escapes = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, r"\u00e9".repeat(128));
    cases.push(case(
        "256 bytes in escapes",
        headed(escapes),
        Kind::UnknownKey,
    ));
    for kid in [
        "é".repeat(128),
        "k".repeat(256),
        KID.to_uppercase(),
        format!("{KID} "),
        format!(" {KID}"),
        format!("{KID}\0"),
        KID[1..].to_owned(),
        "../../keys".to_owned(),
        "' OR 1=1 --".to_owned(),
    ] {
        cases.push(case(
            format!("kid {kid:.40}"),
            mint().kid(kid).token(),
            Kind::UnknownKey,
        ));
    }
    assert_refused(&cases);
}

#[test]
fn a_kid_of_256_bytes_is_accepted() {
    let kid = "k".repeat(256);
    let keys = key_set(&[good().jwk(&kid)]);
    let token = mint().kid(&kid).token();
    let verified = verifier().verify(&token, &keys, UnixTime::from_secs(NOW));
    assert_eq!(verified.expect("the longest kid").key_id(), Some(&*kid));
}

#[test]
fn a_duplicate_member_is_rejected() {
    let kid = format!(r#""kid":"{KID}""#);
    let headers = [
        format!(r#"{{"alg":"none","alg":"RS256",{kid}}}"#),
        format!(r#"{{"alg":"RS256","alg":"none",{kid}}}"#),
        format!(r#"{{"alg":"RS256","alg":"RS256",{kid}}}"#),
        format!(r#"{{"alg":"RS256","\u0061lg":"RS256",{kid}}}"#),
        format!(r#"{{"\u0061lg":"RS256","\u0061\u006C\u0067":"RS256",{kid}}}"#),
        format!(r#"{{"alg":"RS256","kid":"other",{kid}}}"#),
        format!(r#"{{"alg":"RS256",{kid},"k\u0069d":"other"}}"#),
        header_and(r#""typ":"JWT","typ":"JWT""#),
        header_and(r#""x":1,"x":1"#),
        header_and(
            r#""jwk":1,"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":0,"jwk":1"#,
        ),
        header_and(r#""":1,"":1"#),
    ];
    let more = [
        r#""iss":"https://attacker.example""#,
        r#""\u0069ss":"x""#,
        r#""aud":"other""#,
        r#""exp":9999999999"#,
        r#""\u0065xp":9999999999"#,
        r#""e\u0078p":null"#,
        r#""nbf":0"#,
        r#""iat":0"#,
        r#""sub":"administrator""#,
        r#""jti":"j""#,
        r#""x":1,"x":1"#,
        r#""a/b":1,"a\/b":1"#,
        r#""":1,"":2"#,
        r#""😀":1,"\ud83d\ude00":1"#,
        r#""é":1,"\u00E9":1"#,
    ];
    let mut cases: Vec<Case> = Vec::new();
    for header in headers {
        cases.push(case(header.clone(), headed(header), Kind::Header));
    }
    for more in more {
        cases.push(case(more, paid(payload_and(more)), Kind::Claims));
    }
    let repeated = mint().repeat_claim("exp", NOW + 300).token();
    cases.push(case("the same exp twice", repeated, Kind::Claims));
    let repeated = mint().repeat_header("kid", KID).token();
    cases.push(case("the same kid twice", repeated, Kind::Header));
    assert_refused(&cases);
}
