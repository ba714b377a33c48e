//! The layer as a tower citizen: who is called, when an answer is ready, and what bodies it takes.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use derbysoft_go_auth::{Rejection, ResponseBody};
use derbysoft_go_simulator::Fault;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::task::{JoinHandle, JoinSet};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;

use test_support::{Keys, World, at_once, eventually, request, secs, settle, soon};

/// Panics when called without having been polled ready; clones are not ready.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(Full::from("handled"))))
    }
}

/// The service, ready for one request.
async fn ready_to<S: Service<Request<()>, Error: std::fmt::Debug>>(service: &mut S) -> &mut S {
    service.ready().await.expect("a service that gets ready")
}

fn with(token: &str) -> Request<()> {
    request(&[token.as_bytes()])
}

#[tokio::test]
async fn the_service_polled_ready_is_the_one_called() {
    let keys = Keys::new();
    let strict = Strict::default();
    let mut service = keys.layer().layer(strict.clone());
    for _ in 0..3 {
        let response = soon(ready_to(&mut service).await.call(with(&keys.token()))).await;
        assert_eq!(response.unwrap().status(), 200);
        // A refusal in between leaves the service ready or polled again, never called unready.
        let refused = ready_to(&mut service).await.call(with("53ac0777"));
        assert_eq!(soon(refused).await.unwrap().status(), 401);
    }
    assert_eq!(strict.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_waiting_call_takes_the_service_polled_ready() {
    let world = World::new().await;
    let strict = Strict::default();
    let mut service = world.auth().layer().layer(strict.clone());
    let hold = world.go.hold();
    let first = ready_to(&mut service).await.call(with(&world.token()));
    let second = ready_to(&mut service).await.call(with(&world.token()));
    let waiting = tokio::spawn(async { tokio::join!(first, second) });
    world.fetches(1).await;
    hold.release();
    let (first, second) = soon(waiting).await.unwrap();
    assert_eq!(first.unwrap().status(), 200);
    assert_eq!(second.unwrap().status(), 200);
    assert_eq!(strict.calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn each_call_reaches_the_service_once() {
    let keys = Keys::new();
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(keys.layer());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = service.call(with(&keys.token()));
    // The one permit is spent.
    assert!(service.poll_ready().is_pending());
    let (_, reply) = soon(handle.next_request()).await.expect("a request");
    reply.send_response(Response::new(Full::from("handled")));
    assert_eq!(soon(answer).await.unwrap().status(), 200);

    // A refusal reaches nobody.
    handle.allow(2);
    assert!(service.is_woken());
    assert!(service.poll_ready().is_ready());
    assert_eq!(
        soon(service.call(with("53ac0777"))).await.unwrap().status(),
        401
    );
    assert!(handle.poll_request().is_pending());
}

#[tokio::test]
async fn errors_of_the_wrapped_service_are_passed_on() {
    let keys = Keys::new();
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(keys.layer());
    assert!(service.poll_ready().is_ready());
    let answer = service.call(with(&keys.token()));
    let (_, reply) = soon(handle.next_request()).await.expect("a request");
    reply.send_error("the handler broke");
    assert_eq!(
        soon(answer).await.unwrap_err().to_string(),
        "the handler broke"
    );

    handle.send_error("not ready, ever");
    match service.poll_ready() {
        Poll::Ready(Err(error)) => assert_eq!(error.to_string(), "not ready, ever"),
        other => panic!("the error is gone: {other:?}"),
    }
}

#[tokio::test]
async fn a_waiting_request_holds_no_permit() {
    let world = World::new().await;
    let auth = world.auth();
    let mut service = auth
        .layer()
        .layer(ConcurrencyLimit::new(Strict::default(), 1));
    let hold = world.go.hold();
    // Its key will not come with the fetch: the request is refused after the wait.
    let refused = ready_to(&mut service).await.call(with(&world.unknown()));
    let refused = tokio::spawn(refused);
    world.fetches(1).await;
    assert!(at_once(ready_to(&mut service)).is_ready());
    hold.release();
    assert_eq!(soon(refused).await.unwrap().unwrap().status(), 401);

    let accepted = soon(ready_to(&mut service))
        .await
        .call(with(&world.token()));
    assert_eq!(soon(accepted).await.unwrap().status(), 200);
}

/// Eight forged tokens with an unknown kid, and a key address that hangs.
#[tokio::test]
async fn waiting_strangers_keep_out_no_genuine_push() {
    let world = World::new().await;
    let auth = world.ready().await;
    let limited = ServiceBuilder::new()
        .layer(auth.layer())
        .load_shed()
        .concurrency_limit(8)
        .service(Strict::default());
    world.clock.advance(secs(10));
    world.go.fail(Fault::Hang);
    let mut strangers = JoinSet::new();
    for _ in 0..8 {
        let service = limited.clone();
        strangers.spawn(service.oneshot(with(&world.unknown())));
    }
    world.fetches(2).await;
    let push = limited.clone().oneshot(with(&world.token()));
    match at_once(push) {
        Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
        other => panic!("{other:?}"),
    }
    assert_eq!(strangers.len(), 8);
    world.clock.advance(secs(2));
    while let Some(answer) = soon(strangers.join_next()).await {
        assert_eq!(answer.unwrap().unwrap().status(), 503);
    }
}

type Mocked = mock::Handle<Request<()>, Response<Full<Bytes>>>;

/// A request whose key has come, before a service that is busy; and that service.
async fn waiting_for_the_service(world: &World) -> (JoinHandle<u16>, Mocked) {
    let auth = world.auth();
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(auth.layer());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = service.call(with(&world.token()));
    let answer = tokio::spawn(async move { answer.await.expect("an answer").status().as_u16() });
    handle.allow(0);
    world.fetches(1).await;
    eventually("the keys are published", || auth.health().is_ready()).await;
    settle().await;
    assert!(at_once(handle.next_request()).is_pending());
    (answer, handle)
}

#[tokio::test]
async fn a_request_waits_for_keys_then_the_service() {
    let world = World::new().await;
    let (answer, mut handle) = waiting_for_the_service(&world).await;
    handle.allow(1);
    let (_, reply) = soon(handle.next_request()).await.expect("a request");
    reply.send_response(Response::default());
    assert_eq!(soon(answer).await.expect("no panic"), 200);
}

#[tokio::test]
async fn a_token_is_judged_again_after_a_long_wait() {
    let world = World::new().await;
    let (answer, mut handle) = waiting_for_the_service(&world).await;
    // Its token expires meanwhile.
    world.clock.advance(secs(331));
    handle.allow(1);
    assert_eq!(soon(answer).await.expect("no panic"), 401);
}

#[tokio::test]
async fn a_dropped_waiting_request_returns_its_permit() {
    let world = World::new().await;
    let auth = world.auth();
    let mut service = auth
        .layer()
        .layer(ConcurrencyLimit::new(Strict::default(), 1));
    let hold = world.go.hold();
    let dropped = ready_to(&mut service).await.call(with(&world.token()));
    let dropped = tokio::spawn(dropped);
    world.fetches(1).await;
    dropped.abort();
    soon(ready_to(&mut service)).await;
    hold.release();
}

#[test]
fn a_ready_answer_comes_with_the_first_poll() {
    let keys = Keys::new();
    let mut service = keys.layer().layer(Strict::default());
    for (token, status) in [(keys.token(), 200), ("53ac0777".to_owned(), 401)] {
        let Poll::Ready(service) = at_once(ready_to(&mut service)) else {
            panic!("not ready");
        };
        match at_once(service.call(with(&token))) {
            Poll::Ready(Ok(response)) => assert_eq!(response.status(), status),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn fetched_keys_answer_with_the_first_poll() {
    let world = World::new().await;
    let auth = world.ready().await;
    let mut service = auth.layer().layer(Strict::default());
    let call = ready_to(&mut service).await.call(with(&world.token()));
    assert!(at_once(call).is_ready());
}

/// The status of an answer to a good token in a request with this body.
async fn status_with_body<B>(body: B) -> u16 {
    let keys = Keys::new();
    let (head, ()) = with(&keys.token()).into_parts();
    let service = keys.layer().layer(Strict::default());
    let response = service.oneshot(Request::from_parts(head, body)).await;
    response.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_request_may_have_any_body() {
    assert_eq!(status_with_body(()).await, 200);
    assert_eq!(status_with_body(String::from("text")).await, 200);
    assert_eq!(status_with_body(Empty::<Bytes>::new()).await, 200);
    assert_eq!(status_with_body(Full::<Bytes>::from("bytes")).await, 200);
    assert_eq!(status_with_body(Rc::new("not to be sent")).await, 200);
}

#[tokio::test]
async fn a_waiting_request_may_have_any_body() {
    let world = World::new().await;
    let service = world.auth().layer().layer(Strict::default());
    let (head, ()) = with(&world.token()).into_parts();
    let local = Request::from_parts(head, Rc::new("not to be sent"));
    let response = soon(service.oneshot(local)).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_request_reaches_the_handler_unchanged() {
    let keys = Keys::new();
    let seen = std::sync::Mutex::new(None);
    let inner = tower::service_fn(|request: Request<String>| {
        *seen.lock().unwrap() = Some(request);
        ready(Ok::<_, Infallible>(Response::new(())))
    });
    let request = Request::post("/ari/daily/push?x=1")
        .header("authorization", keys.token())
        .header("content-encoding", "gzip")
        .extension(7_u8)
        .body("body".to_owned())
        .unwrap();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let headers = request.headers().clone();
    keys.layer().layer(inner).oneshot(request).await.unwrap();
    let seen = seen.into_inner().unwrap().expect("a request");
    assert_eq!((seen.method(), seen.uri()), (&method, &uri));
    assert_eq!(*seen.headers(), headers);
    assert_eq!(seen.extensions().get::<u8>(), Some(&7));
    assert_eq!(seen.body(), "body");
}

#[tokio::test]
async fn a_response_may_have_any_body() {
    let keys = Keys::new();
    let inner = tower::service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(Rc::new(
            "no body at all",
        ))))
    });
    let response = keys.layer().layer(inner).oneshot(with(&keys.token())).await;
    assert_eq!(response.unwrap().status(), 200);
}

#[tokio::test]
async fn the_handlers_body_keeps_its_frames_and_hints() {
    let keys = Keys::new();
    let frames = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("5"));
        [
            Ok(Frame::data(Bytes::from("da"))),
            Ok(Frame::data(Bytes::from("ta"))),
            Ok(Frame::trailers(trailers)),
            Err("the body broke"),
        ]
    };
    let inner = tower::service_fn(|_: Request<()>| {
        let body = StreamBody::new(tokio_stream::iter(frames()));
        ready(Ok::<_, Infallible>(Response::new(body)))
    });
    let response = keys.layer().layer(inner).oneshot(with(&keys.token())).await;
    let mut body = std::pin::pin!(response.unwrap().into_body());
    assert_eq!(body.size_hint().upper(), None);
    assert!(!body.is_end_stream());
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "da");
    let second = body.frame().await.unwrap().unwrap();
    assert_eq!(second.into_data().unwrap(), "ta");
    let trailers = body.frame().await.unwrap().unwrap();
    assert_eq!(trailers.into_trailers().unwrap()["x-sum"], "5");
    assert_eq!(body.frame().await.unwrap().unwrap_err(), "the body broke");
    assert!(body.frame().await.is_none());
}

/// The answer to this token, of a handler that answers with `body`.
async fn answer<B: Body<Data = Bytes> + Default>(
    keys: &Keys,
    token: &str,
) -> Response<ResponseBody<B>> {
    let inner =
        tower::service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(B::default()))));
    let Ok(response) = keys.layer().layer(inner).oneshot(with(token)).await;
    response
}

#[tokio::test]
async fn a_rejections_body_is_one_frame_of_known_size() {
    let keys = Keys::new();
    let response = answer::<Empty<Bytes>>(&keys, "53ac0777").await;
    assert!(response.extensions().get::<Rejection>().is_some());
    let mut body = response.into_body();
    let exact = body.size_hint().exact().expect("a known size");
    assert!(exact > 0 && !body.is_end_stream());
    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(data.len() as u64, exact);
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());

    let handled = answer::<Empty<Bytes>>(&keys, &keys.token()).await;
    assert!(handled.extensions().get::<Rejection>().is_none());
    assert!(handled.body().is_end_stream());
    assert_eq!(handled.body().size_hint().exact(), Some(0));
}

#[tokio::test]
async fn an_empty_rejection_ends_at_once() {
    let keys = Keys::new();
    let layer = keys
        .layer()
        .respond_with(derbysoft_go_auth::Ignore::default());
    let service = layer.layer(Strict::default());
    let body = service.oneshot(with("53ac0777")).await.unwrap().into_body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn a_cancelled_service_call_leaves_the_others_alone() {
    let world = World::new().await;
    let auth = world.auth();
    let hold = world.go.hold();
    let service = auth.layer().layer(Strict::default());
    let cancelled = tokio::spawn(service.clone().oneshot(with(&world.token())));
    let patient = tokio::spawn(service.oneshot(with(&world.token())));
    world.fetches(1).await;
    cancelled.abort();
    settle().await;
    hold.release();
    assert_eq!(soon(patient).await.unwrap().unwrap().status(), 200);
    assert_eq!(world.go.fetches(), 1);
}
