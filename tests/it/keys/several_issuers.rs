//! Two issuers behind one handle: each token is held to its own issuer's keys, and an outage of one
//! affects no other.

use derbysoft_go_auth::config::IssuerConfig;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::{Fault, Mint, PublishedKey, SigningKey, Simulator};

use test_support::{
    Api, World, agreed, at_once, crowd, eventually, ready, readyz, refresh, secs, settle, soon,
    verdict,
};

const OURS: &str = "ours";

/// GO twice, under one clock: `a` and `b`, which may have a key of the same name.
struct Two {
    a: World,
    b: World,
}

impl Two {
    async fn new() -> Self {
        Self::of(|key, _| key).await
    }

    async fn with_one_kid() -> Self {
        Self::of(|key, _| key.with_kid("1")).await
    }

    async fn of(name: impl Fn(PublishedKey, &str) -> PublishedKey) -> Self {
        let go = |account: &str, audience: &str| {
            let key = name(PublishedKey::new(SigningKey::pooled()), account);
            Simulator::builder()
                .account(account.repeat(32))
                .audience(audience)
                .keys([key])
        };
        let a = World::of(go("A", OURS)).await;
        let b = World::at(a.clock.clone(), go("B", "theirs")).await;
        Self { a, b }
    }

    fn builder(&self) -> GoAuthBuilder {
        let b = &self.b.go;
        let other = IssuerConfig::new(b.issuer(), b.audience(), b.jwks_url());
        self.a.builder().another_issuer(other)
    }

    fn auth(&self) -> GoAuth {
        self.builder().build().expect("a good configuration")
    }

    async fn ready(&self) -> GoAuth {
        let auth = self.auth();
        ready(&auth).await.expect("GO is well, twice");
        auth
    }

    fn fetches(&self) -> (usize, usize) {
        (self.a.go.fetches(), self.b.go.fetches())
    }
}

fn states(auth: &GoAuth) -> Vec<&'static str> {
    let health = auth.health();
    health
        .issuers
        .iter()
        .map(|one| one.state.as_str())
        .collect()
}

#[tokio::test]
async fn each_issuers_token_is_accepted_as_its_own() {
    let two = Two::new().await;
    let auth = two.auth();
    for world in [&two.a, &two.b, &two.a, &two.b] {
        for _ in 0..3 {
            let verified = soon(auth.verify(&world.token())).await.unwrap();
            assert_eq!(verified.issuer(), Some(world.go.issuer()));
            assert_eq!(verified.key_id(), Some(&*world.go.signing_kid()));
        }
    }
    assert_eq!(two.fetches(), (1, 1));
}

/// What one issuer signs in the name of another.
fn in_the_name_of(victim: &World, liar: &World) -> Mint {
    let mint = liar.mint().issuer(victim.go.issuer());
    mint.audience(victim.go.audience())
}

#[tokio::test]
async fn no_issuer_signs_in_the_name_of_another() {
    let two = Two::new().await;
    let auth = two.ready().await;
    for (liar, victim) in [(&two.a, &two.b), (&two.b, &two.a)] {
        let forged = in_the_name_of(victim, liar);
        // Under its own kid, which the victim does not have …
        assert_eq!(verdict(&auth, &forged.clone().token()).await, "key_pending");
        // … and under the victim's.
        let forged = forged.kid(victim.go.signing_kid()).token();
        assert_eq!(verdict(&auth, &forged).await, "signature");
    }
}

#[tokio::test]
async fn a_shared_kid_lets_no_issuer_sign_for_another() {
    let two = Two::with_one_kid().await;
    let auth = two.ready().await;
    for (liar, victim) in [(&two.a, &two.b), (&two.b, &two.a)] {
        for _ in 0..3 {
            assert_eq!(verdict(&auth, &liar.token()).await, "ok");
            let forged = in_the_name_of(victim, liar).token();
            assert_eq!(verdict(&auth, &forged).await, "signature");
        }
    }
}

#[tokio::test]
async fn an_issuers_token_needs_its_own_audience() {
    let two = Two::new().await;
    let auth = two.ready().await;
    for (own, other) in [(&two.a, &two.b), (&two.b, &two.a)] {
        let strayed = own.mint().audience(other.go.audience()).token();
        assert_eq!(verdict(&auth, &strayed).await, "audience");
        let both = [own.go.audience(), other.go.audience()];
        let both = own.mint().audiences(both).token();
        assert_eq!(verdict(&auth, &both).await, "ok");
    }
}

#[tokio::test]
async fn one_issuers_outage_at_start_spares_the_other() {
    let two = Two::new().await;
    two.b.go.fail(Fault::Hang);
    let auth = two.auth();
    let waiting = crowd(&auth, vec![two.b.token(); 20]);
    two.b.fetches(1).await;
    assert_eq!(verdict(&auth, &two.a.token()).await, "ok");
    assert!(at_once(auth.verify(&two.a.token())).is_ready());
    two.a.clock.advance(secs(2));
    assert_eq!(agreed(waiting).await, "keys_unavailable");
    assert_eq!(states(&auth), ["fresh", "empty"]);
    // Not every issuer can be served.
    assert_eq!(readyz(&auth), 503);
}

#[tokio::test]
async fn one_issuers_stale_keys_spare_the_other() {
    let two = Two::new().await;
    let builder = two.builder().configure(|it| it.max_stale = secs(600));
    let auth = builder.build().unwrap();
    ready(&auth).await.unwrap();
    two.a.go.fail(Fault::Status(500));
    two.a.clock.advance(secs(300));
    two.b.fetches(2).await;
    eventually("one is fresh, one stale", || {
        states(&auth) == ["stale", "fresh"]
    })
    .await;
    assert_eq!(readyz(&auth), 200);
    assert_eq!(auth.health().state().as_str(), "stale");
    two.a.clock.advance(secs(300));
    assert_eq!(verdict(&auth, &two.a.token()).await, "keys_unavailable");
    assert_eq!(verdict(&auth, &two.b.token()).await, "ok");
    assert_eq!(verdict(&auth, &two.b.unknown()).await, "unknown_key");
    assert_eq!(states(&auth)[0], "empty");
    let health = serde_json::to_value(auth.health()).unwrap();
    assert_eq!(health["state"], "empty");
    assert_eq!(health["issuers"][0]["issuer"], two.a.go.issuer());
    assert_eq!(health["issuers"][1]["issuer"], two.b.go.issuer());
}

#[tokio::test]
async fn a_flood_of_one_issuer_spares_the_other() {
    let two = Two::new().await;
    let auth = two.ready().await;
    two.a.clock.advance(secs(10));
    for _ in 0..20 {
        assert_eq!(verdict(&auth, &two.a.unknown()).await, "unknown_key");
    }
    assert_eq!(two.fetches(), (2, 1));
    two.b.go.rotate();
    assert_eq!(verdict(&auth, &two.b.token()).await, "ok");
    assert_eq!(two.fetches(), (2, 2));
}

#[tokio::test]
async fn a_withdrawal_drops_only_its_issuers_tokens() {
    let two = Two::with_one_kid().await;
    let auth = two.ready().await;
    let (a, b) = (two.a.token(), two.b.token());
    for _ in 0..4 {
        assert_eq!(verdict(&auth, &a).await, "ok");
        assert_eq!(verdict(&auth, &b).await, "ok");
    }
    // The other issuer still has a key of that name.
    two.a.go.rotate();
    two.a.go.retire_all_but_current();
    refresh(&auth).await.unwrap();
    for _ in 0..3 {
        assert_eq!(verdict(&auth, &a).await, "key_pending");
        assert_eq!(verdict(&auth, &b).await, "ok");
    }
}

#[tokio::test]
async fn an_unknown_issuer_is_rejected_without_a_fetch() {
    let two = Two::new().await;
    let auth = two.auth();
    for stranger in ["https://evil.example", "", "ours"] {
        let token = two.a.mint().issuer(stranger).token();
        assert_eq!(verdict(&auth, &token).await, "issuer");
    }
    let nearly = format!("{}/", two.a.go.issuer());
    let token = two.a.mint().issuer(nearly).token();
    assert_eq!(verdict(&auth, &token).await, "issuer");
    settle().await;
    assert_eq!(two.fetches(), (0, 0));
}

#[tokio::test]
async fn an_error_names_the_issuer_that_failed() {
    let two = Two::new().await;
    two.b.go.fail(Fault::Status(500));
    let auth = two.auth();
    for error in [
        soon(auth.ready()).await.unwrap_err(),
        soon(auth.refresh()).await.unwrap_err(),
    ] {
        assert_eq!(error.issuer, two.b.go.issuer());
    }
    assert_eq!(verdict(&auth, &two.a.token()).await, "ok");
    two.b.go.heal();
    soon(auth.ready()).await.unwrap();
}

#[tokio::test]
async fn a_token_of_another_environment_is_named() {
    let two = Two::new().await;
    let b = &two.b.go;
    let known = IssuerConfig::of_environment(b.issuer(), "certification");
    let mut with_keys = IssuerConfig::new(b.issuer(), b.audience(), b.jwks_url());
    with_keys.environment = Some("certification".to_owned());
    for other in [known, with_keys] {
        let builder = two
            .a
            .builder()
            .configure(|it| it.environment = Some("production".into()));
        let auth = builder.another_issuer(other).build().unwrap();
        let fetches = two.a.go.fetches();
        for _ in 0..3 {
            assert_eq!(verdict(&auth, &two.b.token()).await, "wrong_environment");
        }
        let expired = two.b.mint().expires_in(-900).token();
        assert_eq!(verdict(&auth, &expired).await, "wrong_environment");
        assert_eq!(two.a.go.fetches(), fetches, "a stranger's token asked GO");

        ready(&auth).await.unwrap();
        assert_eq!(verdict(&auth, &two.a.token()).await, "ok");
        assert_eq!(auth.health().issuers.len(), 1);
        two.a.clock.advance(secs(10));
        let answer = Api::behind(auth.layer()).call(&two.b.token()).await;
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.kind(), Some("wrong_environment"));
        // Its keys do not sign in the served one's name.
        let forged = two
            .b
            .mint()
            .issuer(two.a.go.issuer())
            .audience(OURS)
            .token();
        assert_eq!(verdict(&auth, &forged).await, "key_pending");
    }
    settle().await;
    assert_eq!(two.b.go.total_requests(), 0);
}

#[tokio::test]
async fn an_issuer_of_the_served_environment_is_trusted() {
    let two = Two::new().await;
    let b = &two.b.go;
    let mut other = IssuerConfig::new(b.issuer(), b.audience(), b.jwks_url());
    other.environment = Some("production".to_owned());
    let builder = two
        .a
        .builder()
        .configure(|it| it.environment = Some("production".into()));
    let auth = builder.another_issuer(other).build().unwrap();
    assert_eq!(verdict(&auth, &two.b.token()).await, "ok");
    assert_eq!(verdict(&auth, &two.a.token()).await, "ok");
    assert_eq!(auth.health().issuers.len(), 2);
}

/// The environments by their issuers, of JWTs that come three times: verified, stored, and from
/// the token cache.
async fn environments(auth: &GoAuth, two: &Two) -> Vec<Option<String>> {
    let mut found = Vec::new();
    for token in [two.a.token(), two.b.token()] {
        let mut each = Vec::new();
        for _ in 0..3 {
            let verified = soon(auth.verify(&token)).await.expect("genuine");
            each.push(verified.environment().map(str::to_owned));
        }
        each.dedup();
        found.extend(each);
    }
    found
}

#[tokio::test]
async fn a_caller_shows_the_environment_of_its_issuer() {
    let two = Two::new().await;
    let named = |top: Option<&str>, other: Option<&str>| {
        let b = &two.b.go;
        let mut issuer = IssuerConfig::new(b.issuer(), b.audience(), b.jwks_url());
        issuer.environment = other.map(str::to_owned);
        let top = top.map(str::to_owned);
        let builder = two.a.builder().configure(|it| it.environment = top);
        builder.another_issuer(issuer)
    };
    let some = |name: &str| Some(name.to_owned());
    let auth = named(None, Some("certification")).build().unwrap();
    assert_eq!(
        environments(&auth, &two).await,
        [None, some("certification")]
    );
    // A successor has the keys of the one before, and names of its own.
    let successor = named(Some("live"), Some("live")).successor_of(&auth);
    let successor = successor.build().unwrap();
    assert_eq!(
        environments(&successor, &two).await,
        [some("live"), some("live")]
    );
    assert_eq!(
        environments(&auth, &two).await,
        [None, some("certification")]
    );
    let without = named(None, None).build().unwrap();
    assert_eq!(environments(&without, &two).await, [None, None]);
}
