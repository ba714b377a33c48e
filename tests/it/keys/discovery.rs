//! Which documents count as GO's keys, where they may come from, and who asks for them.

use derbysoft_go_auth::{FetchError, GoAuth};
use derbysoft_go_simulator::{Endpoint, Fault, PublishedKey, SigningKey, Simulator};
use serde_json::json;

use test_support::{World, keys, millis, ready, refresh, secs, verdict};

/// Pointed at the discovery document.
fn discovering(world: &World) -> GoAuth {
    let builder = world.builder().jwks_url(world.go.discovery_url());
    builder.build().expect("a good configuration")
}

fn paths(go: &Simulator) -> Vec<&'static str> {
    let seen = go.requests();
    seen.iter()
        .map(|request| match request.path.rsplit('/').next() {
            Some("keys") => "keys",
            Some("openid-configuration") => "discovery",
            _ => "other",
        })
        .collect()
}

#[tokio::test]
async fn a_discovery_document_leads_to_the_keys() {
    let world = World::new().await;
    let auth = discovering(&world);
    ready(&auth).await.unwrap();
    assert_eq!(paths(&world.go), ["discovery", "keys"]);
    assert_eq!(verdict(&auth, &world.token()).await, "ok");

    world.go.rotate();
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    // An unchanged set is recognised through it, too.
    let before = world.go.fetches();
    world.advance_to_fetch(secs(270), before + 1).await;
    let last = world.go.requests().pop().unwrap();
    assert_eq!(last.status, Some(304));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_discovery_document_leads_to_its_own_origin_only() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let auth = discovering(&world);
    let own = world.go.address();
    for uri in [
        foreign.jwks_url(),
        world.go.jwks_url().replace("127.0.0.1", "localhost"),
        world.go.jwks_url().replace("http:", "https:"),
        format!("http://{own}@{}/keys", foreign.address()),
        format!("//{}/keys", foreign.address()),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        world.go.set_jwks_uri(&*uri);
        let error = refresh(&auth).await.expect_err("not followed");
        assert!(
            matches!(error, FetchError::ForeignKeySet(_)),
            "{uri}: {error}"
        );
    }
    assert_eq!(foreign.total_requests(), 0);
    assert_eq!(world.go.fetches(), 0);
}

#[tokio::test]
async fn a_discovery_document_is_followed_once() {
    let world = World::new().await;
    let auth = discovering(&world);
    world.go.set_jwks_uri(world.go.discovery_url());
    ready(&auth).await.expect_err("a ring");
    assert_eq!(world.go.total_requests(), 2);
    assert_eq!(world.go.fetches(), 0);
}

#[tokio::test]
async fn a_discovery_document_that_turns_foreign_costs_no_keys() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let auth = discovering(&world);
    ready(&auth).await.unwrap();
    world.go.set_jwks_uri(foreign.jwks_url());
    refresh(&auth).await.expect_err("a foreign set");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    let theirs = foreign.mint().at(world.now()).token();
    assert_ne!(verdict(&auth, &theirs).await, "ok");
    assert_eq!(foreign.total_requests(), 0);
}

#[tokio::test]
async fn the_keys_behind_a_discovery_document_may_not_redirect_either() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let location = foreign.jwks_url();
    for endpoint in [Endpoint::Keys, Endpoint::Discovery] {
        world.go.heal();
        let location = location.clone();
        world.go.fail_at(
            endpoint,
            Fault::Redirect {
                location,
                status: 302,
            },
        );
        let auth = discovering(&world);
        assert_eq!(ready(&auth).await, Err(FetchError::Redirect(302)));
    }
    assert_eq!(foreign.total_requests(), 0);
}

#[tokio::test]
async fn both_documents_share_one_time_limit() {
    let world = World::new().await;
    // Each in time, but not both.
    for endpoint in [Endpoint::Discovery, Endpoint::Keys] {
        world.go.fail_at(endpoint, Fault::Delay(millis(200)));
    }
    let auth = world
        .builder()
        .jwks_url(world.go.discovery_url())
        .fetch_timeout(millis(350))
        .build()
        .unwrap();
    assert_eq!(ready(&auth).await, Err(FetchError::Timeout));
    assert_eq!(paths(&world.go), ["discovery", "keys"]);
}

#[tokio::test]
async fn one_bad_key_among_good_ones_harms_none() {
    let world = World::new().await;
    let good = world.go.signing_kid();
    for bad in [
        json!(null),
        json!("a key"),
        json!({}),
        json!({ "kty": "EC", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA" }),
        json!({ "kty": "oct", "kid": good, "k": "AAAA" }),
        json!({ "kty": "RSA", "kid": "b64", "n": "***", "e": "AQAB" }),
        json!({ "kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "RSA", "kid": 1, "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "XYZ", "kid": "unheard of", "future": [1, { "deep": null }] }),
    ] {
        world.go.publish_raw(bad);
    }
    let auth = world.ready().await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(keys(&auth), 2);
    world.go.rotate();
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn gos_second_sample_key_without_use_is_good() {
    let key = PublishedKey::new(SigningKey::pooled())
        .with_kid("1")
        .without("use");
    let go = Simulator::builder().keys([key]).start().await.unwrap();
    let world = World::of(go);
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
async fn an_own_client_fetches() {
    let world = World::new().await;
    let client = reqwest::Client::builder()
        .user_agent("own/1")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let auth = world.ready_with(|builder| builder.client(client)).await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    let agent = world.go.requests().pop().unwrap().user_agent;
    assert_eq!(agent.as_deref(), Some("own/1"));
}

#[tokio::test]
async fn an_own_client_that_follows_redirects_brings_no_foreign_keys() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let auth = world
        .builder()
        .client(reqwest::Client::new())
        .build()
        .unwrap();
    let location = foreign.jwks_url();
    world.go.fail(Fault::Redirect {
        location,
        status: 302,
    });
    let error = ready(&auth).await.expect_err("a redirect");
    assert!(matches!(error, FetchError::Redirect(_)), "{error:?}");
    let theirs = foreign.mint().at(world.now()).token();
    assert_ne!(verdict(&auth, &theirs).await, "ok");
    assert_eq!(keys(&auth), 0);
}

#[tokio::test]
async fn the_limits_hold_for_an_own_client_too() {
    let world = World::new().await;
    let auth = world
        .builder()
        .client(reqwest::Client::new())
        .fetch_timeout(millis(1500))
        .build()
        .unwrap();
    world.go.fail(Fault::GzipBomb);
    let too_large = Err(FetchError::TooLarge(256 * 1024));
    assert_eq!(refresh(&auth).await, too_large);
    world.go.fail(Fault::Endless);
    assert_eq!(refresh(&auth).await, too_large);
    world.go.fail(Fault::HangBody);
    assert_eq!(refresh(&auth).await, Err(FetchError::Timeout));
}

#[tokio::test]
async fn who_asks_says_who_it_is_and_what_it_takes() {
    let world = World::new().await;
    world.ready().await;
    let request = world.go.requests().pop().unwrap();
    let agent = request.user_agent.expect("a user agent");
    assert!(agent.starts_with("derbysoft-go-auth/"), "{agent}");
    assert!(request.accept_encoding.expect("codings").contains("gzip"));
    assert_eq!(request.method, http::Method::GET);
}
