//! What servers, proxies and operators do to a key document without making it worse; and what is
//! reported where it cannot be used.

use std::sync::Arc;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Endpoint, Fault};
use serde_json::{Value, json};

use test_support::raw_server::{answer, server};
use test_support::{World, eventually, keys, ready, refresh, secs, settle, verdict};

fn at(world: &World, address: &str) -> GoAuth {
    let builder = world.builder().jwks_url(address);
    builder.build().expect("a good configuration")
}

fn discovering(world: &World) -> GoAuth {
    at(world, &world.go.discovery_url())
}

async fn serves(world: &World, auth: &GoAuth, what: &str) {
    assert_eq!(ready(auth).await, Ok(()), "{what}");
    assert_eq!(verdict(auth, &world.token()).await, "ok", "{what}");
    assert_eq!(keys(auth), 2, "{what}");
}

#[tokio::test]
async fn a_server_of_jwk_sets_alone_gives_its_keys() {
    let world = World::new().await;
    let document = world.go.document();
    let (origin, heads) = server(move |head| {
        if head.contains("application/jwk-set+json") {
            answer(
                200,
                b"content-type: application/jwk-set+json\r\n",
                &document,
            )
        } else {
            answer(406, b"", "")
        }
    })
    .await;
    serves(&world, &at(&world, &origin), "406 without its type").await;
    let heads = heads.lock().expect("not poisoned");
    let accept = "accept: application/jwk-set+json, application/json, */*;q=0.1\r\n";
    assert!(heads[0].contains(accept), "{heads:?}");
}

#[tokio::test]
async fn one_byte_order_mark_changes_nothing() {
    let world = World::new().await;
    let document = world.go.document();
    let marked = |times: usize| {
        [
            "\u{feff}".repeat(times),
            String::from_utf8_lossy(&document).into(),
        ]
        .concat()
    };
    world.go.set_document(marked(1));
    serves(&world, &at(&world, &world.go.jwks_url()), "a key set").await;
    world.go.set_document(marked(2));
    let twice = ready(&at(&world, &world.go.jwks_url())).await;
    assert!(matches!(twice, Err(FetchError::KeySet(_))), "{twice:?}");

    world.go.heal();
    let discovery = format!("\u{feff}{}", json!({ "jwks_uri": world.go.jwks_url() }));
    let fault = Fault::Raw(answer(200, b"", discovery));
    world.go.fail_at(Endpoint::Discovery, fault);
    world.go.set_document(marked(1));
    serves(&world, &discovering(&world), "a discovery document").await;
}

#[tokio::test]
async fn a_fragment_of_jwks_uri_is_dropped() {
    for fragment in ["#", "#keys", "#?a=b"] {
        let world = World::new().await;
        world.go.set_jwks_uri(world.go.jwks_url() + fragment);
        let auth = discovering(&world);
        serves(&world, &auth, fragment).await;
        let before = world.go.fetches();
        world.advance_to_fetch(secs(270), before + 1).await;
        let last = world.go.requests().pop().expect("a request");
        assert_eq!(last.status, Some(304), "{fragment}");
        assert!(last.path.ends_with("/keys"), "{}", last.path);
    }
}

#[tokio::test]
async fn a_jwks_uri_that_is_not_followed_is_named() {
    let world = World::new().await;
    let own = format!("http://{}", world.go.address());
    let https = own.replace("http:", "https:");
    let long = format!("{own}/{}", "k".repeat(8000));
    let strange = format!("\u{1b}[2J{}", "x".repeat(5000));
    for (uri, told) in [
        ("/keys", vec!["\"/keys\" is not an absolute address"]),
        ("keys", vec!["\"keys\" is not an absolute address"]),
        ("//id.example/keys", vec!["is not an absolute address"]),
        ("", vec!["\"\" is not an absolute address"]),
        ("https://[x", vec!["\"https://[x\" is not an address"]),
        (
            &strange,
            vec!["\\u{1b}[2Jxxx", "is not an absolute address"],
        ),
        (
            "https://id.example/keys?code=s3cret",
            vec!["is at \"https://id.example\", not at \"", &own],
        ),
        (&format!("{https}/keys"), vec![&https, &own]),
        ("file:///etc/passwd", vec!["neither https nor http"]),
        (
            &own.replace("//", "//ds:hunter2@"),
            vec!["has a user name or password in it"],
        ),
        (&long, vec!["is longer than 8000 bytes"]),
    ] {
        world.go.set_jwks_uri(uri);
        let error = ready(&discovering(&world))
            .await
            .expect_err(uri)
            .to_string();
        for told in told {
            assert!(error.contains(told), "{uri:.80}: {error}");
        }
        assert!(error.contains("jwks_uri"), "{error}");
        assert!(error.len() < 500 && !error.contains('\u{1b}'), "{error}");
        for secret in ["s3cret", "hunter2"] {
            assert!(!error.contains(secret), "{error}");
        }
    }
    assert_eq!(world.go.fetches(), 0);
}

#[tokio::test]
async fn a_jwks_uri_that_is_no_string_is_named() {
    let world = World::new().await;
    for value in [json!(1), json!(["https://id.example"]), json!({})] {
        let document = json!({ "issuer": "i", "jwks_uri": value }).to_string();
        let fault = Fault::Raw(answer(200, b"", document));
        world.go.fail_at(Endpoint::Discovery, fault);
        let error = ready(&discovering(&world)).await.expect_err("no address");
        let error = error.to_string();
        assert!(error.contains("jwks_uri is not a string"), "{error}");
    }
}

fn rsa(kid: &str, n: &str) -> Value {
    json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": n, "e": "AQAB"})
}

#[tokio::test]
async fn a_set_without_a_usable_key_names_each_reason() {
    let world = World::new().await;
    let auth = at(&world, &world.go.jwks_url());
    let small = rsa("small\u{1b}", "AQAB");
    let ec = json!({"kty": "EC", "kid": "e", "crv": "P-256"});
    let told = |document: Value, auth: &GoAuth| {
        world.go.set_document(document.to_string());
        let auth = auth.clone();
        async move {
            let error = refresh(&auth).await.expect_err("no usable key").to_string();
            let health = serde_json::to_value(auth.health()).expect("JSON");
            assert_eq!(
                health["issuers"][0]["last_error"], error,
                "health says it too"
            );
            error
        }
    };
    let error = told(json!({"keys": [small, null, ec]}), &auth).await;
    assert_eq!(
        error,
        "the key set has no usable key: \"small\\u{1b}\": modulus not of 2048 to 4096 bits; \
         (no kid): not a readable JWK; \"e\": not an RSA public key"
    );
    let error = told(json!({"keys": []}), &auth).await;
    assert_eq!(error, "the key set has no usable key: it is empty");

    // However many there are, and whatever they are called.
    let many: Vec<_> = (0..50)
        .map(|n| rsa(&format!("{n}{}", "k".repeat(200)), "AQAB"))
        .collect();
    let error = told(json!({"keys": many}), &auth).await;
    assert!(error.ends_with("; and 47 more"), "{error}");
    assert!(error.len() < 500, "{error}");
    let many = vec![Value::Null; 500];
    let error = told(json!({"keys": many}), &auth).await;
    assert!(error.ends_with("; and 97 more at least"), "{error}");
}

#[tokio::test]
async fn a_modulus_in_another_encoding_is_named() {
    let world = World::new().await;
    let auth = at(&world, &world.go.jwks_url());
    let good: Value = serde_json::from_slice(&world.go.document()).expect("JSON");
    let n = good["keys"][0]["n"].as_str().expect("n").to_owned();
    let standard = n.replace('-', "+").replace('_', "/");
    for other in [n.clone() + "==", standard + "+/", n + " "] {
        let document = json!({"keys": [rsa("k", &other)]});
        world.go.set_document(document.to_string());
        let error = refresh(&auth).await.expect_err("strict").to_string();
        assert!(error.contains("not base64url without padding"), "{error}");
    }
}

#[tokio::test]
async fn invalid_or_folded_headers_are_skipped() {
    let world = World::new().await;
    let document = world.go.document();
    for bad in [
        &b"x bad name: x\r\n"[..],
        b"x-folded: a\r\n b\r\n\tc\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        b"x-\xff: x\r\n",
        b"x-control: a\x01b\r\n",
        b"x-space : x\r\n",
        b"x-latin-1: \xe9\r\n",
    ] {
        let fault = Fault::Raw(answer(200, bad, &document));
        world.go.fail_at(Endpoint::Keys, fault);
        let auth = at(&world, &world.go.jwks_url());
        serves(&world, &auth, &String::from_utf8_lossy(bad)).await;
    }
}

#[tokio::test]
async fn a_server_that_says_retry_after_is_obeyed() {
    let world = World::new().await;
    let document = world.go.document();
    let busy = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_busy = Arc::clone(&busy);
    let (origin, heads) = server(move |_| {
        if is_busy.load(std::sync::atomic::Ordering::SeqCst) {
            answer(429, b"retry-after: 30\r\n", "")
        } else {
            answer(200, b"", &document)
        }
    })
    .await;
    let auth = at(&world, &format!("{origin}/keys"));
    ready(&auth).await.expect_err("busy");
    busy.store(false, std::sync::atomic::Ordering::SeqCst);
    let asked = || heads.lock().expect("not poisoned").len();
    // Neither by itself nor for a request, though the cooldown is over.
    for _ in 0..2 {
        world.clock.advance(secs(14));
        settle().await;
        let error = auth.verify(&world.token()).await.expect_err("no keys");
        assert!(error.retry_after().expect("a time") <= secs(45));
        assert_eq!(asked(), 1);
    }
    // 30 s and up to half as long again.
    world.clock.advance(secs(17));
    eventually("asked again", || asked() == 2).await;
    eventually("served", || auth.health().is_ready()).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}
