//! One distributor's day over real TCP, for every kind of server.
//!
//! A server is a function that serves a listener with the layer in front of a handler; the
//! [`scenario!`] macro makes the tests of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use derbysoft_go_auth::{GoAuth, GoAuthLayer};
use derbysoft_go_simulator::Fault;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::net::TcpListener;

use test_support::distributor::header;
use test_support::{Background, World, refused_tokens, secs, soon, status_of, strict};

/// How often the handler ran.
pub(crate) type Calls = Arc<AtomicUsize>;

/// Serves the listener: `POST /ari/daily/push` behind the layer counts its call and answers with
/// the caller's subject, a space and the request's body.
pub(crate) type Serve = fn(TcpListener, GoAuthLayer, Calls) -> Background;

/// GO, the distributor's API, and a caller.
struct Stage {
    world: World,
    auth: GoAuth,
    client: reqwest::Client,
    address: SocketAddr,
    calls: Calls,
    _server: Background,
}

struct Reply {
    status: u16,
    challenge: Option<String>,
    retry_after: Option<String>,
    body: String,
}

impl Stage {
    async fn set(serve: Serve) -> Self {
        let world = World::new().await;
        let auth = strict(world.builder())
            .build()
            .expect("a good configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (layer, calls) = (auth.layer(), Calls::default());
        Self {
            world,
            auth,
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            address,
            _server: serve(listener, layer, Arc::clone(&calls)),
            calls,
        }
    }

    async fn push(&self, authorization: &[&[u8]]) -> Reply {
        let url = format!("http://{}/ari/daily/push", self.address);
        let mut request = self.client.post(url).body("rates");
        for line in authorization {
            let value = HeaderValue::from_bytes(line).expect("a header value");
            request = request.header(AUTHORIZATION, value);
        }
        let response = soon(request.send()).await.expect("an answer");
        let header = |name| header(&response, name);
        Reply {
            status: response.status().as_u16(),
            challenge: header("www-authenticate"),
            retry_after: header("retry-after"),
            body: response.text().await.expect("a whole body"),
        }
    }

    async fn status(&self, token: &str) -> u16 {
        self.push(&[token.as_bytes()]).await.status
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

pub(crate) async fn good_tokens_reach_the_handler(serve: Serve) {
    let stage = Stage::set(serve).await;
    let token = stage.world.token();
    for authorization in [format!("Bearer {token}"), token] {
        let reply = stage.push(&[authorization.as_bytes()]).await;
        assert_eq!((reply.status, &*reply.body), (200, "ds-go-module rates"));
        assert_eq!(reply.challenge, None);
    }
    assert_eq!(stage.calls(), 2);
    assert_eq!(stage.world.go.fetches(), 1);
}

pub(crate) async fn bad_tokens_are_rejected(serve: Serve) {
    let stage = Stage::set(serve).await;
    stage.auth.ready().await.expect("GO is well");
    for (kind, token) in refused_tokens(&stage.world.mint()) {
        for authorization in [format!("Bearer {token}"), token] {
            let reply = stage.push(&[authorization.as_bytes()]).await;
            assert_eq!(reply.status, status_of(kind), "{kind}");
            let error = match kind {
                "subject" => r#"error="insufficient_scope""#,
                _ => r#"error="invalid_token""#,
            };
            let challenge = reply.challenge.expect("a challenge");
            assert!(challenge.contains(error), "{kind}: {challenge}");
            assert!(reply.body.starts_with(r#"{"message":"#), "{}", reply.body);
        }
    }
    let unusable: [&[&[u8]]; 5] = [
        &[b"Bearer a", b"Bearer b"],
        &[b"Bearer a, Bearer b"],
        &[b"Bearer"],
        &[b"Bearer \xe9"],
        &[b"Bearer\ta"],
    ];
    for authorization in unusable {
        assert_eq!(stage.push(authorization).await.status, 400);
    }
    let reply = stage.push(&[]).await;
    assert_eq!(reply.status, 401);
    let challenge = reply.challenge.expect("a challenge");
    assert!(!challenge.contains("error"), "{challenge}");
    assert_eq!(stage.push(&[b"Basic dXNlcg=="]).await.status, 401);
    assert_eq!(stage.calls(), 0);
}

pub(crate) async fn a_rotation_goes_unnoticed(serve: Serve) {
    let stage = Stage::set(serve).await;
    let world = &stage.world;
    let before = world.mint();
    assert_eq!(stage.status(&before.token()).await, 200);

    // A careful rotation: both keys are published for a while.
    world.clock.advance(secs(10));
    world.go.rotate();
    assert_eq!(stage.status(&world.token()).await, 200);
    assert_eq!(stage.status(&before.token()).await, 200);
    assert_eq!(world.go.fetches(), 2);

    // The old key is withdrawn: rejected from the next fetch on.
    world.go.retire_all_but_current();
    stage.auth.refresh().await.expect("GO is well");
    let long_ago = before.clone().claim("iat", 1_600_000_000);
    assert_eq!(stage.status(&long_ago.token()).await, 401);
    // A recent token may be of a key that comes back.
    assert_eq!(stage.status(&before.token()).await, 503);
    assert_eq!(stage.status(&world.token()).await, 200);
}

pub(crate) async fn an_outage_at_the_start_ends_in_recovery(serve: Serve) {
    let stage = Stage::set(serve).await;
    let world = &stage.world;
    world.go.fail(Fault::RedirectNotFound);
    for _ in 0..2 {
        let reply = stage.push(&[world.token().as_bytes()]).await;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.challenge, None);
        let retry_after = reply.retry_after.expect("when to come back");
        assert!((1..=10).contains(&retry_after.parse().expect("whole seconds")));
    }
    assert_eq!(world.go.fetches(), 1);
    assert_eq!(stage.calls(), 0);

    world.go.heal();
    world.clock.advance(secs(10));
    assert_eq!(stage.status(&world.token()).await, 200);
    assert_eq!(stage.calls(), 1);
}

pub(crate) async fn a_later_outage_rejects_no_known_key(serve: Serve) {
    let stage = Stage::set(serve).await;
    let world = &stage.world;
    let known = world.mint();
    assert_eq!(stage.status(&known.token()).await, 200);

    world.go.fail(Fault::Hang);
    world.go.rotate();
    world.clock.advance(secs(10));
    let token = world.token();
    let credential = [token.as_bytes()];
    let waiting = async {
        world.fetches(2).await;
        // As long as a request waits, and then as a fetch may take.
        world.clock.advance(secs(2));
    };
    let (reply, ()) = tokio::join!(stage.push(&credential), waiting);
    assert_eq!(reply.status, 503);
    assert!(reply.retry_after.is_some());
    assert_eq!(stage.status(&known.token()).await, 200);
    world.clock.advance(secs(3));
    soon(world.clock.wait_for_sleepers(1)).await;

    // The background task has begun to retry on its own; it needs no request.
    world.go.heal();
    let fetches = world.go.fetches();
    world.advance_to_fetch(secs(10), fetches + 1).await;
    assert_eq!(stage.status(&world.token()).await, 200);
    assert_eq!(stage.status(&known.token()).await, 200);
}

/// The tests of one kind of server.
macro_rules! scenario {
    ($serve:path) => {
        #[tokio::test]
        async fn good_tokens_reach_the_handler() {
            crate::layer::scenario::good_tokens_reach_the_handler($serve).await;
        }

        #[tokio::test]
        async fn bad_tokens_are_rejected() {
            crate::layer::scenario::bad_tokens_are_rejected($serve).await;
        }

        #[tokio::test]
        async fn a_rotation_goes_unnoticed() {
            crate::layer::scenario::a_rotation_goes_unnoticed($serve).await;
        }

        #[tokio::test]
        async fn an_outage_at_the_start_ends_in_recovery() {
            crate::layer::scenario::an_outage_at_the_start_ends_in_recovery($serve).await;
        }

        #[tokio::test]
        async fn a_later_outage_rejects_no_known_key() {
            crate::layer::scenario::a_later_outage_rejects_no_known_key($serve).await;
        }
    };
}
pub(crate) use scenario;
