//! What a caller and the API see of each verdict.

use derbysoft_go_simulator::{Fault, Simulator};
use rustix::process::Signal;

use super::stage::Stage;
use test_support::wire::{Reply, head};
use test_support::{OTHER, SUBJECT, UNUSABLE, refused_tokens, settle, soon, status_of};

/// Demands all that `refused_tokens` violates.
const STRICT: &str =
    "subjects = [\"ds-go-module\"]\nmax_lifetime = \"300s\"\nrequired_claims = [\"jti\"]";

fn assert_come_again(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    let retry_after = reply.header("retry-after").expect("when to come again");
    assert!((1..=60).contains(&retry_after.parse().expect("whole seconds")));
    assert_eq!(reply.header("www-authenticate"), None);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_genuine_push_reaches_the_api_and_tells_who_it_is_from() {
    let stage = Stage::set("").await;
    let token = stage.go.mint().token_id("wOoSYqfOyuPFZPaLkSVVGQ").token();
    for authorization in [format!("Bearer {token}"), token] {
        let reply = stage.push_with(&authorization).await;
        assert_eq!((reply.status, &*reply.body), (200, "handled"));
        assert_eq!(reply.header("x-go-subject"), None);
        let received = stage.api.last();
        assert_eq!(received.head.method, "POST");
        assert_eq!(received.head.uri, "/ari/daily/push?a=b");
        assert_eq!(received.body, "rates");
        assert_eq!(received.header("host"), Some("api.example"));
        let identity = [
            ("x-go-issuer", stage.go.issuer()),
            ("x-go-subject", SUBJECT),
            ("x-go-token-id", "wOoSYqfOyuPFZPaLkSVVGQ"),
        ];
        assert_eq!(received.identity(), identity);
        assert_eq!(received.header("authorization"), None);
    }
    assert_eq!(stage.api.calls(), 2);
}

/// By itself nginx takes 1 MiB; the one that is refused is not even read.
#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_large_push_reaches_the_api() {
    let stage = Stage::set("").await;
    let token = stage.go.token();
    let update = "x".repeat(3 << 20);
    let length = update.len().to_string();
    let headers = [("Authorization", &*token), ("Content-Length", &length)];
    let request = head("POST", "/ari/los/push", &headers) + &update;
    let reply = stage.send(request).await.expect("an answer");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(stage.api.last().body.len(), update.len());
    // Its body never comes.
    let headers = [("Authorization", "a.b.c"), ("Content-Length", &length)];
    let reply = stage.send(head("POST", "/ari/los/push", &headers)).await;
    assert_eq!(reply.expect("an answer").status, 401);
    assert_eq!(stage.api.calls(), 1);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn every_method_and_form_of_request_gets_its_verdict() {
    let stage = Stage::set("").await;
    let token = stage.go.token();
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"] {
        let request = |authorization| head(method, "/ping", &[("Authorization", authorization)]);
        let reply = stage.send(request(&token)).await.expect("an answer");
        assert_eq!(reply.status, 200, "{method}");
        assert_eq!(stage.api.last().head.method, method);
        let reply = stage.send(request("a.b.c")).await.expect("an answer");
        assert_eq!(reply.status, 401, "{method}");
    }
    let calls = stage.api.calls();
    let mut wire = stage.connect().await;
    wire.write(head("HEAD", "/ping", &[("Authorization", "a.b.c")]))
        .await;
    assert_eq!(wire.reply_to_head().await.status, 401);
    wire.write(head("HEAD", "/ping", &[("Authorization", &token)]))
        .await;
    assert_eq!(wire.reply_to_head().await.status, 200);
    let http_1_0 = |token: &str| format!("GET /ping HTTP/1.0\r\nAuthorization: {token}\r\n\r\n");
    let reply = stage.send(http_1_0(&token)).await.expect("an answer");
    assert_eq!(reply.status, 200);
    let reply = stage.send(http_1_0("a.b.c")).await.expect("an answer");
    assert_eq!(reply.status, 401);
    assert_eq!(stage.api.calls(), calls + 2);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_refused_request_never_reaches_the_api() {
    let stage = Stage::set(STRICT).await;
    for (kind, token) in refused_tokens(&stage.go.mint()) {
        if kind == "too_long" {
            continue; // for nginx itself, as it is set by default
        }
        for authorization in [format!("Bearer {token}"), token] {
            let reply = stage.push_with(&authorization).await;
            assert_eq!(reply.status, status_of(kind), "{kind}");
            let challenge = reply.header("www-authenticate");
            if reply.status == 401 {
                let challenge = challenge.expect("a challenge");
                assert!(
                    challenge.contains(r#"error="invalid_token""#),
                    "{challenge}"
                );
            }
        }
    }
    let too_long = "x".repeat(9000);
    assert_eq!(stage.push_with(&too_long).await.status, 400);
    for lines in OTHER.iter().chain(&UNUSABLE) {
        let mut request = b"GET /ping HTTP/1.1\r\nHost: x\r\n".to_vec();
        for line in *lines {
            request.extend([b"Authorization: ", *line, b"\r\n"].concat());
        }
        let reply = stage.send([&request[..], b"\r\n"].concat()).await;
        let reply = reply.expect("an answer");
        // nginx itself refuses what is there twice.
        let expected = if lines.len() > 1 { 400 } else { 401 };
        assert_eq!(reply.status, expected, "{lines:?}");
        let challenge = reply.header("www-authenticate").is_some();
        assert_eq!(challenge, expected == 401, "{lines:?}");
    }
    assert_eq!(stage.api.calls(), 0);
}

/// The way of `docs/guide/refused.md` begins there.
#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn the_access_log_says_why_a_request_was_refused_and_no_token() {
    let stage = Stage::set(STRICT).await;
    let mut pushes = vec![("", stage.go.token())];
    pushes.extend(refused_tokens(&stage.go.mint()));
    pushes.retain(|(kind, _)| *kind != "too_long");
    for (n, (kind, token)) in pushes.iter().enumerate() {
        let reply = stage.push_with(token).await;
        let log = stage.logged(n + 1).await;
        let line = log.lines().nth(n).expect("a line");
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(line["status"], reply.status, "{kind}");
        assert_eq!(
            line["request"], "POST /ari/daily/push?a=b HTTP/1.1",
            "{kind}"
        );
        let said = line["gate"].as_str().expect("a text");
        assert_eq!(said.is_empty(), reply.status == 200, "{kind}");
        // nginx passes it on with 401 alone.
        if reply.status == 401 {
            assert_eq!(reply.header("www-authenticate"), Some(said), "{kind}");
        }
    }
    let log = stage.logged(pushes.len()).await;
    for (kind, token) in &pushes {
        assert!(!log.contains(token), "{kind}");
        let signature = token.rsplit('.').next().expect("a segment");
        assert!(!log.contains(signature), "{kind}");
    }
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn an_outage_of_the_keys_is_503_and_not_a_refusal() {
    let go = Simulator::start().await.expect("a free port");
    go.fail(Fault::RedirectNotFound);
    let stage = Stage::of(go, "cooldown = \"60s\"", 1, |shipped| shipped).await;
    soon(stage.go.wait_for_fetches(1)).await;
    let reply = stage.push_with(&stage.go.token()).await;
    assert_come_again(&reply);
    // The gate's own word, and not nginx's 10.
    let gate = stage.gate().verdict(&stage.go.token()).await;
    let seconds = |reply: &Reply| -> i32 {
        let value = reply.header("retry-after").expect("when to come again");
        value.parse().expect("a number")
    };
    assert!(
        (seconds(&reply) - seconds(&gate)).abs() <= 1,
        "{reply:?} {gate:?}"
    );
    assert!(seconds(&reply) < 8, "{reply:?}");
    assert_eq!(stage.api.calls(), 0);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn without_its_gate_the_api_is_closed() {
    let mut stage = Stage::set("").await;
    let token = stage.go.token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    stage.gate().signal(Signal::KILL);
    stage.gates[0].exit().await;
    for authorization in [&*token, "a.b.c", "Basic dXNlcg=="] {
        let reply = stage.push_with(authorization).await;
        assert_come_again(&reply);
        assert_eq!(reply.header("retry-after"), Some("10"));
    }
    assert_eq!(stage.api.calls(), 1);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_gate_that_hangs_closes_the_api_too() {
    let stage = Stage::set("").await;
    let token = stage.go.token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    stage.gate().signal(Signal::STOP);
    // Its threads stop one after the other.
    let mut pushes = 1;
    let reply = loop {
        let reply = stage.push_with(&token).await;
        if reply.status != 200 {
            break reply;
        }
        pushes += 1;
    };
    // After nginx's patience of 5 s.
    assert_come_again(&reply);
    stage.gate().signal(Signal::CONT);
    assert_eq!(stage.api.calls(), pushes);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_push_in_flight_is_answered_when_the_gate_is_told_to_end() {
    let go = Simulator::start().await.expect("a free port");
    let hold = go.hold();
    let mut stage = Stage::of(go, "key_wait = \"4s\"", 1, |shipped| shipped).await;
    soon(stage.go.wait_for_fetches(1)).await;
    let token = stage.go.token();
    let mut wire = stage.connect().await;
    wire.write(head("GET", "/ping", &[("Authorization", &token)]))
        .await;
    // It is there once the gate has two connections: this test's and nginx's.
    let mut probe = stage.gate().connect().await;
    loop {
        probe.write(head("GET", "/metrics", &[])).await;
        let metrics = probe.reply().await.body;
        if metrics.contains("go_auth_gate_connections 2") {
            break;
        }
    }
    settle().await;
    stage.gate().signal(Signal::TERM);
    stage.gate().says("stopping").await;
    hold.release();
    assert_eq!(wire.reply().await.status, 200);
    assert_eq!(stage.gates[0].exit().await.code(), Some(0));
    assert_eq!(stage.api.calls(), 1);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn told_to_ignore_nginx_answers_404_and_nothing_else() {
    let go = Simulator::start().await.expect("a free port");
    let ignoring = |shipped: String| {
        assert_eq!(shipped.matches("#ignore: ").count(), 5);
        shipped.replace("#ignore: ", "")
    };
    let stage = Stage::of(go, STRICT, 1, ignoring).await;
    let stranger = stage.go.mint().subject("somebody else").token();
    let expired = stage.go.mint().expires_in(-31).token();
    let mut replies = Vec::new();
    for authorization in ["a.b.c", "Basic dXNlcg==", "Bearer", &stranger, &expired] {
        let mut reply = stage.push_with(authorization).await;
        assert_eq!(reply.status, 404, "{authorization}");
        reply.headers.retain(|(name, _)| name != "date");
        replies.push(reply);
    }
    replies.dedup();
    assert_eq!(replies.len(), 1, "all alike: {replies:?}");
    assert_eq!(replies[0].header("www-authenticate"), None);
    assert_eq!(stage.push_with(&stage.go.token()).await.status, 200);
    assert_eq!(stage.api.calls(), 1);

    // An outage is no refusal.
    stage.gate().signal(Signal::KILL);
    let token = stage.go.token();
    loop {
        let reply = stage.push_with(&token).await;
        if reply.status != 200 {
            assert_come_again(&reply);
            break;
        }
    }
}
