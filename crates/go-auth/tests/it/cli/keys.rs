//! `go-auth keys` at a key address that works, and at ones that don't.

use derbysoft_go_simulator::{Endpoint, Fault, Simulator};
use serde_json::{Value, json};

use super::{GoAuth, file, go_auth, path};
use test_support::World;
use test_support::raw_server::{answer, server};

/// Asks this address alone; nothing else is configured.
fn keys_at(address: &str) -> GoAuth {
    go_auth(&["keys", "--jwks-url", address]).var("COLUMNS", "160")
}

#[tokio::test]
async fn usable_keys_are_listed_with_status_0() {
    let world = World::new().await;
    let ran = go_auth(&["keys"])
        .knowing(&world)
        .var("COLUMNS", "160")
        .run()
        .await;
    assert_eq!((ran.status, &*ran.stderr), (0, ""));
    let address = world.go.jwks_url();
    let first = ran.stdout.lines().next().expect("a line");
    assert_eq!(first, format!("ok 2 usable keys at {address}"));
    for key in world.go.published_keys() {
        let kid = key.kid().expect("a name");
        let row = format!("ok  \"{kid}\"  RSA  2048  RS256  sig\n");
        ran.shows(&row);
    }
    for shown in [
        "status 200, application/json",
        "ETag:",
        "keys are fresh for 5 minutes",
    ] {
        ran.shows(shown);
    }
    assert_eq!(world.go.total_requests(), 1);
}

#[tokio::test]
async fn an_address_alone_is_enough_for_keys() {
    let world = World::new().await;
    assert_eq!(keys_at(&world.go.jwks_url()).run().await.status, 0);
    // Nor does it matter what is.
    let ran = keys_at(&world.go.jwks_url())
        .var("GO_AUTH_JWKS_URL", "http://127.0.0.1:1/")
        .var("GO_AUTH_ISSUER", "somebody");
    let ran = ran.run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    assert!(!ran.stdout.contains("somebody"), "{}", ran.stdout);
}

#[tokio::test]
async fn each_unusable_key_is_shown_with_its_reason() {
    let world = World::new().await;
    let good = world.go.signing_kid();
    for bad in [
        json!(null),
        json!({"kty": "EC", "kid": "e\u{1b}c", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB", "use": "enc"}),
        json!({"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB", "alg": "RS256"}),
    ] {
        world.go.publish_raw(bad);
    }
    let ran = keys_at(&world.go.jwks_url()).run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    for shown in [
        "\nFAIL  -  ",
        "not usable: not a readable JWK",
        "FAIL  \"e\\u{1b}c\"",
        "not usable: not an RSA public key",
        "not usable: not for checking signatures",
        "not usable: modulus not of 2048 to 4096 bits",
    ] {
        ran.shows(shown);
    }
    let said = keys_at(&world.go.jwks_url())
        .arg("--json")
        .run()
        .await
        .json();
    let keys = said["addresses"][0]["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 6);
    let of_good = keys.iter().find(|key| key["kid"] == good).expect("it");
    assert_eq!(
        of_good,
        &json!({"kid": good, "kty": "RSA", "alg": "RS256", "use": "sig", "bits": 2048,
                "usable": true, "why": null})
    );
    assert_eq!(
        keys[4],
        json!({"kid": "small", "kty": "RSA", "alg": null, "use": "enc", "bits": 17,
               "usable": false, "why": "not for checking signatures"})
    );
}

#[tokio::test]
async fn of_two_keys_with_one_kid_neither_is_usable() {
    let go = Simulator::start().await.expect("a free port");
    let twin = |key: &derbysoft_go_simulator::PublishedKey| key.clone().with_kid("twin");
    go.set_keys(go.published_keys().iter().map(twin));
    let ran = keys_at(&go.jwks_url()).run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    let said = "not usable: another key has the same kid";
    assert_eq!(ran.stdout.matches(said).count(), 2, "{}", ran.stdout);
    ran.shows("next: ");
}

#[tokio::test]
async fn the_refresh_interval_follows_caching_headers() {
    let world = World::new().await;
    for (cache_control, interval, expected) in [
        (None, "5m", [300, 210, 270]),
        (Some("max-age=60"), "5m", [60, 42, 54]),
        (Some("public, max-age=0"), "5m", [30, 21, 27]),
        (Some("max-age=86400"), "10m", [600, 420, 540]),
    ] {
        world.go.set_cache_control(cache_control);
        let command = || {
            keys_at(&world.go.jwks_url())
                .arg("--refresh-interval")
                .arg(interval)
        };
        let said = command().arg("--json").run().await.json();
        let refresh = &said["addresses"][0]["refresh"];
        let seconds = ["fresh_seconds", "earliest_seconds", "latest_seconds"];
        assert_eq!(
            seconds.map(|name| refresh[name].as_u64()),
            expected.map(Some)
        );
        let answer = &said["addresses"][0]["answers"][0];
        assert_eq!(
            answer["cache_control"],
            cache_control.map_or(Value::Null, Value::from)
        );
        let text = command().run().await.stdout;
        if let Some(cache_control) = cache_control {
            assert!(
                text.contains(&format!("Cache-Control: {cache_control}")),
                "{text}"
            );
            assert!(text.contains("max-age"), "{text}");
        }
    }
}

#[tokio::test]
async fn whether_discovery_was_followed_is_shown() {
    let world = World::new().await;
    let ran = keys_at(&world.go.discovery_url()).run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    let shown = format!("a discovery document, followed to {}", world.go.jwks_url());
    ran.shows(&shown);

    let foreign = Simulator::start().await.expect("a free port");
    world
        .go
        .set_jwks_uri(format!("{}?code=secret", foreign.jwks_url()));
    let ran = keys_at(&world.go.discovery_url()).run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    let shown = format!("that names {}?..., not followed", foreign.jwks_url());
    ran.shows(&shown);
    assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
    let said = keys_at(&world.go.discovery_url())
        .arg("--json")
        .run()
        .await
        .json();
    assert_eq!(said["addresses"][0]["discovery"]["followed"], false);
    assert_eq!(foreign.total_requests(), 0);

    // Behind one that is followed, something may be wrong as well.
    world.go.set_jwks_uri(world.go.jwks_url());
    world.go.fail_at(Endpoint::Keys, Fault::Status(500));
    let ran = keys_at(&world.go.discovery_url()).run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    ran.shows("status 200,");
    ran.shows("status 500,");
}

#[tokio::test]
async fn a_redirect_is_shown_without_secrets_nor_followed() {
    let world = World::new().await;
    let elsewhere = Simulator::start().await.expect("a free port");
    let location = format!(
        "{}?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz",
        elsewhere.jwks_url()
    );
    world.go.fail(Fault::Redirect {
        location,
        status: 302,
    });
    let ran = keys_at(&world.go.jwks_url()).run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    let shown = format!("redirect:  to {}?..., not followed", elsewhere.jwks_url());
    ran.shows(&shown);
    ran.shows("status 302");
    assert!(!ran.stdout.contains("Splxl"), "{}", ran.stdout);
    assert_eq!(elsewhere.total_requests(), 0);

    world.go.fail(Fault::RedirectNotFound);
    let ran = keys_at(&world.go.jwks_url()).run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    ran.shows("status 404");
    assert!(
        ran.stdout
            .contains("to https://client.example.com/cb?..., not followed"),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn each_fault_of_an_address_is_explained() {
    let world = World::new().await;
    for (fault, status, shown) in [
        (
            Fault::Status(404),
            1,
            "the key address answered with status 404",
        ),
        (
            Fault::Status(304),
            1,
            "answered 304 though no document is held",
        ),
        (
            Fault::GzipBomb,
            1,
            "the document is larger than 262144 bytes",
        ),
        (
            Fault::Oversized(300_000),
            1,
            "the document is larger than 262144 bytes",
        ),
        (Fault::EmptySet, 1, "the key set has no usable key"),
        (Fault::Html, 1, "the document is not a JSON Web Key Set"),
        (Fault::NotJson, 1, "the document is not a JSON Web Key Set"),
        (Fault::Truncated, 1, "the document could not be read"),
        (Fault::Hang, 2, "the key address did not answer in time"),
        (Fault::HangBody, 2, "the key address did not answer in time"),
        (Fault::Cut, 2, "the key address could not be reached"),
        (
            Fault::Raw(b"SSH-2.0-x\r\n\r\n".to_vec()),
            2,
            "the answer is not valid HTTP",
        ),
    ] {
        world.go.fail(fault.clone());
        let command = || keys_at(&world.go.jwks_url()).arg("--fetch-timeout=500ms");
        let ran = command().run().await;
        assert_eq!(
            (ran.status, &*ran.stderr),
            (status, ""),
            "{fault:?}: {}",
            ran.stdout
        );
        let first = ran.stdout.lines().next().expect("a line");
        assert!(first.contains(shown), "{fault:?}: {first}");
        ran.shows("\nnext: ");
        let said = command().arg("--json").run().await.json();
        let verdict = if status == 1 { "unusable" } else { "unknown" };
        assert_eq!(said["verdict"], verdict, "{said}");
        assert!(
            said["addresses"][0]["error"].to_string().contains(shown),
            "{said}"
        );
        assert_eq!(said["addresses"][0]["keys"], json!([]));
    }
}

#[tokio::test]
async fn caches_are_asked_not_to_answer() {
    let document = World::new().await.go.document();
    let (origin, heads) = server(move |_| answer(200, b"", &document)).await;
    assert_eq!(keys_at(&origin).run().await.status, 0);
    let heads = heads.lock().expect("not poisoned");
    assert!(
        heads[0].contains("cache-control: no-cache\r\n"),
        "{heads:?}"
    );
}

#[tokio::test]
async fn a_closed_port_gives_status_2() {
    let ran = keys_at("http://127.0.0.1:1/keys").run().await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    assert!(
        ran.stdout
            .contains("connection refused: nothing listens there"),
        "{}",
        ran.stdout
    );
}

/// Who can't be trusted with an address is not asked.
#[tokio::test]
async fn addresses_the_gate_would_not_ask_are_faults() {
    for (address, shown) in [
        (
            "http://id.example/keys",
            "- --jwks-url is plain http to another machine",
        ),
        ("id.example", "- --jwks-url is not an address"),
        (
            "https://user:pass@id.example/",
            "- --jwks-url has a user name or password in it",
        ),
    ] {
        let ran = keys_at(address).run().await;
        assert_eq!((ran.status, &*ran.stdout), (64, ""), "{address}");
        ran.reports(shown);
        assert!(!ran.stderr.contains("pass@"), "{}", ran.stderr);
    }
    let ran = go_auth(&["keys"]).run().await;
    assert_eq!(ran.status, 64);
    ran.reports("- GO_AUTH_JWKS_URL is required");
}

#[tokio::test]
async fn a_file_of_keys_is_shown_like_an_address() {
    let world = World::new().await;
    let keys = file(String::from_utf8(world.go.document()).expect("JSON"));
    let named = path(&keys);
    let keys_of = |args: &[&str], file: &str| {
        go_auth(&[&["keys"], args].concat()).var("GO_AUTH_JWKS_FILE", file)
    };
    let ran = keys_of(&["--json"], named).run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    let said = &ran.json()["addresses"][0];
    assert_eq!(
        (&said["address"], &said["verdict"]),
        (&named.into(), &"usable".into())
    );
    assert_eq!(
        said["keys"][0]["kid"],
        world.go.published_keys()[0].kid().expect("a kid")
    );
    assert_eq!(said["refresh"]["latest_seconds"], 9);

    let ran = keys_of(&[], "/nowhere/keys.json").run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    ran.shows("no usable keys at /nowhere/keys.json: the key file");
    ran.shows("next: Correct the file");
    assert_eq!(world.go.total_requests(), 0);
    // The flag counts, whatever else is set.
    let address = world.go.jwks_url();
    let ran = keys_of(&["--jwks-url", &address], "/nowhere").run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
}

#[tokio::test]
async fn of_several_issuers_the_worst_counts() {
    let (a, b) = (World::new().await, World::new().await);
    let settings = file(format!(
        "environment = \"production\"\nissuer = \"a\"\naudience = [\"ZKT\"]\njwks_url = \"{}\"\n\
         [[issuers]]\nenvironment = \"production\"\nissuer = \"b\"\naudience = [\"ZKT\"]\njwks_url = \"{}\"\n\
         [[issuers]]\nissuer = \"c\"\nenvironment = \"certification\"\n",
        a.go.jwks_url(),
        b.go.jwks_url()
    ));
    let command = || go_auth(&["keys", "--json", "--config", path(&settings)]);
    let ran = command().run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    let said = ran.json();
    let addresses = said["addresses"].as_array().expect("addresses");
    let issuers: Vec<_> = addresses.iter().map(|one| one["issuer"].clone()).collect();
    assert_eq!(issuers, ["a", "b"]);
    b.go.fail(Fault::EmptySet);
    assert_eq!(command().run().await.status, 1);
    a.go.fail(Fault::Cut);
    let ran = command().run().await;
    assert_eq!((ran.status, &ran.json()["verdict"]), (2, &"unknown".into()));
}

#[tokio::test]
async fn the_advice_depends_on_the_http_status() {
    let world = World::new().await;
    for (status, shown) in [
        (404, "Compare GO_AUTH_JWKS_URL with"),
        (406, "any form of the document"),
        (429, "asked too often"),
        (500, "has failed"),
        (503, "has failed"),
    ] {
        world.go.fail(Fault::Status(status));
        let ran = keys_at(&world.go.jwks_url()).run().await;
        let next = ran.stdout.split("\nnext: ").nth(1).expect("advice");
        let next = next.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(next.contains(shown), "{status}: {next}");
        assert_eq!(next.contains("Compare"), status == 404, "{next}");
    }
}
