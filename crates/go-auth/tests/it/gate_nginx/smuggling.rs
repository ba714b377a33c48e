//! Ways around the gate, and headers that claim to be its own.

use derbysoft_go_simulator::Simulator;

use super::stage::Stage;
use test_support::SUBJECT;
use test_support::wire::head;

/// Header lines that somebody may take for the gate's, in all spellings that a client can
/// write.
fn forgeries() -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["x-go-subject", "x-go-issuer", "x-go-token-id", "x-go-api"] {
        for separator in ["-", "_", ".", "!", "~", "+", "*", " "] {
            lines.push(format!("{}: admin", name.replace('-', separator)));
        }
        lines.push(format!("{}: admin", name.to_ascii_uppercase()));
        lines.push(format!("{}: admin", name.replacen('-', "_", 1)));
        lines.push(format!("{}:admin", name.replace("x-go", "X-GO")));
        lines.push(format!("{name}: admin\r\n{name}: root"));
        lines.push(format!("{name}:\r\n{name}: admin"));
        lines.push(format!("{name} : admin"));
        lines.push(format!("{name}\t: admin"));
        lines.push(format!(" {name}: admin"));
        lines.push(format!("{name}:\r\n admin"));
        lines.push(format!("x: y\r\n {name}: admin"));
        lines.push(format!("x: y\n{name}: admin"));
        lines.push(format!("x: y\r{name}: admin"));
        lines.push(format!("{name}\0: admin"));
        lines.push(format!("{name}: admin\0"));
        lines.push(format!("\u{feff}{name}: admin"));
    }
    for nominated in [
        "x-go-subject",
        "X-Go-Subject, x-go-issuer, x-go-token-id, x-go-api, host",
    ] {
        lines.push(format!("Connection: {nominated}"));
        lines.push(format!("Connection: keep-alive, {nominated}"));
        lines.push(format!("Proxy-Connection: {nominated}"));
        lines.push(format!("Connection: {nominated}\r\nx-go-subject: admin"));
    }
    lines
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn no_spelling_of_a_header_passes_as_the_gates() {
    let stage = Stage::set("").await;
    let issuer = stage.go.issuer().to_owned();
    let whole = stage.go.mint().token_id("1").token();
    let bare = stage.go.mint().without("sub").without("jti").token();
    let cases = [
        (
            whole,
            vec![
                ("x-go-issuer", &*issuer),
                ("x-go-subject", SUBJECT),
                ("x-go-token-id", "1"),
            ],
        ),
        (bare, vec![("x-go-issuer", &*issuer)]),
    ];
    let mut let_in = 0;
    for (token, identity) in &cases {
        for line in forgeries() {
            for request in [
                format!(
                    "GET /ping HTTP/1.1\r\nHost: x\r\n{line}\r\nAuthorization: {token}\r\n\r\n"
                ),
                format!("GET /ping HTTP/1.0\r\nAuthorization: {token}\r\n{line}\r\n\r\n"),
            ] {
                let calls = stage.api.calls();
                let reply = stage.send(&request).await;
                if stage.api.calls() == calls {
                    // nginx would have none of it.
                    let status = reply.map(|reply| reply.status);
                    assert!(
                        status.is_none_or(|status| status == 400),
                        "{line:?}: {status:?}"
                    );
                    continue;
                }
                assert_eq!(reply.expect("an answer").status, 200, "{line:?}");
                assert_eq!(stage.api.calls(), calls + 1, "{line:?}");
                let received = stage.api.last();
                assert_eq!(&received.identity(), identity, "{line:?}");
                assert_eq!(received.header("connection"), None, "{line:?}");
                let text = format!("{:?}", received.head.headers);
                assert!(
                    !text.contains("admin") || line.starts_with("x: y"),
                    "{line:?}: {text}"
                );
                let_in += 1;
            }
        }
    }
    // Or nothing was shown.
    assert!(let_in > 100, "{let_in}");
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn forged_headers_alone_are_not_accepted() {
    let stage = Stage::set("").await;
    for line in forgeries() {
        let request = format!("GET /ping HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n");
        let reply = stage.send(&request).await;
        let status = reply.map(|reply| reply.status);
        assert!(
            matches!(status, None | Some(400 | 401)),
            "{line:?}: {status:?}"
        );
    }
    assert_eq!(stage.api.calls(), 0);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn no_spelling_of_a_target_gets_around_the_gate() {
    let stage = Stage::set("").await;
    let targets = [
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
    for method in ["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get"] {
        for target in targets {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let request =
                    format!("{method} {target} {version}\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
                let mut wire = stage.connect().await;
                wire.write(request).await;
                // nginx ends what it does not take for HTTP.
                let reply = if method == "HEAD" {
                    Some(wire.reply_to_head().await)
                } else {
                    wire.reply_if_any().await
                };
                let status = reply.map(|reply| reply.status);
                assert!(
                    matches!(status, None | Some(400 | 401 | 404 | 405)),
                    "{method} {target} {version}: {status:?}"
                );
            }
        }
    }
    // HTTP/0.9 has no headers, and so no credentials.
    let mut wire = stage.connect().await;
    wire.write("GET /ping\r\n").await;
    let mut said = Vec::new();
    wire.rest(&mut said).await;
    assert!(!String::from_utf8_lossy(&said).contains("handled"));
    assert_eq!(stage.api.calls(), 0);
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn the_gate_itself_is_out_of_reach() {
    let stage = Stage::set("").await;
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
async fn a_verdict_is_of_one_request_of_its_connection() {
    let stage = Stage::set("").await;
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
        let received = stage.api.received().split_off(calls);
        assert!(
            received.iter().all(|request| request.head.uri == "/good"),
            "{framing:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn claims_of_any_characters_are_one_header_each() {
    let go = Simulator::start().await.expect("a free port");
    let stage = Stage::of(go, "", 1, |shipped| shipped).await;
    let subject = "a,b\r\nx-go-api: c\r\n\r\nGET /bad HTTP/1.1\r\n\r\n";
    let token = stage
        .go
        .mint()
        .subject(subject)
        .token_id("$host \"ü\"")
        .token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    let received = stage.api.last();
    let identity = [
        ("x-go-issuer", stage.go.issuer()),
        (
            "x-go-subject",
            "a%2Cb%0D%0Ax-go-api:%20c%0D%0A%0D%0AGET%20/bad%20HTTP/1.1%0D%0A%0D%0A",
        ),
        ("x-go-token-id", "$host%20\"%C3%BC\""),
    ];
    assert_eq!(received.identity(), identity);
    // The longest values of the gate fit through nginx as shipped.
    let longest = "a".repeat(1024);
    let token = stage.go.mint().subject(&longest).token_id(&longest).token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    assert_eq!(stage.api.last().header("x-go-token-id"), Some(&*longest));
    assert_eq!(stage.api.calls(), 2);
}
