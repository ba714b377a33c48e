//! Layers that belong outside: they have to see rejected requests too.

use axum::Router;
use axum::body::Body;
use axum::middleware::map_response;
use axum::response::Response;
use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::inbound::RequestHead;
use http::Request;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};

use super::{api, ask, push};
use test_support::Keys;
use test_support::distributor::PUSH;
use test_support::log::Lines;

#[tokio::test]
async fn only_outside_a_rejection_has_a_request_id() {
    let keys = Keys::new();
    let ids = || {
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(PropagateRequestIdLayer::x_request_id())
    };
    let outside = api().layer(keys.layer()).layer(ids());
    let inside = api().layer(ids()).layer(keys.layer());
    for (app, has_one) in [(outside, true), (inside, false)] {
        let answer = ask(app.clone(), push(None)).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("x-request-id").is_some(), has_one);
        let answer = ask(app, push(&*keys.token())).await;
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn only_outside_a_custom_answer_knows_the_request_id() {
    let keys = Keys::new();
    let with_id = |request: RequestHead<'_>, _: &Rejection| {
        let id = request.headers.get("x-request-id");
        http::Response::new(id.map_or("none", |_| "an id").into())
    };
    let layer = || keys.layer().respond_with(with_id);
    let ids = || SetRequestIdLayer::x_request_id(MakeRequestUuid);
    let outside = api().layer(layer()).layer(ids());
    let inside = api().layer(ids()).layer(layer());
    for (app, seen) in [(outside, "an id"), (inside, "none")] {
        assert_eq!(ask(app, push(None)).await.body, seen);
    }
}

#[tokio::test]
async fn only_outside_a_rejection_is_traced() {
    let keys = Keys::new();
    let outside = api().layer(keys.layer()).layer(TraceLayer::new_for_http());
    let inside = api().layer(TraceLayer::new_for_http()).layer(keys.layer());
    for (app, traced) in [(outside, true), (inside, false)] {
        let (lines, _guard) = Lines::capture();
        assert_eq!(ask(app, push(None)).await.status, 401);
        let text = lines.text();
        let line = |mark: &str| text.lines().find(|line| line.contains(mark));
        // The rejection is logged within the request's span.
        let rejected = line("request rejected").expect("a line of the rejection");
        assert_eq!(rejected.contains("uri=/ari/daily/push"), traced, "{text}");
        let finished = line("finished processing request");
        assert_eq!(finished.is_some_and(|it| it.contains("status=401")), traced);
    }
}

/// This layer marks the credential sensitive, but what is outside has seen it by then.
#[tokio::test]
async fn a_trace_with_headers_prints_the_credential_unless_marked() {
    let keys = Keys::new();
    let token = keys.token();
    let with_headers = || {
        let span = DefaultMakeSpan::new().include_headers(true);
        TraceLayer::new_for_http().make_span_with(span)
    };
    let marks = || SetSensitiveRequestHeadersLayer::new([http::header::AUTHORIZATION]);
    let unmarked = api().layer(keys.layer()).layer(with_headers());
    let marked = unmarked.clone().layer(marks());
    for (app, printed) in [(unmarked, true), (marked, false)] {
        let (lines, _guard) = Lines::capture();
        assert_eq!(ask(app, push(&*token)).await.status, 200);
        let text = lines.text();
        assert!(text.contains("authorization"), "{text}");
        assert_eq!(text.contains(&token), printed, "{text}");
    }
}

#[tokio::test]
async fn only_outside_a_browser_gets_its_preflight() {
    let keys = Keys::new();
    let outside = api().layer(keys.layer()).layer(CorsLayer::permissive());
    let inside = api().layer(CorsLayer::permissive()).layer(keys.layer());
    for (app, status) in [(outside, 200), (inside, 401)] {
        // A preflight has no credentials.
        let preflight = Request::options(PUSH)
            .header("origin", "https://console.example")
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .expect("a request");
        let answer = ask(app.clone(), preflight).await;
        assert_eq!(answer.status, status);
        // Nor may a script read a rejection without this.
        let answer = ask(app, push(None)).await;
        let readable = answer.header("access-control-allow-origin");
        assert_eq!(readable.is_some(), status == 200);
    }
}

#[tokio::test]
async fn only_outside_a_panic_of_a_check_is_answered() {
    let keys = Keys::new();
    let broken = || keys.layer().check(|_| panic!("the check broke"));
    let outside = api().layer(broken()).layer(CatchPanicLayer::new());
    let inside = api().layer(CatchPanicLayer::new()).layer(broken());
    let token = keys.token();
    assert_eq!(ask(outside, push(&*token)).await.status, 500);
    let request = push(&*token);
    let answer = tokio::spawn(async { ask(inside, request).await.status });
    assert!(answer.await.expect_err("no answer").is_panic());
}

/// Puts another body into the answers to rejected requests.
async fn rewritten(response: Response) -> Response {
    if response.extensions().get::<Rejection>().is_none() {
        return response;
    }
    let (head, _) = response.into_parts();
    Response::from_parts(head, Body::from("write to api@distributor.example"))
}

/// Whether the answer to a stranger says that it is compressed, and whether it is.
async fn compressed(app: Router) -> (bool, bool) {
    let mut request = push(None);
    let gzip = http::HeaderValue::from_static("gzip");
    request.headers_mut().insert("accept-encoding", gzip);
    let answer = ask(app, request).await;
    assert_eq!(answer.status, 401);
    let says_so = answer.header("content-encoding") == Some("gzip");
    // RFC 1952, section 2.3.1.
    (says_so, answer.body.starts_with(&[0x1f, 0x8b]))
}

#[tokio::test]
async fn only_outside_a_rejection_is_compressed() {
    let keys = Keys::new();
    let compression = CompressionLayer::new;
    let outside = api().layer(keys.layer()).layer(compression());
    assert_eq!(compressed(outside).await, (true, true));
    let inside = api().layer(compression()).layer(keys.layer());
    assert_eq!(compressed(inside).await, (false, false));
}

#[tokio::test]
async fn answers_are_rewritten_between_compression_and_this_layer() {
    let keys = Keys::new();
    let rewriting = || map_response(rewritten);
    let between = (api().layer(keys.layer()))
        .layer(rewriting())
        .layer(CompressionLayer::new());
    assert_eq!(compressed(between).await, (true, true));
    // Plain text that is said to be compressed.
    let outermost = (api().layer(keys.layer()))
        .layer(CompressionLayer::new())
        .layer(rewriting());
    assert_eq!(compressed(outermost).await, (true, false));
    // Not rewritten at all.
    let innermost = api().layer(rewriting()).layer(keys.layer());
    let answer = ask(innermost, push(None)).await;
    assert!(answer.body.starts_with(b"{"), "{:?}", answer.body);
}
