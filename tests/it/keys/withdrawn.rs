//! Withdrawn means withdrawn: by the operator, though GO still publishes the key; and across a
//! change of settings, though the snapshot on disk is older than what is known.

use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::Fault;

use test_support::{Keys, World, eventually, keys, ready, refresh, secs, settle, state, verdict};

#[tokio::test]
async fn a_distrusted_key_verifies_nothing() {
    let world = World::new().await;
    let outgoing = world.go.signing_kid();
    let leaked = world.mint();
    world.go.rotate();
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.distrusted_keys.push(outgoing)))
        .await;
    assert_eq!(keys(&auth), 2);
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    // It causes no fetch.
    world.clock.advance(secs(10));
    for _ in 0..3 {
        let token = leaked.clone().at(world.time()).token();
        assert_eq!(verdict(&auth, &token).await, "unknown_key");
    }
    assert_eq!(world.go.fetches(), 1);
    refresh(&auth).await.expect("GO is well");
    let token = leaked.clone().at(world.time()).token();
    assert_eq!(verdict(&auth, &token).await, "unknown_key");
}

#[tokio::test]
async fn distrust_applies_at_once_to_cached_tokens() {
    let world = World::new().await;
    let auth = world.ready().await;
    let kid = world.go.signing_kid();
    let token = world.token();
    for _ in 0..300 {
        assert_eq!(verdict(&auth, &token).await, "ok");
    }
    auth.distrust_keys([kid]);
    assert_eq!(verdict(&auth, &token).await, "unknown_key");
    // A mistake can be undone.
    auth.distrust_keys([""; 0]);
    assert_eq!(verdict(&auth, &token).await, "ok");
}

#[tokio::test]
async fn distrust_applies_to_keys_given_in_code() {
    let given = Keys::new();
    let kid = given.kid();
    let auth = given.builder().build().expect("a good configuration");
    assert_eq!(verdict(&auth, &given.token()).await, "ok");
    auth.distrust_keys([kid.clone()]);
    assert_eq!(verdict(&auth, &given.token()).await, "unknown_key");
    assert!(!auth.health().is_ready());
    let builder = given.builder().configure(|it| it.distrusted_keys.push(kid));
    let auth = builder.build().expect("a good configuration");
    assert_eq!(verdict(&auth, &given.token()).await, "unknown_key");
}

#[tokio::test]
async fn without_a_trusted_key_nothing_is_ready() {
    let world = World::new().await;
    let auth = world.ready().await;
    let kids: Vec<_> = (world.go.published_keys().iter())
        .filter_map(|key| key.kid().map(str::to_owned))
        .collect();
    auth.distrust_keys(kids.clone());
    assert_eq!((state(&auth).as_str(), keys(&auth)), ("empty", 0));
    assert!(!auth.health().is_ready());
    let why = state(&auth).last_error().expect("a reason").to_string();
    assert!(why.contains("distrusted"), "{why}");
    ready(&auth).await.expect_err("no key that is trusted");
    // A new key of GO's is fetched and verifies.
    world.go.rotate();
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(state(&auth).as_str(), "fresh");
}

/// A service whose snapshot could not be written since `a` was published.
struct Service {
    world: World,
    directory: tempfile::TempDir,
    auth: GoAuth,
    a: String,
    b: String,
}

impl Service {
    fn settings(world: &World, directory: &tempfile::TempDir) -> GoAuthBuilder {
        (world.builder()).snapshot(directory.path().join("keys.json"))
    }

    async fn with_an_old_snapshot() -> Self {
        let world = World::new().await;
        let directory = tempfile::tempdir().expect("a directory");
        let a = world.mint().expires_in(80_000).token();
        let auth = Self::settings(&world, &directory).build().expect("good");
        ready(&auth).await.expect("GO is well");
        let file = directory.path().join("keys.json");
        eventually("the snapshot is written", || file.exists()).await;
        let read = || std::fs::read(&file).expect("the snapshot");
        let old = read();

        world.go.rotate();
        world.go.retire_all_but_current();
        world.clock.advance(secs(100));
        refresh(&auth).await.expect("GO is well");
        eventually("the next one is written", || read() != old).await;
        // As if the disk had been full.
        std::fs::write(&file, old).expect("written");
        let b = world.mint().expires_in(80_000).token();
        assert_eq!(verdict(&auth, &b).await, "ok");
        Self {
            world,
            directory,
            auth,
            a,
            b,
        }
    }

    fn successor(&self, auth: &GoAuth) -> GoAuth {
        let builder = Self::settings(&self.world, &self.directory).successor_of(auth);
        builder.build().expect("good")
    }
}

#[tokio::test]
async fn a_successor_takes_nothing_older_from_the_snapshot() {
    let service = Service::with_an_old_snapshot().await;
    service.world.go.fail(Fault::Cut);
    let successor = service.successor(&service.auth);
    drop(service.auth.clone());
    ready(&successor).await.expect("keys are available");
    settle().await;
    assert_eq!(verdict(&successor, &service.b).await, "ok");
    assert_ne!(verdict(&successor, &service.a).await, "ok");
    // Without a predecessor that is what the file would bring back.
    let stranger = Service::settings(&service.world, &service.directory);
    let stranger = stranger.build().expect("good");
    let _ = ready(&stranger).await;
    assert_eq!(verdict(&stranger, &service.a).await, "ok");
}

#[tokio::test]
async fn a_successor_inherits_age_and_staleness() {
    let service = Service::with_an_old_snapshot().await;
    service.world.go.fail(Fault::Cut);
    service.world.clock.advance(secs(86_400 - 1));
    let successor = service.successor(&service.auth);
    let long = service.world.mint().expires_in(80_000).token();
    assert_eq!(verdict(&successor, &long).await, "ok");
    service.world.clock.advance(secs(1));
    assert_eq!(verdict(&successor, &long).await, "keys_unavailable");
    eventually("expired", || state(&successor).as_str() == "empty").await;
}

#[tokio::test]
async fn a_successor_fetches_anew_and_keeps_the_cooldown() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.rotate();
    let successor = world.builder().successor_of(&auth).build().expect("good");
    // What requests cause waits, and its own refresh is due at once.
    assert_eq!(verdict(&successor, &world.token()).await, "key_pending");
    world.fetches(2).await;
    eventually("published", || keys(&successor) == 3).await;
    assert_eq!(verdict(&successor, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_successor_takes_no_other_issuers_keys() {
    let world = World::new().await;
    let auth = world.ready().await;
    let elsewhere = world.builder().jwks_url("http://127.0.0.1:9/keys");
    let renamed = world.builder().issuer("https://id/other");
    for builder in [elsewhere, renamed] {
        let successor = builder.successor_of(&auth).build().expect("good");
        assert_eq!(keys(&successor), 0);
    }
    let document = world.go.document();
    let given = GoAuth::builder()
        .issuer(world.go.issuer())
        .audience(world.go.audience())
        .keys(KeySet::from_document(&document).expect("keys"))
        .successor_of(&auth);
    assert_eq!(keys(&given.build().expect("good")), 2);
}

#[tokio::test]
async fn a_successor_inherits_distrust() {
    let world = World::new().await;
    let auth = world.ready().await;
    let (kid, token) = (world.go.signing_kid(), world.token());
    auth.distrust_keys([kid]);
    let builder = world.builder().successor_of(&auth);
    let successor = builder
        .configure(|it| it.distrusted_keys.push("another".into()))
        .build()
        .expect("good");
    assert_eq!(verdict(&successor, &token).await, "unknown_key");
    let last = world.builder().successor_of(&successor).build();
    let last = last.expect("good");
    assert_eq!(verdict(&last, &token).await, "unknown_key");
}
