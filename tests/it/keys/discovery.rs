//! A discovery document leads to the keys, and only to those of its own origin.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Endpoint, Fault, Simulator};

use test_support::{World, eventually, millis, ready, readying, refresh, secs, soon, verdict};

/// Configured with the discovery document's address.
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
async fn a_discovery_that_turns_foreign_loses_no_keys() {
    let world = World::new().await;
    let foreign = Simulator::start().await.unwrap();
    let auth = discovering(&world);
    ready(&auth).await.unwrap();
    world.go.set_jwks_uri(foreign.jwks_url());
    refresh(&auth).await.expect_err("a foreign set");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    let theirs = foreign.mint().at(world.time()).token();
    assert_ne!(verdict(&auth, &theirs).await, "ok");
    assert_eq!(foreign.total_requests(), 0);
}

#[tokio::test]
async fn neither_of_the_two_documents_may_redirect() {
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
        world.go.fail_at(endpoint, Fault::Delay(millis(800)));
    }
    let auth = world
        .builder()
        .jwks_url(world.go.discovery_url())
        .configure(|it| it.fetch_timeout = millis(1400))
        .build()
        .unwrap();
    let waiting = readying(&auth);
    eventually("the first is asked for", || world.go.total_requests() == 1).await;
    world.clock.advance(millis(800));
    world.fetches(1).await;
    world.clock.advance(millis(600));
    assert_eq!(soon(waiting).await.unwrap(), Err(FetchError::Timeout));
    assert_eq!(paths(&world.go), ["discovery", "keys"]);
}
