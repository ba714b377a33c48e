//! What operators and their tools ask the gate.

use derbysoft_go_simulator::{Fault, Simulator};
use serde_json::Value;

use crate::gate_process::{GateProcess, settings_of};
use test_support::millis;

#[tokio::test]
async fn readiness_follows_the_keys_liveness_does_not() {
    let go = Simulator::start().await.expect("a free port");
    let hold = go.hold();
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    // It fetches by itself, before anybody asks.
    test_support::soon(go.wait_for_fetches(1)).await;
    let reply = gate.get("/readyz").await;
    assert_eq!(reply.status, 503);
    let health: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(health["state"], "empty");
    assert_eq!(health["issuers"][0]["issuer"], go.issuer());
    assert_eq!(gate.get("/healthz").await.status, 200);

    hold.release();
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    let reply = gate.get("/readyz?verbose").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let health: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(health["state"], "fresh");
}

#[tokio::test]
async fn readiness_gives_the_reason_of_an_outage() {
    let go = Simulator::start().await.expect("a free port");
    go.fail(Fault::Status(500));
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    for _ in 0..100 {
        let health: Value = serde_json::from_str(&gate.get("/readyz").await.body).expect("JSON");
        if health["issuers"][0]["last_error"].is_string() {
            return;
        }
        tokio::time::sleep(millis(20)).await;
    }
    panic!("no reason is shown");
}

#[tokio::test]
async fn metrics_are_in_the_format_of_prometheus() {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    let idle = gate.connect().await;
    let reply = gate.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
    for line in [
        // Of what no request has asked for yet.
        "go_auth_token_cache_bytes 0",
        "# TYPE go_auth_gate_connections gauge",
        "go_auth_gate_connections 2",
        "go_auth_gate_reloads_total{result=\"done\"} 0",
        "go_auth_gate_reloads_total{result=\"refused\"} 0",
    ] {
        assert!(
            reply.body.lines().any(|other| other == line),
            "{}",
            reply.body
        );
    }
    drop(idle);

    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    let shown = gate.get("/metrics").await.body;
    for line in [
        "# TYPE go_auth_verify_seconds histogram",
        "go_auth_verify_seconds_bucket{le=\"0.0001\"} ",
        "go_auth_verify_seconds_bucket{le=\"+Inf\"} 1",
        "go_auth_keys_state{issuer=\"https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration\",state=\"fresh\"} 1",
    ] {
        assert!(
            shown.lines().any(|other| other.starts_with(line)),
            "{line}: {shown}"
        );
    }
}

#[tokio::test]
async fn other_paths_get_404() {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    for path in [
        "/",
        "/authx",
        "/auth%2fx",
        "/Auth",
        "//auth",
        "/healthz/",
        "/%61uth",
    ] {
        let reply = gate.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.body.contains("auth"), "{path}");
    }
    // Envoy puts what the client asked for behind /auth: that is no way around.
    for path in [
        "/auth/../healthz",
        "/auth/%2e%2e/readyz",
        "/auth/..%2fmetrics",
    ] {
        assert_eq!(gate.get(path).await.status, 401, "{path}");
    }
    let mut wire = gate.connect().await;
    wire.write("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 404);
}
