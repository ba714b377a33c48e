//! GO's Access Tokens at a distributor's API, beside JWTs and instead of them.

use axum::Router;
use axum::routing::{any, post};
use derbysoft_go_auth::access_token::{AccessGranted, AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use derbysoft_go_auth::config::OnFailure;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder, TokenClaims, Verified};
use derbysoft_go_simulator::SignatureKind;
use http::HeaderMap;

use test_support::distributor::{Answer, PUSH, RESERVATION, Server, days, now};
use test_support::{Keys, SUBJECT, refused_tokens, secs, strict};

const PEER: Api = Api::AVAILABILITY_PEER;
const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const RESERVATIONS: &str = "53ac0777cccccccccccccccccccccccc";
const STRANGERS: &str = "53ac0777dddddddddddddddddddddddd";

/// In the form of a JWT, and yet configured as an Access Token, by its digest.
const DOTTED: &str = "53ac0777.aaaaaaaa.bbbbbbbb";
/// `printf %s "$DOTTED" | sha256sum`
const DOTTED_SHA256: &str = "05528f843da3da76e79d4dd09cd4ff16e05633c6d8029307ca32762969f7a3c1";

fn tokens(tokens: impl IntoIterator<Item = AccessToken>) -> AccessTokens {
    AccessTokens::new(tokens).expect("good tokens")
}

fn token(api: Api, token: &str, issued: UnixTime) -> AccessToken {
    AccessToken::new(api, token, issued)
}

fn built(builder: GoAuthBuilder) -> GoAuth {
    builder.build().expect("a good configuration")
}

/// One token for each of two APIs, issued now by the clock.
fn of_two_apis(clock: &ManualClock) -> AccessTokens {
    let now = clock.now();
    let reservations = token(Api::V3_RESERVATION, RESERVATIONS, now);
    tokens([token(PEER, TOKEN, now), reservations])
}

#[tokio::test]
async fn a_credential_is_judged_by_its_form_alone() {
    let keys = Keys::new();
    let configured = || {
        let dotted = AccessToken::from_sha256(PEER, DOTTED_SHA256, now().saturating_sub(days(1)));
        tokens([token(PEER, TOKEN, now()), dotted])
    };
    let mut servers = Vec::new();
    for builder in [
        keys.builder(),
        GoAuth::builder().access_tokens(configured()),
        keys.builder().access_tokens(configured()),
    ] {
        servers.push(Server::of(&built(builder)).await);
    }
    let forged = keys.mint().signature(SignatureKind::Corrupted).token();
    for (credential, verdicts) in [
        (&*keys.token(), ["ok", "unknown_access_token", "ok"]),
        (&*forged, ["signature", "unknown_access_token", "signature"]),
        (
            &*keys.mint().expires_in(-31).token(),
            ["expired", "unknown_access_token", "expired"],
        ),
        (TOKEN, ["malformed", "ok", "ok"]),
        // Configured as an Access Token, and still not taken for one beside JWTs.
        (DOTTED, ["header", "ok", "header"]),
        ("a.b.c", ["malformed", "unknown_access_token", "malformed"]),
        ("..", ["header", "unknown_access_token", "header"]),
        (
            STRANGERS,
            ["malformed", "unknown_access_token", "unknown_access_token"],
        ),
        (
            "53ac.0777",
            ["malformed", "unknown_access_token", "unknown_access_token"],
        ),
        (
            "5.3.a.c",
            ["malformed", "unknown_access_token", "unknown_access_token"],
        ),
        // Too long to be compared.
        (
            &"53ac0777".repeat(129),
            ["malformed", "too_long", "too_long"],
        ),
    ] {
        for (server, verdict) in servers.iter().zip(verdicts) {
            let answer = server.answer(PUSH, credential).await;
            let status = if verdict == "ok" { 200 } else { 401 };
            assert_eq!(answer.verdict(), (status, verdict), "{credential}");
        }
    }
}

#[tokio::test]
async fn a_handler_sees_which_credential_was_presented() {
    let keys = Keys::new();
    let clock = ManualClock::starting_now();
    let auth = built(keys.builder().access_tokens(of_two_apis(&clock)));
    let server = Server::of(&auth).await;
    for (path, credential, body) in [
        (PUSH, &*keys.token(), format!("JWT of {SUBJECT}")),
        // A JWT names no API, and is the same for all.
        (RESERVATION, &*keys.token(), format!("JWT of {SUBJECT}")),
        (PUSH, TOKEN, "current token of availability-peer".to_owned()),
        (
            RESERVATION,
            RESERVATIONS,
            "current token of v3-reservation".to_owned(),
        ),
    ] {
        let answer = server.answer(path, credential).await;
        assert_eq!((answer.status, answer.body), (200, body));
    }
}

#[derive(serde::Deserialize)]
struct Subject {
    sub: String,
}

#[tokio::test]
async fn an_access_token_has_no_claims_to_extract() {
    let keys = Keys::new();
    let clock = ManualClock::starting_now();
    let auth = built(keys.builder().access_tokens(of_two_apis(&clock)));
    let claims = |TokenClaims(subject): TokenClaims<Subject>| async move { subject.sub };
    let server = Server::start(Router::new().route(PUSH, post(claims).layer(auth.layer()))).await;
    let with_claims = server.answer(PUSH, &keys.token()).await;
    assert_eq!((with_claims.status, &*with_claims.body), (200, SUBJECT));
    let without = server.answer(PUSH, TOKEN).await;
    assert_eq!(without.verdict(), (500, "claims_mismatch"));
    assert_eq!(without.challenge, None);
}

#[tokio::test]
async fn a_token_of_another_api_is_403() {
    let clock = ManualClock::starting_now();
    let auth = GoAuth::builder().access_tokens(of_two_apis(&clock));
    let auth = built(auth.clock(clock.clone()));
    let server = Server::of(&auth).await;
    for (path, own, others) in [
        (PUSH, TOKEN, RESERVATIONS),
        (RESERVATION, RESERVATIONS, TOKEN),
    ] {
        assert_eq!(server.answer(path, own).await.verdict(), (200, "ok"));
        let rejected = server.answer(path, others).await;
        assert_eq!(rejected.verdict(), (403, "wrong_api"));
        assert_eq!(
            rejected.challenge.as_deref(),
            Some(r#"Bearer realm="derbysoft-go", error="insufficient_scope""#)
        );
    }
    // Once it has expired, the answer no longer tells its API.
    clock.advance(days(180));
    let expired = server.answer(PUSH, RESERVATIONS).await;
    assert_eq!(expired.verdict(), (401, "access_token_expired"));
}

#[tokio::test]
async fn only_its_token_opens_availability_peers_paths() {
    let clock = ManualClock::starting_now();
    let auth = built(GoAuth::builder().access_tokens(of_two_apis(&clock)));
    let handler = || any(async || "\"ok\"");
    let paths = Router::new()
        .route("/ping", handler())
        .route("/hotels/{supplier}", handler())
        .route("/hotel/{supplier}/{hotel}", handler())
        .route("/ari/daily/push", handler())
        .route("/ari/los/push", handler());
    let server = Server::start(paths.layer(auth.layer())).await;
    for path in [
        "/ping",
        "/hotels/ACME",
        "/hotel/ACME/1",
        "/ari/daily/push",
        "/ari/los/push",
    ] {
        let own = server.answer(path, TOKEN).await;
        assert_eq!((own.status, &*own.body), (200, "\"ok\""), "{path}");
        let others = server.answer(path, RESERVATIONS).await;
        assert_eq!(others.verdict(), (403, "wrong_api"), "{path}");
        let none = server.post(path, None).await;
        assert_eq!(none.verdict(), (401, "missing_credentials"), "{path}");
    }
}

#[tokio::test]
async fn without_the_layer_the_api_is_an_argument() {
    let clock = ManualClock::starting_now();
    let auth = built(GoAuth::builder().access_tokens(of_two_apis(&clock)));
    let (own, other) = (Api::V3_RESERVATION, Api::V3_NON_RESERVATION);
    let granted = auth.verify(TOKEN).await.expect("GO's own API");
    assert_eq!(granted.access_token().map(AccessGranted::api), Some(&PEER));
    assert_eq!(granted.environment(), None);
    auth.verify_for(RESERVATIONS, &own).await.expect("its API");
    for rejected in [
        auth.verify(RESERVATIONS).await,
        auth.verify_for(RESERVATIONS, &other).await,
        auth.verify_for(TOKEN, &own).await,
    ] {
        assert_eq!(
            rejected.expect_err("another API").kind().as_str(),
            "wrong_api"
        );
    }
}

#[tokio::test]
async fn an_unknown_or_expired_token_is_a_distinct_401() {
    let clock = ManualClock::starting_now();
    let auth = GoAuth::builder().access_tokens(of_two_apis(&clock));
    let server = Server::of(&built(auth.clock(clock.clone()))).await;
    let rejected = |kind: &'static str, words: &'static str| {
        let challenge = format!(
            r#"Bearer realm="derbysoft-go", error="invalid_token", error_description="{words}""#
        );
        (401, kind.to_owned(), Some(challenge))
    };
    let parts = |answer: Answer| (answer.status, answer.kind, answer.challenge);

    let unknown = server.answer(PUSH, STRANGERS).await;
    assert_eq!(
        parts(unknown),
        rejected("unknown_access_token", "the token is not known")
    );
    let none = server.post(PUSH, None).await;
    assert_eq!(none.verdict(), (401, "missing_credentials"));
    clock.advance(days(180).saturating_sub(secs(1)));
    assert_eq!(server.kind(TOKEN).await, "ok");
    clock.advance(secs(1));
    let expired = server.answer(PUSH, TOKEN).await;
    assert_eq!(
        parts(expired),
        rejected("access_token_expired", "the access token has expired")
    );
    assert_eq!(server.kind(STRANGERS).await, "unknown_access_token");
}

#[tokio::test]
async fn ignoring_answers_all_bad_access_tokens_alike() {
    let keys = Keys::new();
    let clock = ManualClock::starting_now();
    for (status, builder) in [
        (404, keys.builder()),
        (204, keys.builder().configure(|it| it.ignore_status = 204)),
    ] {
        let ignoring = strict(builder).access_tokens(of_two_apis(&clock));
        let auth = built(ignoring.on_failure(OnFailure::Ignore));
        let server = Server::of(&auth).await;
        assert_eq!(server.kind(TOKEN).await, "ok");
        let mut rejected = vec![
            ("unknown_access_token", STRANGERS.to_owned()),
            ("wrong_api", RESERVATIONS.to_owned()),
            ("too_long", "5".repeat(1025)),
        ];
        let jwts = refused_tokens(&keys.mint()).into_iter();
        rejected.extend(jwts.filter(|(kind, _)| *kind != "malformed"));
        for (kind, token) in rejected {
            let expected = Answer {
                status,
                kind: kind.to_owned(),
                challenge: None,
                body: String::new(),
            };
            assert_eq!(server.answer(PUSH, &token).await, expected);
        }
    }
}

#[tokio::test]
async fn the_layers_options_apply_to_access_tokens_too() {
    let clock = ManualClock::starting_now();
    let auth = built(GoAuth::builder().access_tokens(of_two_apis(&clock)));
    let router = |layer| {
        let shown = async |headers: HeaderMap| headers.contains_key("authorization").to_string();
        Router::new().route(PUSH, any(shown).layer(layer))
    };
    let current = |verified: &Verified| {
        (verified.access_token()).is_some_and(|granted| !granted.is_previous())
    };
    for (layer, token, verdict, body) in [
        (
            auth.layer().check(current),
            TOKEN,
            (200, "ok"),
            Some("true"),
        ),
        (
            auth.layer().check(|_| false),
            TOKEN,
            (403, "forbidden"),
            None,
        ),
        (
            auth.layer().strip_credentials(),
            TOKEN,
            (200, "ok"),
            Some("false"),
        ),
        (
            auth.layer().allow_missing(),
            STRANGERS,
            (401, "unknown_access_token"),
            None,
        ),
        (
            auth.layer().danger_observe_only(),
            STRANGERS,
            (200, "ok"),
            Some("true"),
        ),
    ] {
        let server = Server::start(router(layer)).await;
        let answer = server.answer(PUSH, token).await;
        assert_eq!(answer.verdict(), verdict);
        assert!(body.is_none_or(|body| answer.body == body), "{answer:?}");
    }
}
