//! What follows a verdict on its connection.

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::{Stage, is_rejection};
use test_support::wire::head;

pub(crate) async fn a_verdict_is_of_one_request_of_its_connection(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    let good = head("GET", "/good", &[("Authorization", &token)]);
    let bad = head("GET", "/bad", &[]);
    let mut wire = stage.connect().await;
    wire.write(format!("{good}{bad}{good}{bad}")).await;
    for status in [200, 401, 200, 401] {
        assert_eq!(wire.reply().await.status, status);
    }
    // A request in the body of another is a body.
    let length = bad.len().to_string();
    let around = head(
        "POST",
        "/good",
        &[("Authorization", &token), ("Content-Length", &length)],
    );
    wire.write(format!("{around}{bad}")).await;
    assert_eq!(wire.reply().await.status, 200);
    assert_eq!(stage.api.last().body, bad);
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
    ] {
        let calls = stage.api.calls();
        let mut wire = stage.connect().await;
        let request =
            format!("POST /good HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n{framing}{bad}");
        wire.write(request).await;
        let first = wire.reply_if_any().await.map(|reply| reply.status);
        let second = wire.reply_if_any().await.map(|reply| reply.status);
        assert_ne!((first, second), (Some(200), Some(200)), "{framing:?}");
        let received = stage.api.since(calls);
        assert!(
            received.iter().all(|request| request.target == "/good"),
            "{framing:?}"
        );
    }
}

/// What a client asks to go on with instead of HTTP/1.1.
const UPGRADES: &[&str] = &[
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Connection: upgrade\r\nUpgrade: h2c",
    "Connection: UPGRADE\r\nUpgrade: TLS/1.0",
    "Connection: keep-alive, Upgrade\r\nUpgrade: anything",
    "Upgrade: h2c",
    "Connection: x-go-subject, upgrade\r\nUpgrade: websocket",
];

/// The API is asked for no other protocol, in which requests would pass unseen.
pub(crate) async fn no_upgrade_gets_past_the_gate(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    let mut accepted = 0;
    for upgrade in UPGRADES {
        let request = |authorization: &str| {
            format!(
                "GET /ping HTTP/1.1\r\nHost: x\r\n{upgrade}\r\nAuthorization: {authorization}\r\n\r\n"
            )
        };
        let calls = stage.api.calls();
        let reply = stage.send(request("a.b.c")).await;
        assert!(is_rejection(reply.as_ref()), "{upgrade:?}: {reply:?}");
        assert_eq!(stage.api.calls(), calls, "{upgrade:?}");

        let mut wire = stage.connect().await;
        wire.write(request(&token)).await;
        let reply = wire.reply_if_any().await;
        let received = stage.api.since(calls);
        let Some(received) = received.first() else {
            assert!(is_rejection(reply.as_ref()), "{upgrade:?}: {reply:?}");
            continue;
        };
        accepted += 1;
        assert_eq!(reply.expect("an answer").status, 200, "{upgrade:?}");
        let value = |name| received.header(name).unwrap_or_default();
        let connection = value("connection").to_ascii_lowercase();
        assert_eq!(value("upgrade"), "", "{upgrade:?}: {:?}", received.fields);
        assert!(!connection.contains("upgrade"), "{upgrade:?}");
        // What comes next is another request.
        wire.write(head("GET", "/next", &[])).await;
        let reply = wire.reply_if_any().await;
        assert!(is_rejection(reply.as_ref()), "{upgrade:?}: {reply:?}");
        assert_eq!(stage.api.calls(), calls + 1, "{upgrade:?}");
    }
    assert!(accepted > 0);
}

/// Not even GO gets a connection of its own to the API, in which requests would pass unseen.
pub(crate) async fn no_tunnel_gets_past_the_gate(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    for authorization in ["a.b.c", &token] {
        for target in ["api.example:80", "127.0.0.1:8080"] {
            let request = format!(
                "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\
                 Authorization: {authorization}\r\n\r\n"
            );
            let reply = stage.send(request).await;
            assert!(is_rejection(reply.as_ref()), "{target}: {reply:?}");
        }
    }
    assert_eq!(stage.api.calls(), 0);
}
