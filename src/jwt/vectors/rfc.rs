//! RSA signatures printed in RFCs.
//!
//! They do not sign what GO sends, so each is rejected in the end; but at the level of
//! JWS, with our own parts, their signatures are right.

use serde_json::json;

use crate::clock::UnixTime;
use crate::config::Config;
use crate::error::{Reason, VerifyErrorKind as Kind};
use crate::jwt::jwks::KeySet;
use crate::jwt::jws::{Compact, Header, Room, Segments, base64url};
use crate::jwt::rs256::PublicKey;

/// RFC 7515, appendix A.2.1: the complete JWS. There is no `kid` in it.
const RFC7515_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiJ9.",
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290",
    "Ijp0cnVlfQ.",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt",
    "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL",
    "IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7no",
    "OPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ",
    "Ge77Rw",
);

/// RFC 7515, appendix A.2.1: `n` of the key.
const RFC7515_MODULUS: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz",
    "P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6",
    "3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw",
    "Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW",
    "yuXpoQ",
);

/// What the second segment decodes to: RFC 7515, section 3.3.
const RFC7515_PAYLOAD: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

/// RFC 7520, section 4.1, figure 13.
const RFC7520_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.",
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0",
    "ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5v",
    "IGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.",
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996i",
    "vp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1u",
    "SNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAh",
    "b6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18",
    "kDquDg",
);

/// RFC 7520, section 3.3, figure 3: `n` of the key.
const RFC7520_MODULUS: &str = concat!(
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZ",
    "QHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oB",
    "HqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVb",
    "b9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHd",
    "rNP5zw",
);

const RFC7520_KID: &str = "bilbo.baggins@hobbiton.example";

/// RFC 7520, section 4, figure 7: text, not claims.
const RFC7520_PAYLOAD: &str = concat!(
    "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto the road, and if ",
    "you don't keep your feet, there\u{2019}s no knowing where you might be swept off to.",
);

fn key(modulus: &str) -> PublicKey {
    let modulus = base64url(modulus).expect("base64url");
    PublicKey::new(&modulus, &[1, 0, 1]).expect("a key of 2048 bits")
}

fn published(kid: &str, modulus: &str) -> KeySet {
    let key = json!({"kty": "RSA", "kid": kid, "use": "sig", "n": modulus, "e": "AQAB"});
    let document = json!({ "keys": [key] }).to_string();
    KeySet::from_document(document.as_bytes()).expect("a usable key")
}

/// The verdict of the whole verifier, a second before the `exp` of RFC 7515.
fn verdict(token: &str, keys: &KeySet) -> Option<Kind> {
    let config = Config {
        issuer: "joe".to_owned(),
        audience: vec!["ZKT".to_owned()],
        ..Config::default()
    };
    let verifier = config.verifier().expect("a good configuration");
    let verdict = verifier.verify(token, keys, UnixTime::from_secs(1_300_819_379));
    verdict.err().map(|error| error.kind())
}

/// `token` with one bit of its signature flipped.
fn with_flipped_bit(token: &str, bit: usize) -> String {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    let (message, signature) = token.rsplit_once('.').expect("a dot");
    let mut signature = base64url(signature).expect("base64url");
    signature[bit / 8] ^= 1 << (bit % 8);
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn decoded<'t>(token: &'t str, room: &'t mut Room) -> Compact<'t> {
    Segments::split(token.as_bytes(), 8192)
        .and_then(|segments| segments.decode(room))
        .expect("three segments of base64url")
}

#[test]
fn rfc_7515s_signature_is_right_but_names_no_key() {
    let mut room = Room::new();
    let token = decoded(RFC7515_TOKEN, &mut room);
    assert_eq!(token.header, br#"{"alg":"RS256"}"#);
    assert_eq!(token.payload, RFC7515_PAYLOAD.as_bytes());
    assert!(key(RFC7515_MODULUS).verifies(token.signing_input, token.signature));
    assert!(!key(RFC7520_MODULUS).verifies(token.signing_input, token.signature));
    assert_eq!(Header::read(token.header), Err(Reason::NoKeyId));

    let keys = published("1", RFC7515_MODULUS);
    assert_eq!(verdict(RFC7515_TOKEN, &keys), Some(Kind::Header));
    println!("proof: RFC 7515 A.2: signature right, refused as it names no key");
}

#[test]
fn rfc_7520s_signature_is_right_but_signs_no_claims() {
    let mut room = Room::new();
    let token = decoded(RFC7520_TOKEN, &mut room);
    let header = Header::read(token.header).expect("a header like GO's");
    assert_eq!(header.kid, RFC7520_KID);
    assert_eq!(token.payload, RFC7520_PAYLOAD.as_bytes());
    assert!(key(RFC7520_MODULUS).verifies(token.signing_input, token.signature));
    assert!(!key(RFC7515_MODULUS).verifies(token.signing_input, token.signature));

    let keys = published(RFC7520_KID, RFC7520_MODULUS);
    assert_eq!(verdict(RFC7520_TOKEN, &keys), Some(Kind::Claims));
    let others = published(RFC7520_KID, RFC7515_MODULUS);
    assert_eq!(verdict(RFC7520_TOKEN, &others), Some(Kind::Signature));
    let bits = 2048;
    for bit in 0..bits {
        let changed = with_flipped_bit(RFC7520_TOKEN, bit);
        assert_eq!(verdict(&changed, &keys), Some(Kind::Signature), "bit {bit}");
    }
    println!("proof: RFC 7520 4.1: signature right, {bits} of one bit's difference refused");
}
