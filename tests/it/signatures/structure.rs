//! Structure: parts of a genuine token that are changed, missing, moved, repeated or joined
//! otherwise make no token.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use serde_json::{Value, json};

use super::{Published, hold, hold_accepted, hold_published};
use test_support::forge::{
    Case, KID, case, decode, encode, foreign, good, headed, header_and, mint, paid, segments,
    sign_segments,
};

#[test]
fn what_is_free_in_a_token_may_differ() {
    let spaced = |text: String| text.replace("\":", "\" :\t").replace(",\"", "\r\n, \"");
    let header = mint().header_text();
    let tokens = [
        ("GO's own form", mint().token()),
        (
            "spaces in the header",
            headed(format!(" {} ", spaced(header.clone()))),
        ),
        ("spaces in the payload", paid(spaced(mint().payload_text()))),
        (
            "alg before kid",
            headed(format!(r#"{{"alg":"RS256","kid":"{KID}"}}"#)),
        ),
        (
            "alg in escapes",
            headed(header.replace("RS256", r"\u0052S256")),
        ),
        ("a type", mint().header("typ", "JWT").token()),
        (
            "a member of no meaning",
            headed(header_and(r#""x":{"y":[1,null]}"#)),
        ),
        (
            "a claim of no meaning",
            mint().claim("x", json!({"y": [1, null]})).token(),
        ),
        (
            "several audiences",
            mint().audiences(["other", "ZKT"]).token(),
        ),
    ]
    .map(|(given, token)| (given.to_owned(), token));
    hold_accepted("accepts valid", 9, &tokens);
}

/// The signature is right; what it covers is nothing acceptable.
#[test]
fn a_signed_payload_that_is_no_claims_is_rejected() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let cases: Vec<Case> = [
        ("an empty payload", vec![]),
        ("zeros", vec![0; 20]),
        ("one byte", b"a".to_vec()),
        ("a word", b"Test".to_vec()),
        ("every byte", every_byte),
    ]
    .map(|(given, payload)| case(given, paid(payload), Kind::Claims))
    .into();
    hold("any payload", 5, &cases);
}

#[test]
fn a_token_with_one_part_changed_is_rejected() {
    let token = mint().token();
    let [header, payload, signature] = segments(&token);
    let mut cases = Vec::new();

    let text = mint().header_text();
    for (given, changed, kind) in [
        ("another kid", text.replace(KID, "other"), Kind::UnknownKey),
        ("no kid", r#"{"alg":"RS256"}"#.to_owned(), Kind::Header),
        (
            "another alg",
            text.replace("RS256", "RS512"),
            Kind::Algorithm,
        ),
        ("a member more", header_and(r#""x":1"#), Kind::Signature),
        ("a space more", format!("{text} "), Kind::Signature),
        ("a space inside", text.replace(',', ", "), Kind::Signature),
        (
            "kid in escapes",
            text.replace("kid", r"k\u0069d"),
            Kind::Signature,
        ),
        ("no JSON", "RS256".to_owned(), Kind::Header),
    ] {
        let token = [&encode(changed), payload, signature].join(".");
        cases.push(case(format!("header, {given}"), token, kind));
    }
    let text = String::from_utf8(decode(payload)).expect("JSON");
    for (given, changed) in [
        (
            "another subject",
            text.replace("ds-go-module", "administrator"),
        ),
        ("a later end", text.replace("1800000300", "1900000300")),
        ("a claim more", text.replace('{', r#"{"x":1,"#)),
        ("a space more", format!("{text} ")),
        ("no claims", "{}".to_owned()),
        ("no JSON", "Test".to_owned()),
        ("the header", mint().header_text()),
    ] {
        assert_ne!(changed, text, "{given}");
        let token = [header, &encode(changed), signature].join(".");
        cases.push(case(format!("payload, {given}"), token, Kind::Signature));
    }
    let genuine = decode(signature);
    for at in (0..genuine.len()).step_by(15) {
        let mut changed = genuine.clone();
        changed[at] ^= 0x80;
        let token = [header, payload, &encode(changed)].join(".");
        cases.push(case(
            format!("signature, byte {at}"),
            token,
            Kind::Signature,
        ));
    }
    hold("modified parts", 33, &cases);
}

#[test]
fn a_token_with_parts_missing_or_moved_is_rejected() {
    let token = mint().token();
    let [header, payload, signature] = segments(&token);
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |parts: &[&str], kind| {
        let shape: Vec<_> = parts
            .iter()
            .map(|part| part.get(..3).unwrap_or(""))
            .collect();
        cases.push(case(shape.join("."), parts.join("."), kind));
    };

    for parts in [
        &[""][..],
        &[header],
        &[payload],
        &[signature],
        &["", ""],
        &[header, ""],
        &["", payload],
        &[header, payload],
        &[payload, signature],
        &[header, signature],
    ] {
        add(parts, Kind::Malformed);
    }
    add(&[header, payload, ""], Kind::Signature);
    add(&[header, "", signature], Kind::Signature);
    add(&[header, "", ""], Kind::Signature);
    add(&["", payload, signature], Kind::Header);
    add(&["", payload, ""], Kind::Header);
    add(&["", "", signature], Kind::Header);
    add(&["", "", ""], Kind::Header);
    // A payload is JSON without an alg, and a signature is no JSON.
    add(&[header, signature, payload], Kind::Signature);
    add(&[payload, header, signature], Kind::Algorithm);
    add(&[payload, signature, header], Kind::Algorithm);
    add(&[signature, header, payload], Kind::Header);
    add(&[signature, payload, header], Kind::Header);
    for text in [
        "a", "Bearer", "...", "....", "a.b", "a.b.c.d", "\u{feff}", "é",
    ] {
        cases.push(case(format!("{text:?}"), text, Kind::Malformed));
    }
    hold("missing and moved parts", 30, &cases);
}

#[test]
fn a_token_with_more_parts_is_rejected() {
    let token = mint().token();
    let parts = segments(&token);
    let mut cases: Vec<Case> = Vec::new();
    for (given, more) in [
        ("nothing", ""),
        ("foo", "foo"),
        ("a header", parts[0]),
        ("a payload", parts[1]),
        ("a signature", parts[2]),
    ] {
        for at in 0..=3 {
            // A part beside itself is the same on either side.
            if at > 0 && parts[at - 1] == more {
                continue;
            }
            let mut parts = parts.to_vec();
            parts.insert(at, more);
            cases.push(case(
                format!("{given} at {at}"),
                parts.join("."),
                Kind::Malformed,
            ));
        }
    }
    let jwe = encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"1"}"#);
    let jws_and_enc = encode(header_and(r#""enc":"A256GCM""#));
    for (given, token, kind) in [
        (
            "a JWE",
            format!("{jwe}.QUJD.QUJD.QUJD.QUJD"),
            Kind::Malformed,
        ),
        (
            "a JWE of a JWS",
            format!("{jws_and_enc}.{token}.QUJD"),
            Kind::Malformed,
        ),
        (
            "a JWE without its tail",
            format!("{jwe}.QUJD.QUJD"),
            Kind::Algorithm,
        ),
        ("five dots", ".....".to_owned(), Kind::Malformed),
        ("two tokens", format!("{token}.{token}"), Kind::Malformed),
        (
            "two tokens and a comma",
            format!("{token},{token}"),
            Kind::Malformed,
        ),
    ] {
        cases.push(case(given, token, kind));
    }
    hold("extra parts", 23, &cases);
}

#[test]
fn a_token_with_other_separators_is_rejected() {
    let token = mint().token();
    let cases: Vec<Case> = [
        ",", ":", ";", " ", "\n", "\t", "\0", "|", "/", "~", "-", "_", "..", "%2E", "\\u002e", "·",
        "。", "\u{2024}", "",
    ]
    .into_iter()
    .map(|separator| {
        let other = token.replace('.', separator);
        case(format!("{separator:?} for dots"), other, Kind::Malformed)
    })
    .collect();
    hold("separators", 19, &cases);
}

/// `none`, under any name, with any kid, with a signature and without.
#[test]
fn a_token_without_an_algorithm_is_rejected() {
    let payload = encode(mint().payload_text());
    let keys = [good().jwk(KID)];
    let mut cases = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "none ", ""] {
        for kid in [None, Some(KID), Some("none"), Some("")] {
            let header = match kid {
                None => json!({ "alg": alg }),
                Some(kid) => json!({"alg": alg, "kid": kid}),
            };
            let signed = sign_segments(&encode(header.to_string()), &payload);
            let (message, _) = signed.rsplit_once('.').expect("a dot");
            for (how, token) in [
                ("unsigned", format!("{message}.")),
                ("signed", signed.clone()),
            ] {
                let given = format!("{header} {how}");
                cases.push(Published::new(given, &keys, token, Kind::Algorithm));
            }
        }
    }
    hold_published("no algorithm", 48, &cases);
}

/// RFC 7515, section 7.2: GO sends the compact form alone.
#[test]
fn a_json_serialization_is_rejected() {
    let token = mint().token();
    let [header, payload, signature] = segments(&token);
    let one = json!({"protected": header, "signature": signature});
    let free = json!({
        "protected": header, "header": {"unknown": "untrustworthy"}, "signature": signature,
    });
    let bare = json!({"header": {"alg": "RS256", "kid": KID}, "signature": signature});
    let general = |signatures: Value| json!({"payload": payload, "signatures": signatures});
    let flattened = |more: Value| {
        let mut flattened = json!({
            "payload": payload, "protected": header, "signature": signature,
        });
        for (name, value) in more.as_object().expect("an object") {
            flattened[name] = value.clone();
        }
        flattened
    };
    let attackers = mint().key(foreign().signing()).token();
    let [_, _, other] = segments(&attackers);
    let other = json!({"protected": header, "signature": other});
    let dots = flattened(json!({"header": {"jku": "https://a.b.example"}}));
    assert_eq!(dots.to_string().matches('.').count(), 2);

    let cases: Vec<Case> = [
        ("general", general(json!([one]))),
        (
            "general, with an unprotected header",
            general(json!([free])),
        ),
        ("general, with nothing protected", general(json!([bare]))),
        (
            "general, a wrong signature first",
            general(json!([other, one])),
        ),
        (
            "general, a wrong signature last",
            general(json!([one, other])),
        ),
        ("general, no signature", general(json!([]))),
        ("flattened", flattened(json!({}))),
        (
            "flattened, with an unprotected header",
            flattened(json!({"header": {"kid": KID}})),
        ),
        (
            "flattened, nothing protected",
            flattened(json!({"protected": ""})),
        ),
        (
            "flattened, both forms at once",
            flattened(json!({"signatures": [one]})),
        ),
        ("flattened, two dots", dots),
        ("a string", json!(token)),
        ("an array of it", json!([token])),
        ("an array of its parts", json!([header, payload, signature])),
        ("a member of an object", json!({"token": token})),
    ]
    .map(|(given, text)| case(given, text.to_string(), Kind::Malformed))
    .into_iter()
    .chain([
        // As the file has it: without its last brackets.
        case(
            "general, unfinished",
            general(json!([one])).to_string().trim_end_matches("]}"),
            Kind::Malformed,
        ),
        case(
            "in base64url",
            encode(flattened(json!({})).to_string()),
            Kind::Malformed,
        ),
        case(
            "in base64url as a header",
            format!(
                "{}.{payload}.{signature}",
                encode(flattened(json!({})).to_string())
            ),
            Kind::Algorithm,
        ),
    ])
    .collect();
    hold("JSON serialization", 18, &cases);
}
