//! What axum handlers can extract.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use derbysoft_go_auth::config::OnFailure;
use derbysoft_go_auth::{GoAuthLayer, Rejection, TokenClaims, Verified};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower::ServiceExt;

use test_support::log::Lines;
use test_support::{Keys, SUBJECT};

#[derive(Deserialize)]
struct Own {
    jti: String,
    dis: String,
}

async fn caller(verified: Verified) -> String {
    verified.subject().unwrap_or("nobody").to_owned()
}

async fn maybe(verified: Option<Verified>) -> String {
    verified.map_or("unverified".to_owned(), |verified| {
        verified.subject().unwrap_or("nobody").to_owned()
    })
}

async fn claims(TokenClaims(own): TokenClaims<Own>) -> String {
    format!("{} {}", own.jti, own.dis)
}

fn routes() -> Router {
    Router::new()
        .route("/caller", get(caller))
        .route("/maybe", get(maybe))
        .route("/claims", get(claims))
}

/// Status, challenge and body.
async fn ask(router: Router, path: &str, token: Option<&str>) -> (StatusCode, String, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let request = request.body(Body::empty()).expect("a request");
    let Ok(response) = router.oneshot(request).await;
    let (head, body) = response.into_parts();
    let challenge = head.headers.get("www-authenticate");
    let challenge = challenge.map_or("", |value| value.to_str().expect("ASCII"));
    let body = body.collect().await.expect("a whole body").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    (head.status, challenge.to_owned(), body)
}

fn behind(layer: GoAuthLayer) -> Router {
    routes().layer(layer)
}

#[tokio::test]
async fn a_handler_gets_its_caller_and_claims() {
    let keys = Keys::new();
    let mint = keys.mint().token_id("id-1").claim("dis", "JWT-TEST");
    let token = mint.token();
    for (path, body) in [
        ("/caller", SUBJECT),
        ("/maybe", SUBJECT),
        ("/claims", "id-1 JWT-TEST"),
    ] {
        let (status, _, answer) = ask(behind(keys.layer()), path, Some(&token)).await;
        assert_eq!((status, &*answer), (StatusCode::OK, body), "{path}");
    }
}

#[tokio::test]
async fn without_the_layer_extractors_are_500_with_the_fix() {
    let keys = Keys::new();
    for path in ["/caller", "/maybe", "/claims"] {
        for token in [None, Some(&*keys.token())] {
            let (status, _, body) = ask(routes(), path, token).await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert!(body.contains(".layer(auth.layer())"), "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn a_route_outside_the_layer_is_500() {
    let keys = Keys::new();
    let router = routes().layer(keys.layer()).route("/outside", get(maybe));
    let (status, ..) = ask(router, "/outside", Some(&keys.token())).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn an_optional_caller_may_be_missing() {
    let keys = Keys::new();
    let router = behind(keys.layer().allow_missing());
    let (status, _, body) = ask(router, "/maybe", None).await;
    assert_eq!((status, &*body), (StatusCode::OK, "unverified"));
}

#[tokio::test]
async fn a_missing_caller_is_answered_as_the_layer_does() {
    let keys = Keys::new();
    for path in ["/caller", "/claims"] {
        let router = behind(keys.layer().allow_missing());
        let (status, challenge, body) = ask(router, path, None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(challenge, r#"Bearer realm="derbysoft-go""#);
        assert!(body.starts_with(r#"{"message":"#), "{body}");
    }
    let ignoring = keys.builder().on_failure(OnFailure::Ignore).build();
    let router = behind(ignoring.unwrap().layer().allow_missing());
    let (status, challenge, body) = ask(router, "/caller", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!((&*challenge, &*body), ("", ""));
}

#[tokio::test]
async fn allow_missing_admits_no_bad_token() {
    let keys = Keys::new();
    for path in ["/caller", "/maybe", "/claims"] {
        let router = behind(keys.layer().allow_missing());
        let (status, challenge, _) = ask(router, path, Some("Bearer 53ac0777")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
}

#[tokio::test]
async fn an_observed_bad_token_is_no_caller() {
    let keys = Keys::new();
    let expired = keys.mint().expires_in(-31).token();
    let router = behind(keys.layer().danger_observe_only());
    let (status, _, body) = ask(router.clone(), "/maybe", Some(&expired)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "unverified"));
    let (status, challenge, _) = ask(router, "/caller", Some(&expired)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(challenge.contains("invalid_token"), "{challenge}");
}

/// The caller is GO, and who wrote the handler expects something else of its tokens.
#[tokio::test]
async fn claims_that_do_not_fit_are_500() {
    const BODY: &str = r#"{"message":"the claims are not those that the handler expects","source":"derbysoft-go-auth"}"#;
    let keys = Keys::new();
    for token in [
        keys.token(),
        keys.mint().claim("dis", 7).token(),
        keys.mint().claim("dis", "MaRk").without("jti").token(),
    ] {
        let (status, challenge, body) = ask(behind(keys.layer()), "/claims", Some(&token)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!((&*challenge, &*body), ("", BODY));
    }
}

#[tokio::test]
async fn a_claim_that_does_not_fit_is_logged_by_name_alone() {
    let (lines, _guard) = Lines::capture();
    let keys = Keys::new();
    for (mint, expected) in [
        (keys.mint(), r#"claims="missing field `dis`""#),
        (
            keys.mint().claim("dis", 4711),
            r#"claims="dis is not of the expected type""#,
        ),
    ] {
        lines.take();
        // Each handle logs the first of a kind.
        let auth = keys.builder().build().unwrap();
        ask(behind(auth.layer()), "/claims", Some(&mint.token())).await;
        let text = lines.text();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("4711"), "{text}");
    }
}

#[tokio::test]
async fn an_extractors_rejection_is_in_the_extensions() {
    let keys = Keys::new();
    let router = Router::new()
        .route("/caller", get(|_: Verified| async {}))
        .layer(keys.layer().allow_missing());
    let Ok(response) = router
        .oneshot(Request::get("/caller").body(Body::empty()).unwrap())
        .await;
    assert_eq!(response.status(), 401);
    assert!(response.extensions().get::<Rejection>().is_some());
}

#[tokio::test]
async fn a_claim_that_does_not_fit_is_no_final_answer_when_ignoring() {
    let keys = Keys::new();
    let auth = keys
        .builder()
        .on_failure(OnFailure::Ignore)
        .build()
        .unwrap();
    let router = Router::new()
        .route("/claims", get(|_: TokenClaims<Own>| async {}))
        .layer(auth.layer());
    let request = Request::get("/claims").header("authorization", keys.token());
    let Ok(response) = router.oneshot(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 500);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.is_empty());
}
