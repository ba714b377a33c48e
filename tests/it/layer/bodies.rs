//! Bodies under the layer: a request and a response may have any, and a rejection's is one frame.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Mutex;

use bytes::Bytes;
use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::inbound::{Ignore, ResponseBody};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower::{Layer, ServiceExt};

use super::strict::{Strict, with};
use test_support::{Keys, World, soon};

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
    let seen = Mutex::new(None);
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
        trailers.insert("x-sum", HeaderValue::from_static("5"));
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
    let mut body = pin!(response.unwrap().into_body());
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

/// The answer to this token by a handler whose body is `B`.
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
    let layer = keys.layer().respond_with(Ignore::default());
    let service = layer.layer(Strict::default());
    let body = service.oneshot(with("53ac0777")).await.unwrap().into_body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

/// As `CorsLayer` and `TimeoutLayer` of tower-http ask of the body inside them.
#[tokio::test]
async fn a_default_body_is_empty() {
    let body = ResponseBody::<Full<Bytes>>::default();
    assert!(body.is_end_stream());
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}
