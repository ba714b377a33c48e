//! The layer's options in process: what they admit, and what the handler sees of it.

use std::sync::Mutex;

use derbysoft_go_auth::Verified;
use derbysoft_go_auth::inbound::{Credential, InvalidCredential, RequestHead, Unverified};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use tower::{Layer, ServiceExt};

use test_support::{
    Api, Keys, OTHER, UNUSABLE, World, refused_tokens, request, secs, status_of, strict,
};

#[tokio::test]
async fn observing_admits_all_with_their_verdict() {
    let keys = Keys::new();
    let auth = strict(keys.builder()).build().unwrap();
    let api = Api::behind(auth.layer().danger_observe_only());
    let mut expected = Vec::new();
    for (kind, token) in refused_tokens(&keys.mint()) {
        assert_eq!(api.call(&token).await.status(), 200);
        expected.push(kind);
    }
    api.call("Bearer").await;
    api.send(request(&[])).await;
    expected.extend(["invalid_request", "missing_credentials"]);

    for (head, kind) in api.seen().iter().zip(&expected) {
        assert!(head.extensions.get::<Verified>().is_none());
        let unverified = head.extensions.get::<Unverified>().expect("a verdict");
        assert_eq!(unverified.rejection().kind().as_str(), *kind);
        assert_eq!(
            unverified.to_response(head.into()).status(),
            status_of(kind)
        );
        for value in head.headers.get_all(AUTHORIZATION) {
            assert!(value.is_sensitive());
        }
    }
    assert_eq!(api.calls(), expected.len());

    api.call(&keys.token()).await;
    let seen = api.seen();
    assert!(seen[expected.len()].extensions.get::<Verified>().is_some());
}

#[tokio::test]
async fn observing_admits_what_has_waited_for_keys() {
    let world = World::new().await;
    let auth = world.ready().await;
    let api = Api::behind(auth.layer().danger_observe_only());
    world.clock.advance(secs(10));
    assert_eq!(api.call(&world.unknown()).await.status(), 200);
    assert_eq!(world.go.fetches(), 2);
    let seen = api.seen();
    let unverified = seen[0].extensions.get::<Unverified>().expect("a verdict");
    assert_eq!(unverified.rejection().kind().as_str(), "unknown_key");
}

#[tokio::test]
async fn only_a_missing_credential_can_be_allowed() {
    let keys = Keys::new();
    let api = Api::behind(keys.layer().allow_missing());
    for authorization in OTHER {
        assert_eq!(api.send(request(authorization)).await.status(), 200);
    }
    for head in api.seen() {
        assert!(head.extensions.get::<Verified>().is_none());
        let unverified = head.extensions.get::<Unverified>().expect("a verdict");
        assert_eq!(
            unverified.rejection().kind().as_str(),
            "missing_credentials"
        );
    }
    for authorization in UNUSABLE {
        assert_eq!(api.send(request(authorization)).await.status(), 400);
    }
    for (kind, token) in refused_tokens(&keys.mint()).into_iter().take(11) {
        assert_eq!(api.call(&token).await.status(), 401, "{kind}");
    }
    assert_eq!(api.calls(), OTHER.len());
}

#[tokio::test]
async fn a_custom_check_decides_about_good_tokens_only() {
    let keys = Keys::new();
    let layer = keys.layer().check(|verified| {
        let claims = verified.claims().expect("a JWT's");
        assert_eq!(verified.issuer(), Some(claims.issuer()));
        verified.token_id() == Some("chosen")
    });
    let api = Api::behind(layer);
    let chosen = keys.mint().token_id("chosen");
    assert_eq!(api.call(&chosen.clone().token()).await.status(), 200);

    let answer = api.call(&keys.token()).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.kind(), Some("forbidden"));
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains(r#"error="insufficient_scope""#));

    let expired = api.call(&chosen.expires_in(-31).token()).await;
    assert_eq!(expired.kind(), Some("expired"));
    assert_eq!(api.calls(), 1);
}

#[tokio::test]
async fn verified_credentials_can_be_stripped() {
    let keys = Keys::new();
    let layer = keys.layer().strip_credentials();
    for layer in [layer.clone(), layer.clone().danger_observe_only()] {
        let api = Api::behind(layer);
        api.call(&keys.token()).await;
        assert!(!api.seen()[0].headers.contains_key(AUTHORIZATION));
    }
    // What another authentication may want stays, and does not print.
    let api = Api::behind(layer.danger_observe_only());
    api.send(request(&[b"Bearer a", b"Bearer b"])).await;
    let seen = api.seen();
    let left: Vec<_> = seen[0].headers.get_all(AUTHORIZATION).iter().collect();
    assert_eq!(left.len(), 2);
    assert!(left.into_iter().all(HeaderValue::is_sensitive));
}

#[tokio::test]
async fn the_credential_can_come_from_elsewhere() {
    fn forwarded(head: RequestHead<'_>) -> Credential<'_> {
        match head.uri.path().strip_prefix("/t/") {
            Some("") => Credential::Invalid(InvalidCredential::Empty),
            Some(token) => Credential::Token(token.into()),
            None => Credential::Missing,
        }
    }
    let keys = Keys::new();
    let api = Api::behind(keys.layer().credentials(forwarded));
    let at = |path: String| Request::get(path).body(()).expect("a request");
    assert_eq!(
        api.send(at(format!("/t/{}", keys.token()))).await.status(),
        200
    );
    assert_eq!(api.send(at("/t/".into())).await.status(), 400);
    assert_eq!(api.send(at("/t/x".into())).await.kind(), Some("malformed"));
    // The header no longer counts.
    let answer = api.call(&keys.token()).await;
    assert_eq!(answer.kind(), Some("missing_credentials"));
    assert_eq!(api.calls(), 1);
}

#[tokio::test]
async fn a_verdict_of_an_outer_layer_does_not_survive() {
    let (keys, others) = (Keys::new(), Keys::new());
    let api = Api::behind(keys.layer());
    api.call(&keys.token()).await;
    let verified = api.seen()[0].extensions.get::<Verified>().cloned();
    let verified = verified.expect("a verdict");

    // Rejected by the inner layer, whatever the outer one found.
    let mut forged = request(&[]);
    forged.extensions_mut().insert(verified.clone());
    assert_eq!(api.send(forged).await.status(), 401);

    // Admitted without a verdict of its own: no foreign one either.
    let lax = Api::behind(keys.layer().allow_missing());
    let mut forged = request(&[]);
    forged.extensions_mut().insert(verified);
    lax.send(forged).await;
    assert!(lax.seen()[0].extensions.get::<Verified>().is_none());

    // An outer layer for other keys that only observes leaves nothing behind.
    let seen = Mutex::new(None);
    let inner = tower::service_fn(|request: Request<()>| {
        *seen.lock().unwrap() = Some(request.into_parts().0.extensions);
        std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(())))
    });
    let outer = others.layer().danger_observe_only();
    let both = outer.layer(keys.layer().layer(inner));
    let token = keys.token();
    both.oneshot(request(&[token.as_bytes()])).await.unwrap();
    let extensions = seen.lock().unwrap().take().expect("a call");
    assert!(extensions.get::<Verified>().is_some());
    assert!(extensions.get::<Unverified>().is_none());
}

#[tokio::test]
async fn routes_can_differ_over_the_same_keys() {
    let keys = Keys::new();
    let auth = keys.builder().build().unwrap();
    let strict = Api::behind(auth.layer().check(|_| false));
    let plain = Api::behind(auth.layer());
    let same = keys.token();
    // A verdict cached for one route must not skip another's check.
    for _ in 0..3 {
        assert_eq!(plain.call(&same).await.status(), 200);
        assert_eq!(strict.call(&same).await.status(), 403);
    }
}
