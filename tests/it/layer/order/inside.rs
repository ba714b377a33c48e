//! Layers that belong inside: what they ration is for GO, and they tell strangers nothing.

use axum::BoxError;
use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use bytes::Bytes;
use derbysoft_go_auth::config::OnFailure;
use derbysoft_go_auth::{GoAuthLayer, Verified};
use derbysoft_go_simulator::Fault;
use http::{HeaderValue, StatusCode};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;

use super::{api, ask, push};
use test_support::{Keys, SUBJECT, World, secs};

/// At most two requests at a time; the others get 503 at once.
fn limited(router: Router) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(async |_: BoxError| {
                StatusCode::SERVICE_UNAVAILABLE
            }))
            .layer(LoadShedLayer::new())
            .layer(GlobalConcurrencyLimitLayer::new(2)),
    )
}

/// What a push is answered while two strangers wait for keys and the key address hangs.
async fn beside_waiting_strangers(app: impl FnOnce(GoAuthLayer) -> Router) -> StatusCode {
    let world = World::new().await;
    let app = app(world.ready().await.layer());
    world.clock.advance(secs(10));
    world.go.fail(Fault::Hang);
    let strangers = [(); 2].map(|()| {
        let (app, request) = (app.clone(), push(&*world.unknown()));
        tokio::spawn(ask(app, request))
    });
    world.fetches(2).await;
    let genuine = ask(app, push(&*world.token())).await;
    assert!(strangers.iter().all(|stranger| !stranger.is_finished()));
    genuine.status
}

#[tokio::test]
async fn only_inside_a_concurrency_limit_is_out_of_strangers_reach() {
    let inside = |layer| limited(api()).layer::<GoAuthLayer>(layer);
    assert_eq!(beside_waiting_strangers(inside).await, 200);
    let outside = |layer| limited(api().layer::<GoAuthLayer>(layer));
    assert_eq!(beside_waiting_strangers(outside).await, 503);
}

/// A layer that tells nobody that it is there.
fn silent(keys: &Keys) -> GoAuthLayer {
    let builder = keys.builder().on_failure(OnFailure::Ignore);
    builder.build().expect("a good configuration").layer()
}

#[tokio::test]
async fn only_inside_a_body_limit_tells_strangers_nothing() {
    let keys = Keys::new();
    let limit = || RequestBodyLimitLayer::new(3);
    let inside = api().layer(limit()).layer(silent(&keys));
    let outside = api().layer(silent(&keys)).layer(limit());
    for (app, status) in [(inside, 404), (outside, 413)] {
        let sized = |token: Option<&str>| {
            let mut request = push(token);
            let length = HeaderValue::from_static("5");
            request.headers_mut().insert("content-length", length);
            request
        };
        assert_eq!(ask(app.clone(), sized(None)).await.status, status);
        assert_eq!(ask(app, sized(Some(&keys.token()))).await.status, 413);
    }
}

/// A push whose body is encoded so.
fn encoded(token: Option<&str>, encoding: &'static str, body: Bytes) -> Request {
    let mut request = push(token);
    let encoding = HeaderValue::from_static(encoding);
    request.headers_mut().insert("content-encoding", encoding);
    *request.body_mut() = Body::from(body);
    request
}

#[tokio::test]
async fn only_inside_decompression_tells_strangers_nothing() {
    let keys = Keys::new();
    let decompression = RequestDecompressionLayer::new;
    let inside = api().layer(decompression()).layer(silent(&keys));
    let outside = api().layer(silent(&keys)).layer(decompression());
    for (app, status) in [(inside, 404), (outside, 415)] {
        let stranger = encoded(None, "unheard-of", Bytes::new());
        assert_eq!(ask(app, stranger).await.status, status);
    }
}

/// `len` zeros, compressed.
async fn zeros(len: usize) -> Bytes {
    let zeros = Router::new().fallback(async move || vec![0; len]);
    let mut request = push(None);
    let gzip = HeaderValue::from_static("gzip");
    request.headers_mut().insert("accept-encoding", gzip);
    let answer = ask(zeros.layer(CompressionLayer::new()), request).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    answer.body
}

#[tokio::test]
async fn only_inside_decompression_a_limit_counts_what_is_read() {
    let keys = Keys::new();
    let bomb = zeros(1 << 20).await;
    assert!(bomb.len() < 4096);
    let (limit, decompression) = (
        RequestBodyLimitLayer::new(4096),
        RequestDecompressionLayer::new(),
    );
    let inside = (api().layer(limit))
        .layer(decompression.clone())
        .layer(keys.layer());
    let outside = (api().layer(decompression))
        .layer(limit)
        .layer(keys.layer());
    for (app, status) in [(inside, 413), (outside, 200)] {
        let token = keys.token();
        let answer = ask(app, encoded(Some(&token), "gzip", bomb.clone())).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
    }
}

/// Adds the verified caller to the answer.
async fn named(request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Verified>().cloned();
    let mut response = next.run(request).await;
    if let Some(subject) = caller.as_ref().and_then(Verified::subject) {
        let subject = HeaderValue::from_str(subject).expect("a header value");
        response.headers_mut().insert("x-caller", subject);
    }
    response
}

#[tokio::test]
async fn only_inside_the_caller_is_known() {
    let keys = Keys::new();
    let inside = api().layer(from_fn(named)).layer(keys.layer());
    let outside = api().layer(keys.layer()).layer(from_fn(named));
    for (app, caller) in [(inside, Some(SUBJECT)), (outside, None)] {
        let answer = ask(app, push(&*keys.token())).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-caller"), caller);
    }
}
