//! What the guide says of nginx alone.

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;

use super::NGINX;
use crate::proxies::stage::{STRICT, Stage, assert_come_again};
use test_support::wire::head;
use test_support::{eventually, refused_tokens, settle, soon};

/// The access log once it has so many lines: each is written after its answer.
async fn logged(stage: &Stage, lines: usize) -> String {
    let path = stage.proxy.file("access.log");
    let log = || std::fs::read_to_string(&path).expect("a log");
    eventually("all are logged", || log().lines().count() >= lines).await;
    log()
}

/// The way of `docs/guide/refused.md` begins there.
#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn the_access_log_has_the_reason_and_no_token() {
    let stage = Stage::set(&NGINX, STRICT).await;
    let mut pushes = vec![("", stage.go.token())];
    pushes.extend(refused_tokens(&stage.go.mint()));
    pushes.retain(|(kind, _)| *kind != "too_long");
    for (n, (kind, token)) in pushes.iter().enumerate() {
        let reply = stage.push_with(token).await;
        let log = logged(&stage, n + 1).await;
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
    let log = logged(&stage, pushes.len()).await;
    for (kind, token) in &pushes {
        assert!(!log.contains(token), "{kind}");
        let signature = token.rsplit('.').next().expect("a segment");
        assert!(!log.contains(signature), "{kind}");
    }
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn the_gate_itself_is_out_of_reach() {
    let stage = Stage::set(&NGINX, "").await;
    let token = stage.go.token();
    for target in [
        "/.go-auth",
        "/.go-auth?a",
        "/x/../.go-auth",
        "//.go-auth",
        "/%2ego-auth",
        "http://x/.go-auth",
    ] {
        for authorization in [&*token, "a.b.c"] {
            let request = head("GET", target, &[("Authorization", authorization)]);
            let reply = stage.send(request).await.expect("an answer");
            assert_eq!(reply.status, 404, "{target}");
            assert_eq!(reply.header("x-go-subject"), None);
            assert_eq!(reply.header("www-authenticate"), None);
        }
    }
    assert_eq!(stage.api.calls(), 0);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_push_in_flight_is_answered_at_the_end() {
    let go = Simulator::start().await.expect("a free port");
    let hold = go.hold();
    let mut stage = Stage::of(go, &NGINX, "key_wait = \"4s\"", 1, |shipped| shipped).await;
    soon(stage.go.wait_for_fetches(1)).await;
    let token = stage.go.token();
    let mut wire = stage.connect().await;
    wire.write(head("GET", "/ping", &[("Authorization", &token)]))
        .await;
    // It is there once the gate has two connections: this test's and nginx's.
    let mut probe = stage.gate().connect_for_status().await;
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
async fn nginx_set_to_ignore_answers_only_404() {
    let go = Simulator::start().await.expect("a free port");
    let ignoring = |shipped: String| {
        assert_eq!(shipped.matches("#ignore: ").count(), 5);
        shipped.replace("#ignore: ", "")
    };
    let stage = Stage::of(go, &NGINX, STRICT, 1, ignoring).await;
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
