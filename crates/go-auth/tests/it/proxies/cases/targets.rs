//! Ways around the gate by what is asked for.

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::{Stage, is_rejection};
use test_support::wire::head;

const TARGETS: &[&str] = &[
    "/",
    "/ping",
    "//ping",
    "/./ping",
    "/x/../ping",
    "/%70ing",
    "/ping%00",
    "/ping;a",
    "/ping?",
    "/.go-auth",
    "/.go-auth/",
    "/.go-auth/../ping",
    "/x/../.go-auth",
    "//.go-auth",
    "/%2ego-auth",
    "/.go-auth?a",
    "/.go-auth%2f..%2fping",
    "/@go_unavailable",
    "@go_unavailable",
    "/healthz",
    "/readyz",
    "/metrics",
    "/auth",
    "/auth/../healthz",
    "http://api/ping",
    "http://127.0.0.1:8081/healthz",
    "https://x/.go-auth",
    "http://go_auth/auth",
    "*",
    "ping",
    "127.0.0.1:8080",
];

pub(crate) async fn no_spelling_of_a_target_gets_around_the_gate(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    for method in ["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get"] {
        for target in TARGETS {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let request =
                    format!("{method} {target} {version}\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
                let mut wire = stage.connect().await;
                wire.write(request).await;
                // Some end what they do not take for HTTP.
                let reply = if method == "HEAD" {
                    wire.reply_to_head_if_any().await
                } else {
                    wire.reply_if_any().await
                };
                let own = proxy.answers.asterisk.filter(|_| *target == "*");
                assert!(
                    is_rejection(reply.as_ref()) || reply.as_ref().map(|it| it.status) == own,
                    "{method} {target} {version}: {reply:?}"
                );
            }
        }
    }
    // HTTP/0.9 has no headers, and so no credentials.
    let said = stage.proxy.all_of(b"GET /ping\r\n\r\n").await;
    assert!(!String::from_utf8_lossy(&said).contains("handled"));
    assert_eq!(stage.api.calls(), 0);
}

/// What a client writes, and what some proxies make of it.
const SPELLINGS: &[(&str, &str)] = &[
    ("/ping?a=b%20c&d", "/ping?a=b%20c&d"),
    ("/p%C3%BC", "/p%C3%BC"),
    ("/a;b=c", "/a;b=c"),
    ("/%70ing", "/ping"),
    ("/a%2Fb", "/a%2Fb"),
    ("/a%5Cb", "/a%5Cb"),
    ("/a//b", "/a/b"),
    ("/x/../ping", "/ping"),
    ("/x/%2e%2e/ping", "/ping"),
    ("/healthz", "/healthz"),
    ("/auth", "/auth"),
    ("/auth/../metrics", "/metrics"),
    ("/a\"b", "/a%22b"),
    ("/a<b>", "/a%3Cb%3E"),
    ("/a`b", "/a%60b"),
    ("/a{b}|c^d", "/a%7Bb%7D%7Cc%5Ed"),
    ("/?a=\"<>`", "/?a=%22%3C%3E%60"),
];

/// As the client wrote it or normalised, or not at all.
pub(crate) async fn an_accepted_target_is_the_one_that_the_api_gets(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    let mut accepted = 0;
    for (target, normalised) in SPELLINGS {
        let calls = stage.api.calls();
        let request = head("GET", target, &[("Authorization", &token)]);
        let reply = stage.send(request).await;
        if stage.api.calls() == calls {
            assert!(is_rejection(reply.as_ref()), "{target}: {reply:?}");
            continue;
        }
        assert_eq!(reply.expect("an answer").status, 200, "{target}");
        let received = stage.api.last().target;
        assert!(
            [*target, *normalised].contains(&&*received),
            "{target}: {received}"
        );
        accepted += 1;
        // It is no way in.
        let request = head("GET", target, &[("Authorization", "a.b.c")]);
        let reply = stage.send(request).await.expect("an answer");
        assert_eq!(reply.status, 401, "{target}");
        assert_eq!(stage.api.calls(), calls + 1, "{target}");
    }
    assert!(accepted > 8, "{accepted}");
}

/// Where the gate is asked is no place of the proxy's own, and the body is the API's.
pub(crate) async fn a_push_to_the_gates_own_path_reaches_the_api(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    for method in ["GET", "POST"] {
        let headers = [("Authorization", &*token), ("Content-Length", "5")];
        let request = head(method, "/auth", &headers) + "rates";
        let reply = stage.send(request).await.expect("an answer");
        assert_eq!(reply.status, 200, "{method}");
        let received = stage.api.last();
        assert_eq!((&*received.method, &*received.target), (method, "/auth"));
        assert_eq!(received.body, "rates", "{method}");
    }
}
