//! What a proxy logs, in JSON, and what it tells the gate for its log.

use serde_json::Value;

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::{STRICT, Stage};
use test_support::{eventually, refused_tokens};

/// In this file of the proxy's; what the gate said is there in each line.
pub(crate) async fn the_access_log_has_the_reason_and_no_token(
    proxy: &Proxy,
    file: &str,
    said: fn(&Value) -> &Value,
) {
    let stage = Stage::set(proxy, STRICT).await;
    let path = stage.proxy.file(file);
    let log = || std::fs::read_to_string(&path).expect("a log");
    let lines = || -> Vec<Value> {
        let lines = log();
        let parsed = lines.lines().map(serde_json::from_str);
        let is_of_a_request = |line: &Value| line["status"].is_u64();
        parsed.flatten().filter(is_of_a_request).collect()
    };
    let mut pushes = vec![("", stage.go.mint().token_id("1").token())];
    pushes.extend(refused_tokens(&stage.go.mint()));
    pushes.retain(|(kind, _)| *kind != "too_long");
    for (n, (kind, token)) in pushes.iter().enumerate() {
        let reply = stage.push_with(token).await;
        assert_eq!(reply.status == 200, kind.is_empty(), "{kind}");
        eventually("it is logged", || lines().len() > n).await;
        let line = &lines()[n];
        assert_eq!(line["status"], reply.status, "{kind}");
        let challenge = reply.header("www-authenticate");
        if challenge.is_some() {
            assert_eq!(said(line).as_str(), challenge, "{kind}");
        }
    }
    assert_eq!(lines().len(), pushes.len());
    for (kind, token) in &pushes {
        let signature = token.rsplit('.').next().expect("a segment");
        assert!(!log().contains(signature), "{kind}");
    }
    // The questions are not logged as well.
    assert!(!log().contains("/auth"), "{}", log());
}

pub(crate) async fn a_rejections_line_has_the_trace_of_the_push(proxy: &Proxy) {
    const TRACE: &str = "00-11111111111111111111111111111111-2222222222222222-01";
    let stage = Stage::set(proxy, "").await;
    let reply = stage
        .push(&[("Authorization", "Bearer a.b.c"), ("Traceparent", TRACE)])
        .await;
    assert_eq!(reply.status, 401);
    stage.gate().says(TRACE).await;
}
