//! What an attacker writes is repeated nowhere, and no log line contains a token.

use derbysoft_go_auth::Config;
use derbysoft_go_auth::config::OnFailure;
use derbysoft_go_auth::inbound::BodyShape;
use derbysoft_go_simulator::{Fault, PublishedKey, SigningKey};

use super::marks::{marked, parts};
use test_support::log::Lines;
use test_support::{Api, Keys, World, refused_tokens, request, strict, verdict};

const MARK: &str = "MaRk<script>\"\\";

#[tokio::test]
async fn attacker_text_reaches_no_header_body_or_log_line() {
    let (lines, _guard) = Lines::capture();
    let keys = Keys::new();
    for shape in [
        BodyShape::Gateway,
        BodyShape::KeyNotAuthorised,
        BodyShape::ErrorCode,
    ] {
        for on_failure in [OnFailure::Reject, OnFailure::Ignore] {
            let builder = strict(keys.builder())
                .configure(|it| it.body = shape)
                .on_failure(on_failure);
            let api = Api::behind(builder.build().unwrap().layer());
            for token in marked(&keys.mint(), MARK) {
                let answer = api.call(&token).await;
                assert!(answer.status() >= 400, "{token}");
                let text = answer.text();
                assert!(!text.contains("MaRk"), "{text}");
                for part in parts(&token) {
                    assert!(!text.contains(part), "{text}");
                    assert!(!lines.text().contains(part));
                }
            }
            assert_eq!(api.calls(), 0);
            // Members that nobody reads are no reason to reject.
            let idle = keys.mint().header(MARK, 1).header("jku", MARK);
            assert_eq!(
                api.call(&idle.claim(MARK, MARK).token()).await.status(),
                200
            );
        }
    }
    let text = lines.text();
    assert!(text.contains("request rejected"), "the log is not captured");
    // GO has signed these, which are shown escaped.
    let (claims, others): (Vec<_>, Vec<_>) =
        (text.lines()).partition(|line| line.contains("claim rejected"));
    assert!(claims.iter().any(|line| line.contains("MaRk")));
    assert!(!claims.iter().any(|line| line.contains(MARK)), "{claims:?}");
    assert!(
        !others.iter().any(|line| line.contains("MaRk")),
        "{others:?}"
    );
}

#[tokio::test]
async fn a_strangers_claim_is_never_logged() {
    let (lines, _guard) = Lines::capture();
    let keys = Keys::new();
    let builder = strict(keys.builder());
    let api = Api::behind(builder.build().unwrap().layer());
    // With a known key's name the signature is wrong; with another one the claims alone
    // may rule a token out.
    let forged = keys.mint().key(SigningKey::pooled());
    let unknown = forged.clone().kid("gone");
    for token in [forged, unknown].iter().flat_map(|it| marked(it, MARK)) {
        assert!(api.call(&token).await.status() >= 400);
    }
    let text = lines.text();
    assert!(text.contains("request rejected"), "the log is not captured");
    assert!(!text.contains("MaRk") && !text.contains("claim rejected"));
}

#[tokio::test]
async fn a_genuine_tokens_claim_is_logged_with_what_is_expected() {
    let (lines, _guard) = Lines::capture();
    let keys = Keys::new();
    let api = Api::behind(keys.layer());
    api.call(&keys.mint().audience("ZTK").token()).await;
    let text = lines.text();
    let line = text.lines().find(|line| line.contains("claim rejected"));
    let line = line.expect("it is logged");
    assert!(
        line.contains(r#"claim="aud" expected="ZKT" found="ZTK""#),
        "{line}"
    );
}

#[tokio::test]
async fn text_around_the_token_is_repeated_nowhere() {
    let (lines, _guard) = Lines::capture();
    let keys = Keys::new();
    let api = Api::behind(keys.layer());
    for authorization in [
        "MaRk MaRk",
        "Bearer MaRk MaRk",
        "Bearer MaRk, MaRk",
        "Bearer \tMaRk",
        "Bearer MaRk\u{e9}",
        "Basic MaRk",
    ] {
        let answer = api.send(request(&[authorization.as_bytes()])).await;
        assert!(!answer.text().contains("MaRk"), "{authorization}");
    }
    assert!(!lines.text().contains("MaRk"));
}

#[tokio::test]
async fn no_part_of_any_token_is_ever_logged() {
    let (lines, _guard) = Lines::capture();
    let world = World::new().await;
    let auth = strict(world.builder()).build().unwrap();
    let api = Api::behind(auth.layer());
    let observer = Api::behind(auth.layer().danger_observe_only());
    let mut tokens = vec![world.token(), world.unknown()];
    tokens.extend(refused_tokens(&world.mint()).into_iter().map(|(_, t)| t));
    for token in &tokens {
        for _ in 0..3 {
            api.call(&format!("Bearer {token}")).await;
            api.call(token).await;
            observer.call(token).await;
            verdict(&auth, token).await;
        }
    }
    world.go.fail(Fault::Html);
    assert!(auth.refresh().await.is_err());

    let text = lines.text();
    for expected in [
        "request accepted",
        "request rejected",
        "admitted unverified",
        "keys",
    ] {
        assert!(text.contains(expected), "{expected} is not in the log");
    }
    for token in &tokens {
        for part in parts(token) {
            assert!(!text.contains(part), "{part}");
        }
    }
}

#[tokio::test]
async fn the_handles_debug_output_holds_no_token() {
    let keys = Keys::new();
    let auth = keys.builder().build().unwrap();
    let token = keys.mint().claim("private", "MaRk").token();
    let mut verified = None;
    for _ in 0..3 {
        verified = auth.verify(&token).await.ok();
    }
    let verified = verified.expect("a good token");
    let text = format!("{auth:?} {:?} {verified:?}", auth.layer());
    assert!(!text.contains("MaRk"), "{text}");
    for part in parts(&token) {
        assert!(!text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn names_in_gos_document_are_logged_escaped() {
    let (lines, _guard) = Lines::capture();
    let world = World::new().await;
    let kid = "a\u{1b}[31m\r\nINFO forged line";
    let key = PublishedKey::new(SigningKey::pooled()).with_kid(kid);
    let skipped = PublishedKey::raw(serde_json::json!({ "kty": "oct", "kid": kid }));
    world.go.set_keys([key, skipped]);
    let auth = world.auth();
    // The simulator writes its own log: only what comes from the fetch counts.
    auth.ready().await.unwrap();
    let text = lines.text();
    let ours: Vec<_> = text
        .lines()
        .filter(|line| line.contains("derbysoft_go_auth::keys"))
        .collect();
    assert!(ours.iter().any(|line| line.contains("keys changed")));
    assert!(!text.lines().any(|line| line.starts_with("INFO forged")));
    assert!(!text.contains('\u{1b}'));
}

#[tokio::test]
async fn what_is_trusted_is_logged_once_with_where_it_was_set() {
    let (lines, _guard) = Lines::capture();
    let config = Config::from_vars([
        ("GO_AUTH_ISSUER", "https://id/X"),
        ("GO_AUTH_AUDIENCE", "ZKT,ZKT-2"),
        ("GO_AUTH_JWKS_URL", "https://id.example/keys?secret=4711"),
        ("GO_AUTH_ON_FAILURE", "ignore"),
    ]);
    let auth = config.and_then(Config::build).expect("good settings");
    drop((auth.layer(), auth.clone()));
    let text = lines.text();
    let line = text
        .lines()
        .find(|line| line.contains("tokens of this issuer are accepted"));
    let line = line.expect("it is logged");
    for expected in [
        r#"issuer="https://id/X""#,
        r#"audience=["ZKT", "ZKT-2"]"#,
        r#"keys="https://id.example/keys""#,
        r#"on_failure="ignore""#,
        r#"settings="environment: audience, issuer, jwks_url, on_failure""#,
    ] {
        assert!(line.contains(expected), "{expected}: {line}");
    }
    assert!(!text.contains("4711"));
    assert_eq!(text.lines().count(), 1, "{text}");
}
