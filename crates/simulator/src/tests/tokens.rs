use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RsaKeyPair, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_auth::clock::UnixTime;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use super::{TestResult, decoded, segments};
use crate::{Encoding, Mint, PublicKeyForm, PublishedKey, SignatureKind, SigningKey, Simulator};

/// The header and payload of the token in GO's documentation.
const SAMPLE: [&str; 2] = [
    "eyJraWQiOiIzOTRiNTZjM2VhNTI0ZWU1OTAxNWY5YTdlODg2NjMxMiIsImFsZyI6IlJTMjU2In0",
    "eyJpc3MiOiJodHRwczovL2lkLzg0QTI2QjJGQTc3QkNEMUZGNTEzMDYzNkYwNEMzMEM1Ly53ZWxsLWtub3duL29wZW5\
     pZC1jb25maWd1cmF0aW9uIiwiYXVkIjoiWktUIiwiZXhwIjoxNzAzNTYwMDkwLCJqdGkiOiJRWGNxem5ldVZCYlJQbjE\
     5NGtzOUFRIiwiaWF0IjoxNzAzNTU5NzkwLCJuYmYiOjE3MDM1NTk2NzAsInN1YiI6ImRzLWdvLW1vZHVsZSJ9",
];

fn verifies(token: &str, key: &SigningKey, by: &'static RsaParameters) -> bool {
    let [header, payload, signature] = segments(token);
    let public = RsaPublicKeyComponents {
        n: key.modulus(),
        e: key.exponent(),
    };
    let message = format!("{header}.{payload}");
    public
        .verify(by, message.as_bytes(), &decoded(signature))
        .is_ok()
}

fn rs256(token: &str, key: &SigningKey) -> bool {
    verifies(token, key, &RSA_PKCS1_2048_8192_SHA256)
}

fn key_of(go: &Simulator) -> SigningKey {
    go.key(&go.signing_kid()).expect("the signing key is known")
}

#[tokio::test]
async fn the_mint_reproduces_gos_sample_byte_for_byte() -> TestResult {
    let go = Simulator::start().await?;
    let token = go
        .mint()
        .kid("394b56c3ea524ee59015f9a7e8866312")
        .at(UnixTime::from_secs(1_703_559_790))
        .token_id("QXcqzneuVBbRPn194ks9AQ")
        .token();
    let [header, payload, signature] = segments(&token);
    assert_eq!([header, payload], SAMPLE);
    assert_eq!(signature.len(), 342, "as long as the sample's");
    Ok(())
}

#[tokio::test]
async fn each_token_is_issued_now_with_a_new_jti() -> TestResult {
    let go = Simulator::start().await?;
    let mint = go.mint();
    let [first, second] = [mint.token(), mint.token()].map(|token| {
        assert!(rs256(&token, &key_of(&go)));
        serde_json::from_slice::<Value>(&decoded(segments(&token)[1])).expect("JSON")
    });
    assert_ne!(first["jti"], second["jti"]);
    assert_eq!(first["jti"].as_str().map(str::len), Some(22));
    let issued = first["iat"].as_i64().ok_or("no iat")?;
    assert_eq!(first["exp"], issued + 300);
    assert_eq!(first["nbf"], issued - 120);
    Ok(())
}

#[tokio::test]
async fn jsonwebtoken_accepts_tokens_by_the_published_keys() -> TestResult {
    let go = Simulator::start().await?;
    go.rotate();
    let keys: JwkSet = serde_json::from_slice(&go.document())?;
    let jwk = keys.find(&go.signing_kid()).ok_or("not published")?;

    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[go.issuer()]);
    validation.set_audience(&[go.audience()]);
    validation.validate_nbf = true;
    let verdict = |token: String| {
        decode::<Value>(&token, &DecodingKey::from_jwk(jwk)?, &validation).map(|data| data.claims)
    };
    assert_eq!(verdict(go.token())?["sub"], "ds-go-module");
    assert!(verdict(go.mint().at(UnixTime::from_secs(1_703_559_790)).token()).is_err());
    assert!(verdict(go.mint().audience("another").token()).is_err());
    assert!(verdict(go.mint().key(SigningKey::pooled()).token()).is_err());
    Ok(())
}

#[tokio::test]
async fn changed_members_keep_their_place() -> TestResult {
    let go = Simulator::start().await?;
    let mint = go
        .mint()
        .at(UnixTime::from_secs(1_000))
        .issuer("i")
        .audiences(["a", "b"])
        .subject("s")
        .without("jti")
        .expires_in(10)
        .not_before_offset(-1)
        .claim("extra", json!({"deep": [1, null]}))
        .repeat_claim("iss", "j");
    assert_eq!(
        mint.payload_text(),
        r#"{"iss":"i","aud":["a","b"],"exp":1010,"iat":1000,"nbf":999,"sub":"s","extra":{"deep":[1,null]},"iss":"j"}"#
    );
    let mint = mint
        .header("typ", "JWT")
        .header("alg", "none")
        .without_header("kid")
        .repeat_header("alg", "RS256");
    assert_eq!(
        mint.header_text(),
        r#"{"alg":"none","typ":"JWT","alg":"RS256"}"#
    );

    let token = mint
        .raw_header(*b"\xef\xbb\xbf{}")
        .raw_payload([0xff])
        .token();
    let [header, payload, _] = segments(&token);
    assert_eq!(decoded(header), b"\xef\xbb\xbf{}");
    assert_eq!(decoded(payload), [0xff]);
    assert!(rs256(&token, &key_of(&go)));
    Ok(())
}

#[tokio::test]
async fn each_signature_kind_is_what_its_name_says() -> TestResult {
    let go = Simulator::start().await?;
    let key = key_of(&go);
    let other = SigningKey::pooled();
    let signed = |kind| go.mint().signature(kind).token();
    let bytes = |token: &str| decoded(segments(token)[2]);

    assert!(rs256(&signed(SignatureKind::Rs256), &key));
    for (kind, by) in [
        (SignatureKind::Rs384, &RSA_PKCS1_2048_8192_SHA384),
        (SignatureKind::Rs512, &RSA_PKCS1_2048_8192_SHA512),
        (SignatureKind::Ps256, &RSA_PSS_2048_8192_SHA256),
    ] {
        let token = signed(kind);
        assert!(verifies(&token, &key, by) && !rs256(&token, &key));
    }
    let by_other = signed(SignatureKind::OtherKey(other.clone()));
    assert!(rs256(&by_other, &other) && !rs256(&by_other, &key));

    for (kind, length) in [
        (SignatureKind::OfOtherPayload, 256),
        (SignatureKind::Empty, 0),
        (SignatureKind::Truncated, 255),
        (SignatureKind::Extended, 257),
        (SignatureKind::Corrupted, 256),
        (SignatureKind::Zeroes, 256),
    ] {
        let token = signed(kind);
        assert_eq!(bytes(&token).len(), length);
        assert!(!rs256(&token, &key));
    }
    Ok(())
}

#[tokio::test]
async fn confused_signatures_are_macs_under_the_public_key() -> TestResult {
    let go = Simulator::start().await?;
    let key = key_of(&go);
    let is_mac = |token: &str, secret: &[u8]| {
        let [header, payload, signature] = segments(token);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let message = format!("{header}.{payload}");
        hmac::verify(&secret, message.as_bytes(), &decoded(signature)).is_ok()
    };
    let mint = go.mint().header("alg", "HS256");
    let token = mint
        .clone()
        .signature(SignatureKind::Hs256(b"secret".to_vec()))
        .token();
    assert!(is_mac(&token, b"secret"));

    let (pem, spki) = (key.public_spki_pem(), key.public_spki_der());
    for form in PublicKeyForm::ALL {
        let token = mint
            .clone()
            .signature(SignatureKind::Hs256WithPublicKey(form))
            .token();
        let secret = match form {
            PublicKeyForm::SpkiPem => pem.as_bytes(),
            PublicKeyForm::SpkiDer => &spki,
            PublicKeyForm::Pkcs1Der => key.public_pkcs1_der(),
            PublicKeyForm::Modulus => key.modulus(),
            PublicKeyForm::ModulusText => {
                let published = PublishedKey::new(key.clone());
                let text = published.jwk()["n"].as_str().ok_or("no n")?;
                assert!(is_mac(&token, text.as_bytes()));
                continue;
            }
        };
        assert!(is_mac(&token, secret), "{form:?}");
    }
    assert!(DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok());
    Ok(())
}

#[tokio::test]
async fn each_encoding_departs_from_the_canonical_one() -> TestResult {
    let go = Simulator::start().await?;
    let spelt = |encoding| go.mint().encoding(encoding).token();
    let strict = |token: &str| segments(token).map(is_canonical);

    assert_eq!(strict(&spelt(Encoding::Canonical)), [true; 3]);
    assert!(spelt(Encoding::Padded).ends_with("=="));
    assert!(!spelt(Encoding::StandardAlphabet).contains(['-', '_']));
    assert_eq!(strict(&spelt(Encoding::Interrupted(' '))), [false; 3]);
    assert_eq!(
        strict(&spelt(Encoding::LooseSignatureBits)),
        [true, true, false]
    );
    for filler in ["", "1", "22"] {
        let mint = go.mint().encoding(Encoding::LoosePayloadBits);
        assert_eq!(
            strict(&mint.claim("filler", filler).token()),
            [true, false, true]
        );
    }
    Ok(())
}

/// Strict about the alphabet, padding and trailing bits.
fn is_canonical(text: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(text).is_ok()
}

#[test]
fn keys_come_in_every_size_and_from_pkcs8() -> TestResult {
    let pair = RsaKeyPair::generate(KeySize::Rsa3072)?;
    let der: Pkcs8V1Der<'static> = pair.as_der()?;
    let key = SigningKey::from_pkcs8(der.as_ref())?;
    assert_eq!((key.bits(), key.modulus().len()), (3072, 384));
    assert_eq!(key.exponent(), [1, 0, 1]);
    assert!(rs256(&Mint::new(key.clone(), "1", "i", "a").token(), &key));

    assert!(SigningKey::from_pkcs8(b"junk").is_err());
    assert!(SigningKey::generate(1024).is_err());
    let shown = format!("{key:?}");
    assert_eq!(
        shown,
        format!(
            "SigningKey {{ bits: 3072, thumbprint: {:?}, .. }}",
            key.thumbprint()
        )
    );
    Ok(())
}
