//! Attacks on the signature, the key and the form of a token.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use derbysoft_go_simulator::{Encoding, PublicKeyForm, PublishedKey, SignatureKind};
use num_bigint::BigUint;
use serde_json::json;

use super::desk::{Desk, larger, long_kids};
use test_support::corpus::mint;
use test_support::forge::{
    DIGEST_INFO, DIGEST_INFO_WITHOUT_NULL, KID, SIGNATURE_BYTES, block, cube_that_starts_with,
    decode, encode, foreign, good, message, segments, sha256, sign_segments, to_width,
    with_signature,
};

pub(crate) fn all(desk: &mut Desk) {
    algorithms(desk);
    signatures(desk);
    blocks(desk);
    keys(desk);
    segment_forms(desk);
    base64_forms(desk);
}

fn algorithms(desk: &mut Desk) {
    desk.attack("every alg but the exact string");
    for alg in [
        json!("none"),
        json!("None"),
        json!(""),
        json!("HS256"),
        json!("HS512"),
        json!("RS384"),
        json!("RS512"),
        json!("PS256"),
        json!("ES256"),
        json!("EdDSA"),
        json!("rs256"),
        json!("RS256 "),
        json!("RS256\0"),
        json!("RS2560"),
        json!("\u{ff32}S256"),
        json!(null),
        json!(256),
        json!(true),
        json!(["RS256"]),
        json!({"RS256": null}),
        json!({"RS256": {}}),
        json!({"none": null}),
        json!({}),
        json!([]),
    ] {
        let token = mint().header("alg", alg.clone()).token();
        desk.token(format!("\"alg\":{alg}"), token);
    }
    desk.token("no alg", mint().without_header("alg").token());
    for (alg, kind) in [
        ("none", SignatureKind::Empty),
        ("NONE", SignatureKind::Empty),
        ("RS384", SignatureKind::Rs384),
        ("RS512", SignatureKind::Rs512),
        ("PS256", SignatureKind::Ps256),
        ("HS256", SignatureKind::Hs256(Vec::new())),
    ] {
        let token = mint().header("alg", alg).signature(kind).token();
        desk.token(format!("an honest {alg}"), token);
    }
}

fn signatures(desk: &mut Desk) {
    desk.attack("another signature under an RS256 label");
    for kind in [
        SignatureKind::Empty,
        SignatureKind::Truncated,
        SignatureKind::Extended,
        SignatureKind::Corrupted,
        SignatureKind::Zeroes,
        SignatureKind::Rs384,
        SignatureKind::Rs512,
        SignatureKind::Ps256,
        SignatureKind::Hs256(Vec::new()),
    ] {
        let token = mint().signature(kind.clone()).token();
        desk.token(format!("{kind:?}"), token);
    }
    let token = mint().token();
    let genuine = decode(segments(&token)[2]);
    for length in [1, 64, 128, 255, 257, 384, 512] {
        let mut cut = genuine.clone();
        cut.resize(length, 0);
        desk.token(format!("{length} bytes"), with_signature(&token, &cut));
        let mut shifted = vec![0; length.saturating_sub(genuine.len())];
        shifted.extend_from_slice(&genuine);
        let given = format!("{} bytes, zeroes first", shifted.len());
        desk.token(
            given,
            with_signature(&token, &shifted[..shifted.len().min(length)]),
        );
    }
    // About half of the sums need a byte more.
    for _ in 0..8 {
        let token = mint().token();
        let sum = BigUint::from_bytes_be(&decode(segments(&token)[2])) + &good().n;
        let width = if sum.bits() <= 2048 { 256 } else { 257 };
        let forged = with_signature(&token, &to_width(&sum, width));
        desk.token(format!("s + n in {width} bytes"), forged);
    }
    desk.token(
        "another payload's",
        mint().signature(SignatureKind::OfOtherPayload).token(),
    );

    desk.attack("segments of two genuine tokens");
    let other = mint().header("typ", "JWT").subject("administrator").token();
    let ([header, payload, signature], others) = (segments(&token), segments(&other));
    desk.token("another header", [others[0], payload, signature].join("."));
    desk.token("another payload", [header, others[1], signature].join("."));
    desk.token("another signature", [header, payload, others[2]].join("."));
}

fn blocks(desk: &mut Desk) {
    desk.attack("a wrong block by the right key");
    let token = mint().token();
    let text = message(&token);
    let mut short_padding = [&[0, 1], &[0xff; 8][..], &[0], &DIGEST_INFO, &sha256(text)].concat();
    short_padding.resize(SIGNATURE_BYTES, 0xff);
    for (given, block) in [
        (
            "a DigestInfo without NULL",
            block(&DIGEST_INFO_WITHOUT_NULL, text),
        ),
        ("no DigestInfo", block(&[], text)),
        ("something behind the digest", short_padding),
    ] {
        desk.token(given, with_signature(&token, &good().raise(&block)));
    }

    desk.attack("a cube root for a signature, under exponent 3");
    for padding in [0, 8, 20] {
        let token = mint().kid("cubic").token();
        let digest = sha256(message(&token));
        let start = [&[0, 1], &*vec![0xff; padding], &[0], &DIGEST_INFO, &digest].concat();
        let root = to_width(&cube_that_starts_with(&start), SIGNATURE_BYTES);
        desk.token(
            format!("{padding} bytes of padding"),
            with_signature(&token, &root),
        );
    }
}

fn keys(desk: &mut Desk) {
    desk.attack("another key under a known kid");
    desk.token("a stranger's", mint().key(foreign().signing()).token());
    desk.token("a larger one", mint().key(larger().clone()).token());
    desk.token("a smaller one", mint().kid("3072").token());
    desk.token("65537 for 3", mint().kid("cubic").token());

    desk.attack("a published key that is not one for these tokens");
    for kid in ["for-encryption", "for-wrapping", "for-RS512", "twice"] {
        desk.token(format!("the key \"{kid}\""), mint().kid(kid).token());
    }

    desk.attack("the public key as an HMAC secret");
    for form in PublicKeyForm::ALL {
        let forged = mint().signature(SignatureKind::Hs256WithPublicKey(form));
        desk.token(format!("{form:?} under RS256"), forged.token());
        desk.token(
            format!("{form:?} under HS256"),
            forged.header("alg", "HS256").token(),
        );
    }
    let jwk = good().jwk(KID).to_string().into_bytes();
    let forged = mint()
        .header("alg", "HS256")
        .signature(SignatureKind::Hs256(jwk));
    desk.token("the JWK under HS256", forged.token());

    desk.attack("a key in the header");
    let attacker = foreign().signing();
    let published = PublishedKey::new(attacker.clone()).with_kid("attacker");
    let der = BASE64_STANDARD.encode(attacker.public_spki_der());
    for (name, value) in [
        ("jwk", published.jwk().clone()),
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/certificate")),
        ("x5c", json!([der])),
    ] {
        let forged = mint().key(attacker.clone()).header(name, value);
        desk.token(format!("{name} under the known kid"), forged.token());
        desk.token(
            format!("{name} under its own kid"),
            forged.clone().kid("attacker").token(),
        );
        desk.token(
            format!("{name} without a kid"),
            forged.without_header("kid").token(),
        );
    }

    desk.attack("kid missing, of another type or length, or unknown");
    desk.token("no kid", mint().without_header("kid").token());
    for kid in [
        json!(""),
        json!(1),
        json!(null),
        json!(true),
        json!([KID]),
        json!({}),
        json!("unknown"),
        json!(KID.to_uppercase()),
        json!(format!("{KID} ")),
        json!("../../keys"),
    ] {
        let token = mint().header("kid", kid.clone()).token();
        desk.token(format!("\"kid\":{kid}"), token);
    }
    let [_, too_long] = long_kids();
    desk.token("a kid of 257 bytes", mint().kid(too_long).token());
    desk.token("a kid of 5000 bytes", mint().kid("k".repeat(5000)).token());
    desk.token(
        "a stranger's own token",
        mint().key(attacker).kid("attacker").token(),
    );
}

fn segment_forms(desk: &mut Desk) {
    let token = mint().token();
    let [header, payload, signature] = segments(&token);

    desk.attack("segments other than three");
    for text in ["", "Bearer", ".", "..", "...", "a.b", "a.b.c.d", "é"] {
        desk.token(format!("{text:?}"), text);
    }
    for parts in [
        &[header, payload][..],
        &[header, payload, ""],
        &[header, payload, signature, ""],
        &["", header, payload, signature],
        &[header, payload, "", signature],
        &["", payload, signature],
        &[header, "", signature],
    ] {
        desk.token(format!("{} segments", parts.len()), parts.join("."));
    }

    desk.attack("JWE");
    let jwe = encode(json!({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": KID}).to_string());
    desk.token(
        "five segments",
        [&*jwe, "QUJD", "QUJD", "QUJD", "QUJD"].join("."),
    );
    desk.token("three segments", [&*jwe, "QUJD", "QUJD"].join("."));
    desk.token("three segments, signed", sign_segments(&jwe, payload));

    desk.attack("JSON serialisation");
    let signatures = json!([{"protected": header, "signature": signature}]);
    let flattened = json!({"payload": payload, "protected": header, "signature": signature});
    desk.token(
        "general",
        json!({"payload": payload, "signatures": signatures}).to_string(),
    );
    desk.token("flattened", flattened.to_string());
    desk.token("a string", json!(token).to_string());
}

fn base64_forms(desk: &mut Desk) {
    desk.attack("base64 that is not canonical");
    for encoding in [
        Encoding::Padded,
        Encoding::StandardAlphabet,
        Encoding::LoosePayloadBits,
        Encoding::LooseSignatureBits,
        Encoding::Interrupted(' '),
        Encoding::Interrupted('\n'),
        Encoding::Interrupted('\0'),
        Encoding::Interrupted('='),
        Encoding::Interrupted('.'),
        Encoding::Interrupted('é'),
    ] {
        desk.token(format!("{encoding:?}"), mint().encoding(encoding).token());
    }
    let token = mint().token();
    for tail in [
        "=", "==", "===", "====", "A", " ", "\n", "\r\n", "\0", "%3D", "\u{ff1d}",
    ] {
        desk.token(
            format!("{tail:?} behind the token"),
            format!("{token}{tail}"),
        );
        desk.token(
            format!("{tail:?} before the token"),
            format!("{tail}{token}"),
        );
    }
}
