//! What push sends.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::PartnerApi;
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::{named, push, pushes, simulator, status};
use test_support::distributor::{Server, TokenFile};

#[tokio::test]
async fn only_access_tokens_of_this_api_are_accepted() {
    let go = simulator().await;
    let previous = go.access_token(PartnerApi::AvailabilityPeer);
    let token_file = async || {
        let url = format!("{}/simulator/access-tokens/file", go.origin());
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let client = client.build().expect("a client");
        let answer = client.get(url).send().await.expect("an answer");
        TokenFile::of(answer.text().await.expect("a body"))
    };
    let names = ["good", "bare", "none", "basic", "other-api", "unknown"];
    for (is_renewed, sent) in [(false, 6), (true, 7)] {
        if is_renewed {
            go.rotate_access_token(PartnerApi::AvailabilityPeer);
        }
        let file = token_file().await;
        let auth = GoAuth::builder().access_tokens_file(file.path());
        let server = Server::of(&auth.build().expect("a good file")).await;
        let command = push(&go, &server.base).arg("--access-token");
        let ran = command.arg("--json").run().await;
        let shown = ran.json();
        assert_eq!((ran.status, pushes(&shown).len()), (0, sent), "{shown}");
        for name in names {
            let is_good = matches!(name, "good" | "bare");
            assert_eq!(status(named(&shown, name)), if is_good { 200 } else { 401 });
        }
        if is_renewed {
            assert_eq!(named(&shown, "previous")["expected"], "let_in");
            assert_eq!(
                named(&shown, "previous")["body"],
                "previous token of availability-peer"
            );
        }
        assert!(!ran.all().contains(&previous), "{}", ran.all());
        let last = go.access_token(PartnerApi::AvailabilityPeer);
        assert!(!ran.all().contains(&last), "{}", ran.all());
    }
}

#[derive(Default, Clone)]
struct Seen(Arc<Mutex<Vec<(http::request::Parts, Value)>>>);

/// Keeps all that comes, and refuses every other one.
async fn recording() -> (Server, Seen) {
    let seen = Seen::default();
    let keep = seen.clone();
    let router = Router::new().fallback(post(move |request: Request| async move {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = serde_json::from_slice(&body).expect("JSON");
        let mut seen = keep.0.lock().expect("not poisoned");
        seen.push((head, body));
        if seen.len().is_multiple_of(2) {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::NO_CONTENT
        }
    }));
    (Server::start(router).await, seen)
}

#[tokio::test]
async fn pushes_come_as_go_sends_them_and_as_often() {
    let go = simulator().await;
    for (sample, path, member) in [
        ("daily", "/base/ari/daily/push", "dailyAris"),
        ("los", "/base/ari/los/push", "losAris"),
    ] {
        let (server, seen) = recording().await;
        let command = push(&go, &format!("{}/base/", server.base));
        let command = command.arg("--sample").arg(sample).arg("--count=3");
        let ran = command.arg("--token=bare,good").arg("--json").run().await;
        let shown = ran.json();
        assert_eq!(ran.status, 1);
        // In the list's order, whatever that of the names.
        assert_eq!(pushes(&shown)[0]["push"], "good");
        let answers = serde_json::json!([
            { "status": 204, "times": 2 }, { "status": 403, "times": 1 },
        ]);
        assert_eq!(named(&shown, "good")["answers"], answers);
        assert_eq!(named(&shown, "good")["ok"], false);

        let seen = std::mem::take(&mut *seen.0.lock().expect("not poisoned"));
        assert_eq!(seen.len(), 6);
        let mut tokens = std::collections::HashSet::new();
        for (at, (head, body)) in seen.iter().enumerate() {
            assert_eq!(head.uri.path(), path);
            let header = |name: &str| head.headers[name].to_str().expect("ASCII");
            assert_eq!(header("content-type"), "application/json;charset=utf-8");
            assert_eq!(header("accept-encoding"), "gzip");
            let token = header("authorization").strip_prefix("Bearer ");
            assert_eq!(token.is_some(), at < 3);
            let token = token.unwrap_or(header("authorization"));
            assert!(tokens.insert(token.to_owned()), "each is new");
            for part in token.split('.') {
                assert!(!ran.all().contains(part), "{}", ran.all());
            }
            assert_eq!(body["header"]["version"], "v4");
            assert!(body[member].is_array(), "{body}");
        }
        let command = push(&go, &server.base).arg("--token=good").arg("--count=2");
        let text = command.run().await.stdout;
        assert!(text.contains("204, 403"), "{text}");
    }
}
