//! Key documents that must do no harm, served by the key address: at the start, and as a refresh
//! when there are good keys.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, PublishedKey, SigningKey, Simulator};
use serde_json::{Value, json};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use test_support::{World, keys, ready, refresh, verdict};

/// A modulus of so many bits, odd, with its first bit set.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0x5a; bits.div_ceil(8)];
    bytes[0] = 0x80 >> ((8 - bits % 8) % 8);
    *bytes.last_mut().expect("at least a byte") |= 1;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa(kid: &str, n: &str, e: &str) -> Value {
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e })
}

/// A good key's modulus with another exponent.
fn with_exponent(e: &[u8]) -> Value {
    let n = BASE64_URL_SAFE_NO_PAD.encode(SigningKey::pooled().modulus());
    rsa("exponent", &n, &BASE64_URL_SAFE_NO_PAD.encode(e))
}

/// Keys that cannot be used; `good` is the name of one that can.
fn strange(good: &str) -> Vec<(&'static str, Value)> {
    let n = modulus(2048);
    vec![
        (
            "an oct key of the same kid",
            json!({ "kty": "oct", "kid": good, "k": "AAAA" }),
        ),
        ("an enc key of the same kid", {
            let mut key = rsa(good, &n, "AQAB");
            key["use"] = "enc".into();
            key
        }),
        ("512 bits", rsa("512", &modulus(512), "AQAB")),
        ("1024 bits", rsa("1024", &modulus(1024), "AQAB")),
        ("16384 bits", rsa("16384", &modulus(16384), "AQAB")),
        ("an empty modulus", rsa("none", "", "AQAB")),
        ("exponent 1", with_exponent(&[1])),
        ("exponent 2", with_exponent(&[2])),
        ("an even exponent", with_exponent(&[1, 0, 0])),
        ("a huge exponent", with_exponent(&[0xff; 32])),
        ("no exponent", json!({ "kty": "RSA", "kid": "e", "n": n })),
        ("text that is not base64", rsa("b64", "not base64!", "AQAB")),
        (
            "a number for a name",
            json!({ "kty": "RSA", "kid": 7, "n": n, "e": "AQAB" }),
        ),
        ("text", json!("a key")),
        ("an empty object", json!({})),
        (
            "an EC key",
            json!({ "kty": "EC", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA" }),
        ),
        (
            "a kind of the future",
            json!({ "kty": "XYZ", "kid": "new", "future": [1, { "deep": null }] }),
        ),
        ("null", Value::Null),
    ]
}

/// A genuine token passes, a forged one under the same `kid` does not.
async fn serves(world: &World, auth: &GoAuth, given: &str) {
    assert_eq!(verdict(auth, &world.token()).await, "ok", "given {given}");
    let forged = world.mint().key(SigningKey::pooled()).token();
    assert_eq!(verdict(auth, &forged).await, "signature", "given {given}");
}

#[tokio::test]
async fn a_bad_key_harms_no_good_one_beside_it() {
    let world = World::new().await;
    let good = world.go.published_keys();
    let refreshed = world.ready().await;
    let strange = strange(&world.go.signing_kid());
    let each = strange.iter().map(|(given, key)| (*given, vec![key]));
    let all = ("all of them", strange.iter().map(|(_, key)| key).collect());
    for (given, bad) in each.chain([all]) {
        world.go.set_keys(good.clone());
        for key in bad {
            world.go.publish_raw(key.clone());
        }
        let started = world.ready().await;
        serves(&world, &started, given).await;
        refresh(&refreshed).await.expect(given);
        serves(&world, &refreshed, given).await;
        assert_eq!((keys(&started), keys(&refreshed)), (2, 2), "given {given}");
    }
}

#[tokio::test]
async fn an_unusable_document_never_replaces_a_good_one() {
    let world = World::new().await;
    let token = world.token();
    let refreshed = world.ready().await;
    let all: Vec<_> = strange("x").into_iter().map(|(_, key)| key).collect();
    for document in [
        "",
        "null",
        "{}",
        "[]",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{}]}"#,
        r#"{"keys":[null,1,"x",{}]}"#,
        r#"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#,
        r#"{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"AAAA"}]}"#,
        r#"{"error":"not today"}"#,
        "\u{feff}{\"keys\":[]}",
        &json!({ "keys": all }).to_string(),
    ] {
        world.go.set_document(document);
        let started = world.auth();
        let failed = |result: Result<(), FetchError>| matches!(result, Err(FetchError::KeySet(_)));
        assert!(failed(ready(&started).await), "{document:.60}");
        assert_eq!(verdict(&started, &token).await, "keys_unavailable");
        assert!(failed(refresh(&refreshed).await), "{document:.60}");
        serves(&world, &refreshed, "good keys before").await;
    }
}

#[tokio::test]
async fn gos_second_sample_key_without_use_is_good() {
    let key = PublishedKey::new(SigningKey::pooled())
        .with_kid("1")
        .without("use");
    let world = World::of(Simulator::builder().keys([key])).await;
    let auth = world.ready().await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn two_keys_of_one_kid_verify_nothing() {
    let world = World::new().await;
    let kid = world.go.signing_kid();
    let twin = PublishedKey::new(SigningKey::pooled()).with_kid(&*kid);
    world.go.publish(twin.clone());
    let auth = world.ready().await;
    assert_ne!(verdict(&auth, &world.token()).await, "ok");
    let theirs = world.mint().key(twin.signing_key().unwrap().clone());
    assert_ne!(verdict(&auth, &theirs.token()).await, "ok");
    assert_eq!(keys(&auth), 1);
}

#[tokio::test]
async fn leading_zeros_in_a_key_change_nothing() {
    let world = World::new().await;
    let refreshed = world.ready().await;
    let key = world.go.published_keys().remove(0);
    let signing = key.signing_key().expect("a key that signs").clone();
    let padded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode([&[0, 0], bytes].concat());
    let zeros = key
        .with("n", padded(signing.modulus()))
        .with("e", padded(signing.exponent()));
    world.go.set_keys([zeros]);
    serves(&world, &world.ready().await, "leading zeros").await;
    refresh(&refreshed).await.unwrap();
    serves(&world, &refreshed, "leading zeros").await;
    // The same key in another spelling is the same key.
    assert_eq!(keys(&refreshed), 1);
}

#[tokio::test]
async fn a_document_of_ten_thousand_keys_is_bounded() {
    let world = World::new().await;
    let published: Vec<_> = world.go.published_keys();
    let mut many: Vec<_> = (0..10_000)
        .map(|n| json!({ "kty": "oct", "kid": format!("{n}"), "k": "AA" }))
        .collect();
    many.extend(published.iter().map(|key| key.jwk().clone()));
    let refreshed = world.ready().await;
    world.go.set_document(json!({ "keys": many }).to_string());

    // By default such a document is too large to be looked at …
    let too_large = Err(FetchError::TooLarge(256 * 1024));
    assert_eq!(ready(&world.auth()).await, too_large);
    assert_eq!(refresh(&refreshed).await, too_large);
    serves(&world, &refreshed, "a document too large").await;

    // … and where it may be read, it costs nothing but its junk.
    let set = |builder: derbysoft_go_auth::GoAuthBuilder| {
        builder.configure(|it| it.max_document_bytes = 1 << 20)
    };
    let patient = world.ready_with(set).await;
    serves(&world, &patient, "ten thousand keys").await;
    assert_eq!(keys(&patient), 2);
}

#[tokio::test]
async fn whatever_keys_are_published_are_the_keys() {
    // The key address is trusted, for better or worse; and it can change its mind.
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::WrongKeys);
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "key_pending");
    world.go.heal();
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}
