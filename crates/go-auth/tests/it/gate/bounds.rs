//! How much the gate takes from a client.

use derbysoft_go_simulator::Simulator;

use crate::gate_process::{GateProcess, kept_open, settings_of, unanswered};
use test_support::wire::head;

#[tokio::test]
async fn a_verdict_does_not_wait_for_the_body() {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    let token = go.token();
    for framing in [
        &[("Content-Length", "1000000000")][..],
        &[("Transfer-Encoding", "chunked")],
        &[("Content-Length", "1000"), ("Expect", "100-continue")],
    ] {
        let mut wire = gate.connect().await;
        let headers = [&[("Authorization", &*token)][..], framing].concat();
        wire.write(head("POST", "/auth/ari/daily/push", &headers))
            .await;
        // The first answer is the verdict, without a 100 before it.
        assert_eq!(wire.reply().await.status, 200, "{framing:?}");
        wire.closed().await;
    }
}

#[tokio::test]
async fn a_head_is_limited_to_the_longest_token() {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "max_token_bytes = 65536")).await;
    let long = go.mint().claim("x", "y".repeat(48_000)).token();
    assert!((64_000..65_536).contains(&long.len()), "{}", long.len());
    assert_eq!(gate.verdict(&long).await.status, 200);

    let mut wire = gate.connect().await;
    wire.write(head("GET", "/auth", &[("X", &"y".repeat(200_000))]))
        .await;
    let reply = wire.reply().await;
    assert_eq!(reply.status, 431);
    assert!(!reply.body.contains("yyy"));
    wire.closed().await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
}

#[tokio::test]
async fn what_is_not_http_gets_no_verdict() {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    for bytes in [
        &b"GET /auth HTTP/1.1\r\nAuthorization : Bearer x\r\n\r\n"[..],
        b"GET /auth HTTP/1.1\r\nX: a\0b\r\n\r\n",
        b"GET /au th HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let mut wire = gate.connect().await;
        wire.write(bytes).await;
        let reply = wire.reply_if_any().await;
        assert!(reply.is_none_or(|reply| reply.status == 400), "{bytes:?}");
    }
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    assert!(!gate.log().contains("Bearer"), "{}", gate.log());
}

#[tokio::test]
async fn a_connection_too_many_waits_for_another_to_end() {
    const MOST: usize = 512;
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    let request = head("GET", "/healthz", &[]);
    let mut open = kept_open(gate.address, MOST, &request).await;
    let mut late = unanswered(gate.address, &request).await;
    open.pop();
    assert_eq!(late.reply().await.status, 200);
}
