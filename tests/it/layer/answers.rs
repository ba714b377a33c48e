//! The layer in process: how each request is answered.

use bytes::Bytes;
use derbysoft_go_auth::config::OnFailure;
use derbysoft_go_auth::inbound::{BodyShape, Ignore, Reject, RequestHead, Unverified};
use derbysoft_go_auth::{Rejection, Verified};
use derbysoft_go_simulator::Fault;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};

use test_support::{
    Answer, Api, Keys, OTHER, SUBJECT, UNUSABLE, World, millis, ready, refused_tokens, request,
    status_of, strict,
};

const REALM: &str = r#"Bearer realm="derbysoft-go""#;

/// An API without keys, right after a failed fetch.
async fn without_keys(world: &World, on_failure: OnFailure) -> Api {
    world.go.fail(Fault::Cut);
    let auth = world.builder().on_failure(on_failure).build();
    let auth = auth.expect("a good configuration");
    ready(&auth).await.expect_err("GO is down");
    Api::behind(auth.layer())
}

fn empty_body_and_headers(answer: &Answer) -> bool {
    answer.body.is_empty() && answer.head.headers.is_empty()
}

#[tokio::test]
async fn a_good_token_in_either_form_reaches_the_handler() {
    let keys = Keys::new();
    let api = Api::behind(keys.layer());
    let token = keys.token();
    for (n, authorization) in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}"),
        token,
    ]
    .iter()
    .enumerate()
    {
        let answer = api.call(authorization).await;
        assert_eq!((answer.status(), &answer.body[..]), (200, &b"handled"[..]));
        assert_eq!(answer.kind(), None);
        assert_eq!(api.calls(), n + 1);
    }
    for head in api.seen() {
        let verified = head.extensions.get::<Verified>().expect("a verdict");
        assert_eq!(verified.subject(), Some(SUBJECT));
        assert!(head.extensions.get::<Unverified>().is_none());
        assert!(head.headers[AUTHORIZATION].is_sensitive());
    }
}

#[tokio::test]
async fn without_a_credential_the_challenge_names_no_error() {
    let keys = Keys::new();
    let api = Api::behind(keys.layer());
    for authorization in OTHER {
        let answer = api.send(request(authorization)).await;
        assert_eq!(answer.status(), 401, "{authorization:?}");
        assert_eq!(answer.header("www-authenticate"), Some(REALM));
        assert_eq!(answer.header("retry-after"), None);
        assert_eq!(answer.kind(), Some("missing_credentials"));
    }
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn an_unusable_header_is_a_bad_request() {
    let keys = Keys::new();
    let api = Api::behind(keys.layer());
    let token = keys.token();
    let twice = format!("Bearer {token}");
    let joined = format!("Bearer {token}, Bearer {token}");
    let good_but_unusable: [&[&[u8]]; 2] =
        [&[twice.as_bytes(), twice.as_bytes()], &[joined.as_bytes()]];
    for authorization in UNUSABLE.into_iter().chain(good_but_unusable) {
        let answer = api.send(request(authorization)).await;
        assert_eq!(answer.status(), 400, "{authorization:?}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.contains(r#"error="invalid_request""#),
            "{challenge}"
        );
        assert_eq!(answer.kind(), Some("invalid_request"));
    }
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn each_rejection_has_its_status_and_challenge() {
    let keys = Keys::new();
    let api = Api::behind(strict(keys.builder()).build().unwrap().layer());
    assert_eq!(api.call(&keys.token()).await.status(), 200);
    for (kind, token) in refused_tokens(&keys.mint()) {
        for authorization in [format!("Bearer {token}"), token] {
            let answer = api.call(&authorization).await;
            assert_eq!(answer.kind(), Some(kind));
            assert_eq!(answer.status(), status_of(kind), "{kind}");
            let error = match kind {
                "subject" => "insufficient_scope",
                _ => "invalid_token",
            };
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(
                challenge.starts_with(&format!(r#"{REALM}, error="{error}""#)),
                "{challenge}"
            );
            if error == "invalid_token" {
                assert!(challenge.contains("error_description=\""), "{challenge}");
            }
            assert_eq!(answer.header("retry-after"), None);
        }
    }
    assert_eq!(api.calls(), 1);
}

#[tokio::test]
async fn without_keys_the_answer_is_503_with_retry_after() {
    let world = World::new().await;
    let api = without_keys(&world, OnFailure::Reject).await;
    for pass in [millis(0), millis(3500)] {
        world.clock.advance(pass);
        let answer = api.call(&world.token()).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.header("www-authenticate"), None);
        let retry_after = answer.header("retry-after").expect("when to come back");
        // Whole seconds, and no longer than the cooldown.
        assert!((1..=10).contains(&retry_after.parse().unwrap()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.kind(), Some("keys_unavailable"));
    }
    // What no key could make good is still rejected as such.
    for (token, kind) in [
        (world.mint().audience("x").token(), "audience"),
        (world.mint().expires_in(-31).token(), "expired"),
        (world.mint().header("alg", "none").token(), "algorithm"),
    ] {
        let answer = api.call(&token).await;
        assert_eq!((answer.status(), answer.kind()), (401, Some(kind)));
    }
    assert_eq!(api.call("").await.status(), 400);
    assert_eq!(api.send(request(&[])).await.status(), 401);
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn the_body_has_the_chosen_shape_of_gos() {
    let keys = Keys::new();
    for (shape, members) in [
        (BodyShape::Gateway, &["message", "source"][..]),
        (BodyShape::KeyNotAuthorised, &["error"]),
        (BodyShape::ErrorCode, &["errorCode", "errorMessage"]),
    ] {
        let auth = keys
            .builder()
            .configure(|it| it.body = shape)
            .configure(|it| it.realm = "a realm".into())
            .build()
            .unwrap();
        let api = Api::behind(auth.layer().check(|_| false));
        let token = keys.token();
        for (authorization, status) in [
            (&[][..], 401),
            (&[&b"Bearer"[..]], 400),
            (&[b"53ac0777"], 401),
            (&[token.as_bytes()], 403),
        ] {
            let answer = api.send(request(authorization)).await;
            assert_eq!(answer.status(), status);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with(r#"Bearer realm="a realm""#));
            let body: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body.keys().collect::<Vec<_>>(), members);
            assert!(body.values().all(serde_json::Value::is_string));
        }
    }
}

#[tokio::test]
async fn gos_own_words_are_used_where_documented() {
    let keys = Keys::new();
    let expired = keys.mint().expires_in(-31).token();
    for (shape, body) in [
        (
            BodyShape::KeyNotAuthorised,
            r#"{"error":"Key not authorised"}"#,
        ),
        (
            BodyShape::ErrorCode,
            r#"{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}"#,
        ),
    ] {
        let layer = keys.layer().respond_with(Reject::new(shape));
        assert_eq!(Api::behind(layer).call(&expired).await.body, body);
    }
}

#[tokio::test]
async fn ignoring_answers_every_rejection_alike() {
    let keys = Keys::new();
    for (status, builder) in [
        (404, keys.builder()),
        (204, keys.builder().configure(|it| it.ignore_status = 204)),
    ] {
        let auth = strict(builder).on_failure(OnFailure::Ignore).build();
        let api = Api::behind(auth.unwrap().layer().check(|_| false));
        let rejected = refused_tokens(&keys.mint());
        let rejected = rejected.iter().map(|(_, token)| token.as_bytes());
        let good = keys.token();
        for authorization in rejected.chain([&b"Bearer"[..], b"Basic x", good.as_bytes()]) {
            let answer = api.send(request(&[authorization])).await;
            assert_eq!(answer.status(), status);
            assert!(empty_body_and_headers(&answer), "{}", answer.text());
            assert!(answer.kind().is_some());
        }
        let answer = api.send(request(&[])).await;
        assert_eq!(answer.status(), status);
        assert!(empty_body_and_headers(&answer));
        assert_eq!(api.calls(), 0);
    }
}

#[tokio::test]
async fn ignoring_still_answers_missing_keys_with_503() {
    let world = World::new().await;
    let api = without_keys(&world, OnFailure::Ignore).await;
    let answer = api.call(&world.token()).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.head.headers.len(), 1);
    assert!(answer.body.is_empty());
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn a_custom_answer_is_sent_as_it_is() {
    let keys = Keys::new();
    let teapot = |_: RequestHead<'_>, rejection: &Rejection| {
        let mut response = Response::new(Bytes::from(rejection.kind().as_str()));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    };
    let built = keys.builder().respond_with(teapot).build().unwrap().layer();
    for layer in [built, keys.layer().respond_with(teapot)] {
        let answer = Api::behind(layer).call("Bearer").await;
        assert_eq!(
            (answer.status(), &answer.body[..]),
            (418, &b"invalid_request"[..])
        );
        assert!(answer.head.headers.is_empty());
        assert_eq!(answer.kind(), Some("invalid_request"));
    }
    let gone = keys
        .layer()
        .respond_with(Ignore::with_status(StatusCode::GONE));
    assert_eq!(Api::behind(gone).call("53ac0777").await.status(), 410);
}

/// Says what was asked for, by whom, and why it is rejected.
fn echo(request: RequestHead<'_>, rejection: &Rejection) -> Response<Bytes> {
    let id = request.headers.get("x-request-id").expect("an id");
    let id = id.to_str().expect("ASCII");
    let body = format!(
        "{} {} {id} {}",
        request.method,
        request.uri,
        rejection.kind()
    );
    Response::new(body.into())
}

fn with_id(authorization: &str) -> Request<()> {
    let request = Request::post("/ari/daily/push?full=1").header("x-request-id", "r-7");
    let request = request.header(AUTHORIZATION, authorization);
    request.body(()).expect("a request")
}

#[tokio::test]
async fn a_custom_answer_sees_the_requests_head() {
    let keys = Keys::new();
    let layer = keys.layer().respond_with(echo);
    let answer = Api::behind(layer.clone()).send(with_id("53ac0777")).await;
    assert_eq!(answer.body, "POST /ari/daily/push?full=1 r-7 malformed");

    // The answer that an observing layer would have given.
    let api = Api::behind(layer.danger_observe_only());
    api.send(with_id("53ac0777")).await;
    let seen = api.seen();
    let unverified = seen[0].extensions.get::<Unverified>().expect("a verdict");
    let answer = unverified.to_response((&seen[0]).into());
    assert_eq!(answer.body(), "POST /ari/daily/push?full=1 r-7 malformed");
}

/// Where keys are missing the token may be a genuine one.
#[tokio::test]
async fn a_custom_answer_does_not_print_the_credential() {
    let world = World::new().await;
    world.go.fail(Fault::Status(500));
    let print = |request: RequestHead<'_>, rejection: &Rejection| {
        Response::new(format!("{rejection} {:?}", request.headers).into())
    };
    let auth = world.builder().respond_with(print).build();
    let api = Api::behind(auth.expect("a good configuration").layer());
    // The first waits, the second is answered at once.
    for _ in 0..2 {
        let answer = api.send(with_id(&world.token())).await;
        assert!(
            answer.text().contains("\"authorization\": Sensitive"),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_request_that_waited_is_answered_by_its_head() {
    let world = World::new().await;
    let auth = world.builder().respond_with(echo).build();
    let api = Api::behind(auth.expect("a good configuration").layer());
    let forged = world.mint().key(world.go.stranger()).token();
    let answer = api.send(with_id(&forged)).await;
    assert_eq!(answer.body, "POST /ari/daily/push?full=1 r-7 signature");
}
