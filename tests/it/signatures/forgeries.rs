//! Forged signatures: under a header and claims without fault, nothing but the one PKCS#1 v1.5
//! signature with SHA-256 by the named key is accepted.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::{Mint, PublishedKey, SignatureKind, SigningKey};
use num_bigint::BigUint;

use test_support::forge::{
    AUDIENCE, DIGEST_INFO, DIGEST_INFO_WITHOUT_NULL, ISSUER, KID, NOW, SIGNATURE_BYTES,
    assert_refused, assert_refused_with, block, case, cube_that_starts_with, cubic, decode, encode,
    foreign, good, judge, key_set, message, mint, segments, sha256, to_width, verifier,
    with_signature,
};

#[test]
fn a_genuine_token_is_accepted() {
    let verified = judge(&mint().token()).expect("a genuine token");
    assert_eq!(verified.key_id(), Some(KID));
    assert_eq!(verified.issuer(), Some(ISSUER));
    let claims = verified.claims().expect("a JWT's");
    assert_eq!(claims.audiences().collect::<Vec<_>>(), [AUDIENCE]);
    assert_eq!(verified.subject(), Some("ds-go-module"));
}

#[test]
fn another_signature_labelled_rs256_is_rejected() {
    let kinds = [
        ("no signature", SignatureKind::Empty),
        ("a signature one byte short", SignatureKind::Truncated),
        ("a signature one byte long", SignatureKind::Extended),
        ("a flipped bit", SignatureKind::Corrupted),
        ("zeroes", SignatureKind::Zeroes),
        ("PKCS#1 v1.5 with SHA-384", SignatureKind::Rs384),
        ("PKCS#1 v1.5 with SHA-512", SignatureKind::Rs512),
        ("PSS with SHA-256", SignatureKind::Ps256),
        ("another payload's signature", SignatureKind::OfOtherPayload),
        (
            "another key's signature under the known kid",
            SignatureKind::OtherKey(foreign().signing()),
        ),
        ("an HMAC with no secret", SignatureKind::Hs256(Vec::new())),
    ];
    let cases: Vec<_> = kinds
        .into_iter()
        .map(|(given, kind)| case(given, mint().signature(kind).token(), Kind::Signature))
        .collect();
    assert_refused(&cases);
}

#[test]
fn a_signature_of_another_length_is_rejected() {
    let token = mint().token();
    let genuine = decode(segments(&token)[2]);
    let cases: Vec<_> = [
        0, 1, 2, 3, 32, 64, 128, 255, 257, 258, 384, 512, 513, 514, 2048,
    ]
    .into_iter()
    .flat_map(|length: usize| {
        let mut cut = genuine.clone();
        cut.resize(length, 0);
        let mut shifted = vec![0; length.saturating_sub(genuine.len())];
        shifted.extend_from_slice(&genuine);
        shifted.truncate(length);
        [("zeroes after it", cut), ("zeroes before it", shifted)].map(|(how, signature)| {
            case(
                format!("a signature of {length} bytes, {how}"),
                with_signature(&token, &signature),
                Kind::Signature,
            )
        })
    })
    .collect();
    assert_refused(&cases);
}

/// RFC 8017, section 5.2.2, step 1: s and s + n are the same number modulo n, and only s is one.
#[test]
fn a_signature_plus_the_modulus_is_rejected() {
    let mut cases = Vec::new();
    let (mut in_256, mut in_257) = (0, 0);
    while in_256 == 0 || in_257 == 0 {
        let token = mint().token();
        let genuine = BigUint::from_bytes_be(&decode(segments(&token)[2]));
        let sum = genuine + &good().n;
        let width = if sum.bits() <= 2048 { 256 } else { 257 };
        *(if width == 256 {
            &mut in_256
        } else {
            &mut in_257
        }) += 1;
        cases.push(case(
            format!("s + n in {width} bytes"),
            with_signature(&token, &to_width(&sum, width)),
            Kind::Signature,
        ));
        assert!(cases.len() < 200, "one of the two widths never comes");
    }
    assert_refused(&cases);
}

fn cubic_mint() -> Mint {
    // The mint's key does not matter: these tokens get their signatures by hand.
    mint().kid("cubic")
}

#[test]
fn an_honest_signature_of_exponent_3_is_accepted() {
    let keys = key_set(&[cubic().jwk("cubic")]);
    let token = cubic_mint().token();
    let signature = cubic().raise(&block(&DIGEST_INFO, message(&token)));
    let token = with_signature(&token, &signature);
    verifier()
        .verify(&token, &keys, UnixTime::from_secs(NOW))
        .expect("an honest signature");
}

/// Bleichenbacher at CRYPTO 2006: a cube needs no private exponent, and its top third is free.
#[test]
fn a_cube_root_as_signature_is_rejected() {
    let keys = key_set(&[cubic().jwk("cubic")]);
    let mut cases = Vec::new();
    for padding in [0, 1, 8, 20] {
        for (given, digest_info) in [
            ("a DigestInfo", &DIGEST_INFO[..]),
            ("a DigestInfo without NULL", &DIGEST_INFO_WITHOUT_NULL),
        ] {
            let token = cubic_mint().token();
            let start = [
                &[0, 1],
                &*vec![0xff; padding],
                &[0],
                digest_info,
                &sha256(message(&token)),
            ]
            .concat();
            let root = cube_that_starts_with(&start);
            assert_eq!(
                to_width(&root.pow(3), SIGNATURE_BYTES)[..start.len()],
                start
            );
            cases.push(case(
                format!("{given} after {padding} bytes of padding, garbage behind it"),
                with_signature(&token, &to_width(&root, SIGNATURE_BYTES)),
                Kind::Signature,
            ));
        }
    }
    // Garbage in the padding, the DigestInfo and digest at the very end; odd numbers alone are
    // cubes modulo a power of two.
    let token = (0..64)
        .map(|_| cubic_mint().token())
        .find(|token| sha256(message(token))[31] % 2 == 1)
        .expect("an odd digest");
    let end = [&[0][..], &DIGEST_INFO, &sha256(message(&token))].concat();
    let root = cube_between(
        &[0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &end,
    );
    let cube = to_width(&root.pow(3), SIGNATURE_BYTES);
    assert!(cube.starts_with(&[0, 1, 0xff, 0xff]) && cube.ends_with(&end));
    cases.push(case(
        "garbage within the padding",
        with_signature(&token, &to_width(&root, SIGNATURE_BYTES)),
        Kind::Signature,
    ));
    assert_refused_with(&verifier(), &keys, &cases);
}

/// A number whose cube starts with about `start` and ends with exactly `end`, which is odd.
fn cube_between(start: &[u8], end: &[u8]) -> BigUint {
    let bits = end.len() * 8;
    let target = BigUint::from_bytes_be(end);
    let mut low = BigUint::from(1_u8);
    for bit in 1..bits {
        let modulus = BigUint::from(1_u8) << (bit + 1);
        if low.pow(3) % &modulus != &target % &modulus {
            low += BigUint::from(1_u8) << bit;
        }
    }
    let mut middle = start.to_vec();
    middle.resize(SIGNATURE_BYTES, 0x80);
    let high = BigUint::from_bytes_be(&middle).cbrt() >> bits << bits;
    high + low
}

#[test]
fn mixed_segments_of_genuine_tokens_are_rejected() {
    let [header, payload, signature] = segments_of(&mint().token());
    let [other_header, other_payload, other_signature] =
        segments_of(&mint().header("typ", "JWT").subject("administrator").token());
    let cases = [
        ("another payload", [&header, &other_payload, &signature]),
        ("another header", [&other_header, &payload, &signature]),
        ("another signature", [&header, &payload, &other_signature]),
    ]
    .map(|(given, parts)| case(given, parts.map(String::as_str).join("."), Kind::Signature));
    assert_refused(&cases);
}

#[test]
fn a_signature_must_have_its_keys_own_size() {
    let larger = SigningKey::generate(3072).expect("a key of 3072 bits");
    let keys = key_set(&[
        PublishedKey::new(larger.clone())
            .with_kid("3072")
            .jwk()
            .clone(),
        good().jwk(KID),
    ]);
    let token = mint().key(larger.clone()).kid("3072").token();
    verifier()
        .verify(&token, &keys, UnixTime::from_secs(NOW))
        .expect("a signature of 384 bytes");
    let cases = [
        case(
            "3072 bits under 2048",
            mint().key(larger).token(),
            Kind::Signature,
        ),
        case(
            "2048 bits under 3072",
            mint().kid("3072").token(),
            Kind::Signature,
        ),
    ];
    assert_refused_with(&verifier(), &keys, &cases);
}

fn segments_of(token: &str) -> [String; 3] {
    let parts = segments(token).map(str::to_owned);
    assert_eq!(encode(decode(&parts[2])), parts[2]);
    parts
}
