//! "Not looked yet" is not "no": a token whose key has not been fetched for since it was issued is
//! answered with 503, never with a final 401.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::authenticate::{VerifyError, VerifyErrorKind};
use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use derbysoft_go_simulator::Fault;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use test_support::{
    World, at_once, eventually, keys, millis, ready, secs, settle, soon, verdict, verifying,
};

async fn rejected(world: &World, auth: &GoAuth) -> VerifyError {
    let token = world.token();
    soon(auth.verify(&token)).await.expect_err("not known yet")
}

#[tokio::test]
async fn forged_tokens_do_not_shut_out_a_new_key() {
    let world = World::new().await;
    let auth = world.ready().await;
    for _ in 0..3 {
        // The stranger's fetch comes just before GO rotates, without overlap.
        world.clock.advance(secs(10));
        assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
        world.clock.advance(millis(400));
        world.go.rotate();
        world.go.retire_all_but_current();
        for rest in (2..=9).rev() {
            let error = rejected(&world, &auth).await;
            assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
            let wait = error.retry_after().expect("a time to come back");
            assert_eq!(wait, secs(rest) + millis(600));
            world.clock.advance(secs(1));
        }
        // The rest of the cooldown is no longer than a request may wait.
        let waiting = verifying(&auth, &world.token());
        settle().await;
        assert!(!waiting.is_finished());
        world.clock.advance(millis(1600));
        soon(waiting).await.unwrap().expect("the key has come");
    }
    assert_eq!(world.go.fetches(), 7);
}

#[tokio::test]
async fn a_rotation_right_after_a_fetch_is_waited_for() {
    let world = World::new().await;
    let auth = world.ready().await;
    // First after the load, then after a refresh in the background.
    for fetches in [1, 3] {
        assert_eq!(world.go.fetches(), fetches);
        world.go.rotate();
        let error = rejected(&world, &auth).await;
        assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
        world.clock.advance(error.retry_after().expect("a time"));
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        assert_eq!(world.go.fetches(), fetches + 1);
        world.advance_to_fetch(secs(270), fetches + 2).await;
        eventually("refreshed", || auth.health().state().as_str() == "fresh").await;
        assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    }
}

#[tokio::test]
async fn an_answer_from_before_the_key_is_no_verdict() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.clock.advance(secs(10));
    let hold = world.go.hold_next(1);
    let stranger = verifying(&auth, &world.unknown());
    world.fetches(2).await;
    // Published while the earlier answer is on its way.
    world.clock.advance(millis(500));
    world.go.rotate();
    let push = verifying(&auth, &world.token());
    settle().await;
    hold.release();
    let error = soon(push).await.unwrap().expect_err("not in that answer");
    assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
    assert_eq!(error.retry_after(), Some(millis(9500)));
    let error = soon(stranger).await.unwrap().expect_err("nobody's");
    assert_eq!(error.kind(), VerifyErrorKind::UnknownKey);
}

#[tokio::test]
async fn a_short_cooldown_is_waited_out_by_a_request() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.cooldown = secs(1)))
        .await;
    let push = {
        world.go.rotate();
        verifying(&auth, &world.token())
    };
    settle().await;
    assert!(!push.is_finished());
    assert_eq!(world.go.fetches(), 1);
    world.clock.advance(secs(1));
    soon(push).await.unwrap().expect("the key has come");
    assert_eq!(world.go.fetches(), 2);

    // A key that does not come is fetched for as long as the request may wait.
    let stranger = verifying(&auth, &world.mint().kid("nobody's").token());
    for _ in 0..4 {
        settle().await;
        world.clock.advance(millis(500));
    }
    let error = soon(stranger).await.unwrap().expect_err("nobody's");
    assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
    assert!((3..=4).contains(&world.go.fetches()));
}

#[tokio::test]
async fn the_time_of_issue_decides_by_more_than_the_leeway() {
    let world = World::new().await;
    let auth = world.ready_with(|builder| builder.leeway(secs(7))).await;
    let now = world.time().as_secs();
    for (issued, expected) in [
        (Some(now + 100), "key_pending"),
        (Some(now), "key_pending"),
        (Some(now - 7), "key_pending"),
        (Some(now - 8), "unknown_key"),
        (Some(0), "unknown_key"),
        (None, "key_pending"),
    ] {
        let mint = world.mint().kid("nobody's");
        let token = match issued {
            Some(issued) => mint.claim("iat", issued).token(),
            None => mint.without("iat").token(),
        };
        assert_eq!(verdict(&auth, &token).await, expected, "{issued:?}");
    }
    // A token that is not for us is rejected for good.
    let foreign = world.mint().kid("nobody's").audience("somebody else");
    assert_eq!(verdict(&auth, &foreign.token()).await, "audience");
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn after_a_failed_fetch_the_keys_are_unavailable() {
    let world = World::new().await;
    let auth = world.ready().await;
    world.go.fail(Fault::Status(500));
    world.clock.advance(secs(10));
    // However old the token is; one of a known key is accepted all the while.
    let recent = world.mint().kid("nobody's").token();
    for _ in 0..20 {
        assert_eq!(verdict(&auth, &recent).await, "keys_unavailable");
        assert_eq!(verdict(&auth, &world.unknown()).await, "keys_unavailable");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_corrected_clock_makes_no_key_set_newer() {
    let world = World::new().await;
    // An hour ahead when the keys are fetched.
    let right = world.time();
    world.clock.step_to(right.saturating_add(secs(3600)));
    let auth = world.ready().await;
    world.clock.step_to(right);
    world.go.rotate();
    assert_eq!(verdict(&auth, &world.token()).await, "key_pending");
}

#[tokio::test]
async fn beyond_the_limit_requests_are_answered_at_once() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.max_waiting = 3))
        .await;
    let three_waiting = async |fetches| {
        world.clock.advance(secs(10));
        let hold = world.go.hold_next(1);
        world.go.rotate();
        let waiting = [(); 3].map(|()| verifying(&auth, &world.token()));
        world.fetches(fetches).await;
        settle().await;
        (waiting, hold)
    };
    let (waiting, hold) = three_waiting(2).await;
    for _ in 0..10 {
        let error = at_once(auth.verify(&world.token()));
        let std::task::Poll::Ready(Err(error)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
        assert!(error.retry_after().is_some());
    }
    hold.release();
    for waiting in waiting {
        soon(waiting).await.unwrap().expect("the key has come");
    }

    // Their places are free again, as are those of cancelled requests.
    let (gone, _hold) = three_waiting(3).await;
    for waiting in gone {
        waiting.abort();
        let _ = waiting.await;
    }
    assert!(at_once(auth.verify(&world.token())).is_pending());
}

#[tokio::test]
async fn with_no_keys_and_no_room_keys_are_unavailable() {
    let world = World::new().await;
    let _hold = world.go.hold();
    let builder = world.builder().configure(|it| it.max_waiting = 1);
    let auth = builder.build().expect("a good configuration");
    let first = verifying(&auth, &world.token());
    world.fetches(1).await;
    settle().await;
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    first.abort();
}

/// A key address whose changes are hidden: its `ETag` is always the same, and the cache in front
/// of it answers by itself unless a request says `no-cache`.
struct Cache {
    address: SocketAddr,
    document: Arc<Mutex<Vec<u8>>>,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Cache {
    async fn before(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let document = Arc::new(Mutex::new(world.go.document()));
        let asked = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let (served, seen) = (Arc::clone(&document), Arc::clone(&asked));
        tokio::spawn(async move {
            let memory = Arc::new(Mutex::new(None::<Vec<u8>>));
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (served, seen) = (Arc::clone(&served), Arc::clone(&seen));
                let memory = Arc::clone(&memory);
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let headers = request.headers();
                    let fresh = headers.contains_key(CACHE_CONTROL);
                    let mut memory = memory.lock().expect("a lock");
                    if fresh || memory.is_none() {
                        *memory = Some(served.lock().expect("a lock").clone());
                    }
                    let known = headers.contains_key(IF_NONE_MATCH);
                    seen.lock().expect("a lock").push(headers.clone());
                    let body = memory.clone().unwrap_or_default();
                    let mut response = Response::new(Full::new(Bytes::from(body)));
                    if known {
                        *response.status_mut() = StatusCode::NOT_MODIFIED;
                        *response.body_mut() = Full::default();
                    }
                    let etag = http::HeaderValue::from_static("\"always\"");
                    response.headers_mut().insert(ETAG, etag);
                    std::future::ready(Ok::<_, Infallible>(response))
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self {
            address,
            document,
            asked,
        }
    }

    fn publish(&self, document: Vec<u8>) {
        *self.document.lock().expect("a lock") = document;
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("a lock").len()
    }
}

#[tokio::test]
async fn a_stuck_cache_or_etag_hides_no_new_key() {
    let world = World::new().await;
    let cache = Cache::before(&world).await;
    let builder = world
        .builder()
        .jwks_url(format!("http://{}/keys", cache.address));
    let auth = builder.build().expect("a good configuration");
    ready(&auth).await.expect("keys");
    let old = world.mint();
    assert_eq!(verdict(&auth, &old.clone().token()).await, "ok");
    world.go.rotate();
    cache.publish(world.go.document());
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    {
        let asked = cache.asked.lock().expect("a lock");
        let last = asked.last().expect("a request");
        assert_eq!(last.get(CACHE_CONTROL).unwrap(), "no-cache");
        assert!(!last.contains_key(IF_NONE_MATCH));
    }

    // It keeps no withdrawn one for longer than an hour.
    world.go.retire_all_but_current();
    cache.publish(world.go.document());
    for n in 3..=16 {
        world.clock.advance(secs(270));
        eventually("refreshed", || cache.asked() == n).await;
        settle().await;
    }
    eventually("it is gone", || keys(&auth) == 1).await;
    assert_ne!(verdict(&auth, &old.at(world.time()).token()).await, "ok");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn what_a_cache_confirms_counts_as_no_fetch() {
    let world = World::new().await;
    let cache = Cache::before(&world).await;
    let address = format!("http://{}/keys", cache.address);
    let auth = world.builder().jwks_url(address).build().expect("good");
    ready(&auth).await.expect("keys");
    // A token of the new key, long before the refresh that a cache answers.
    world.clock.advance(secs(100));
    world.go.rotate();
    let push = world.mint().expires_in(3600).token();
    cache.publish(world.go.document());
    world.clock.advance(secs(170));
    eventually("refreshed", || cache.asked() == 2).await;
    settle().await;
    let error = soon(auth.verify(&push)).await.expect_err("not looked for");
    assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
    world.clock.advance(error.retry_after().expect("a time"));
    assert_eq!(verdict(&auth, &push).await, "ok");
}

#[tokio::test]
async fn a_successor_does_not_restart_the_hour() {
    let world = World::new().await;
    let cache = Cache::before(&world).await;
    let address = format!("http://{}/keys", cache.address);
    let builder = || world.builder().jwks_url(address.clone());
    let mut auth = builder().build().expect("good");
    ready(&auth).await.expect("keys");
    let withdrawn = world.mint().expires_in(86_000).token();
    assert_eq!(verdict(&auth, &withdrawn).await, "ok");
    world.go.rotate();
    world.go.retire_all_but_current();
    cache.publish(world.go.document());
    for _ in 0..3 {
        world.clock.advance(secs(25 * 60));
        let asked = cache.asked();
        auth = builder().successor_of(&auth).build().expect("good");
        ready(&auth).await.expect("keys");
        eventually("fetched", || cache.asked() > asked).await;
        settle().await;
    }
    eventually("it is gone", || keys(&auth) == 1).await;
    assert_ne!(verdict(&auth, &withdrawn).await, "ok");
}

#[tokio::test]
async fn a_request_is_worth_one_fetch() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.cooldown = millis(100)))
        .await;
    world.clock.advance(secs(10));
    let hold = world.go.hold();
    let waiting = verifying(&auth, &world.unknown());
    world.fetches(2).await;
    // It ends after the cooldown, when another would be allowed.
    world.clock.advance(millis(500));
    hold.release();
    let error = soon(waiting).await.unwrap().expect_err("no such key");
    assert_eq!(error.kind(), VerifyErrorKind::UnknownKey);
    settle().await;
    assert_eq!(world.go.fetches(), 2);
}

/// The keys were fetched in another runtime; here there is none to wait in.
#[test]
fn outside_a_runtime_no_request_waits() {
    let runtime = test_support::runtime();
    let (world, auth) = runtime.block_on(async {
        let world = World::new().await;
        let auth = world.ready().await;
        (world, auth)
    });
    world.clock.advance(secs(60));
    let token = world.mint().kid("nobody's").token();
    let std::task::Poll::Ready(Err(error)) = at_once(auth.verify(&token)) else {
        panic!("an answer at once");
    };
    assert_eq!(error.kind(), VerifyErrorKind::KeyPending);
    assert!(at_once(auth.refresh()).is_ready());
}

/// A clock that only the test moves. Whoever reads the time finds the keys replaced after
/// it, as by a fetch that has just ended, for so many reads.
#[derive(Debug, Clone)]
struct Replacing {
    clock: ManualClock,
    keys: Arc<Mutex<Option<(GoAuth, usize)>>>,
}

impl Clock for Replacing {
    fn now(&self) -> UnixTime {
        if let Some((auth, reads @ 1..)) = &mut *self.keys.lock().expect("not poisoned") {
            *reads -= 1;
            auth.distrust_keys([""; 0]);
        }
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.clock.sleep_until(moment)
    }
}

#[tokio::test]
async fn keys_replaced_during_a_check_are_looked_at_twice_more() {
    for (replaced, expected) in [(1, "ok"), (2, "ok"), (3, "key_pending")] {
        let world = World::new().await;
        let clock = Replacing {
            clock: world.clock.clone(),
            keys: Arc::default(),
        };
        let builder = world.builder().clock(clock.clone());
        let auth = builder.build().expect("a good configuration");
        ready(&auth).await.expect("GO is well");
        world.clock.advance(secs(10));
        world.go.rotate();
        // Each look reads the time twice: to judge, and to ask for newer keys.
        *clock.keys.lock().unwrap() = Some((auth.clone(), 2 * replaced));
        assert_eq!(verdict(&auth, &world.token()).await, expected, "{replaced}");
        *clock.keys.lock().unwrap() = None;
    }
}
