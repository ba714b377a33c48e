//! The samples that GO's documents print, word for word: they mean what the documents say. Their
//! tokens expired long ago, and their keys were never published.

use derbysoft_go_auth::authenticate::{VerifyError, VerifyErrorKind as Kind};
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{Config, Verified};
use serde_json::json;

use test_support::forge::{refusal, segments};
use test_support::seeds::{ISSUER, KEY_DOCUMENT, TOKEN};

/// The later sample: one key, without `use`.
const LATER_KEY: &str = r#"{ "alg": "RS256", "e": "AQAB", "kid": "1", "kty": "RSA", "n": "rJzRIhtaVCJDg13QJearCXgiYQjXExd6xC8oD6hjRlyc-rACKIEedLTEkWskYMPEyK5ev7uSdQ8VLHVvrwL4GI_9NKex0MndePewaLL06LPHIK4enMGtMNUczWJ7HHT1_kYXiy259eh0xqOjDKkypGkU3Kq--M7qdIOfjMSXFHR-aBXz80qABbP7nUPJpLLHoNonr_VLDhYszQHL8k71pWsKYQO2Io4P3jT-pGdADp5OHAboizPwsZsasiGEw4UFq1A47R1XNKjeWqUwBqqVzhryWSQ606iPWEAle2cGBz7coiLWG59uhT39aDlUB6gRgi0vGxJn92sWGUmfnk698w" }"#;

/// The access token of the gateway's "Response Sample- Successful".
const GATEWAY_TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJrZXkiOiJKV1QtVEVTVCIsIm5iZiI6MTcyNTQxOTk5NywiaXNzIjoiZGVyYnlzb2Z0IiwiaWF0IjoxNzI1NDIwMTE3LCJkaXMiOiJKV1QtVEVTVCIsImp0aSI6ImJmZjZkYjY4OTNlOTQxYWNiM2Y1MjUwOWIyZDA3ZmU3IiwiZXhwIjoxNzI1NDIzNzE3LCJzdWIiOiJkZXJieXNvZnQgZGdhdGV3YXkgVjIiLCJhdWQiOlsiSldULVRFU1QiXX0.MqBR5kKY-uy3gtqv7IeqAawul3OCQLO1DhZ3wdoxWNZ7FZYb-AJwlgqGHXyjj_oJuiqPGeMfI_44TonIGfXfkqhtcE2nScTtVGeeVAA2NTzZSEGD5GLxJZ4rrTILUq9zLGDc0z44edo36g_kw_NuSjlBvq2l9BDJ793jxjijQ4XgoVJZslYQmFh-1uLSMy0aCCdfceUp8-YO7Bh3eWE0PFyZvDCU4O2mZKASuK4Jc4rf-XCNP8rLJpM03Aurek3AeRBcTOtfJDMW9vFGQ-g4BOXhEa0hVz8qQGFwLVY94dc5F74xs5i4C2ybIgZHf6GHQ_G9sIxm3nr1foT7YyfJcA";

const NOT_BEFORE: u64 = 1_703_559_670;
const ISSUED: u64 = 1_703_559_790;
const EXPIRES: u64 = 1_703_560_090;
/// The day on which the documents were read.
const TODAY: u64 = 1_795_219_200;

fn judge(
    token: &str,
    issuer: &str,
    audience: &str,
    keys: &KeySet,
    now: u64,
) -> Result<Verified, VerifyError> {
    let mut config = Config::default();
    issuer.clone_into(&mut config.issuer);
    config.audience = vec![audience.to_owned()];
    let verifier = config.verifier().expect("a good configuration");
    verifier.verify(token, keys, UnixTime::from_secs(now))
}

fn sample_keys() -> KeySet {
    KeySet::from_document(KEY_DOCUMENT.as_bytes()).expect("GO's sample")
}

#[test]
fn both_keys_of_the_sample_are_usable() {
    let keys = sample_keys();
    let mut listed: Vec<_> = keys.keys().collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            ("1d9ead9856fa33d753eaa9d97e0cdb0e02c5694e", 2048),
            ("4033a0101d68472defe88f625833eb93384842b5", 2048),
        ]
    );
    assert_eq!(keys.skipped(), []);
}

#[test]
fn the_later_sample_key_without_use_is_usable() {
    let document = format!("{{\"keys\":[{LATER_KEY}]}}");
    let keys = KeySet::from_document(document.as_bytes()).expect("GO's later sample");
    assert_eq!(keys.keys().collect::<Vec<_>>(), [("1", 2048)]);
    assert_eq!(keys.skipped(), []);
}

#[test]
fn all_three_sample_keys_are_usable() {
    let start = KEY_DOCUMENT
        .strip_suffix("] }")
        .expect("the document's end");
    let document = format!("{start}, {LATER_KEY} ] }}");
    let keys = KeySet::from_document(document.as_bytes()).expect("a document of three");
    assert_eq!((keys.len(), keys.skipped().len()), (3, 0));
}

#[test]
fn the_sample_token_lacks_only_its_key() {
    for now in [
        NOT_BEFORE,
        ISSUED,
        EXPIRES - 1,
        NOT_BEFORE - 30,
        EXPIRES + 29,
    ] {
        let verdict = judge(TOKEN, ISSUER, "ZKT", &sample_keys(), now);
        assert_eq!(
            refusal("the sample token", verdict),
            Kind::UnknownKey,
            "at {now}"
        );
    }
}

#[test]
fn the_sample_token_is_rejected_out_of_its_life() {
    for (now, expected) in [
        (TODAY, Kind::Expired),
        (EXPIRES + 30, Kind::Expired),
        (NOT_BEFORE - 31, Kind::NotYetValid),
    ] {
        let verdict = judge(TOKEN, ISSUER, "ZKT", &sample_keys(), now);
        assert_eq!(refusal("the sample token", verdict), expected, "at {now}");
    }
}

#[test]
fn a_foreign_audience_is_named_before_the_key() {
    let origin = ISSUER
        .strip_suffix("/.well-known/openid-configuration")
        .expect("the suffix");
    for (issuer, audience, expected) in [
        (origin, "ZKT", Kind::Issuer),
        ("https://id", "ZKT", Kind::Issuer),
        (ISSUER, "xxx", Kind::Audience),
        (ISSUER, "JWT-TEST", Kind::Audience),
    ] {
        let verdict = judge(TOKEN, issuer, audience, &sample_keys(), ISSUED);
        assert_eq!(
            refusal("the sample token", verdict),
            expected,
            "{issuer} {audience}"
        );
    }
}

#[test]
fn a_sample_key_does_not_verify_the_sample_token() {
    let kid = "394b56c3ea524ee59015f9a7e8866312";
    let mut key: serde_json::Value = serde_json::from_str(LATER_KEY).expect("JSON");
    key["kid"] = json!(kid);
    let document = json!({ "keys": [key] }).to_string();
    let keys = KeySet::from_document(document.as_bytes()).expect("a key set");
    for now in [ISSUED, TODAY] {
        let verdict = judge(TOKEN, ISSUER, "ZKT", &keys, now);
        assert_eq!(refusal("another key", verdict), Kind::Signature, "at {now}");
    }
}

#[test]
fn the_gateways_sample_token_lacks_a_kid() {
    for now in [1_725_420_117, TODAY] {
        let verdict = judge(GATEWAY_TOKEN, "derbysoft", "JWT-TEST", &sample_keys(), now);
        assert_eq!(
            refusal("the gateway's token", verdict),
            Kind::Header,
            "at {now}"
        );
    }
}

#[test]
fn the_samples_are_what_this_file_takes_them_for() {
    let [header, payload, _] = segments(TOKEN).map(test_support::forge::decode);
    assert_eq!(
        header,
        br#"{"kid":"394b56c3ea524ee59015f9a7e8866312","alg":"RS256"}"#
    );
    let payload: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(payload["iss"], ISSUER);
    assert_eq!(
        [&payload["nbf"], &payload["iat"], &payload["exp"]],
        [NOT_BEFORE, ISSUED, EXPIRES]
    );
}
