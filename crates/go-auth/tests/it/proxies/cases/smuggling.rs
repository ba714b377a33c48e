//! Headers that claim to be the gate's.

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::{Stage, is_rejection};
use test_support::SUBJECT;

pub(crate) async fn no_spelling_of_a_header_passes_as_the_gates(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
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
    let (mut accepted, mut faults) = (0, Vec::new());
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
                let received = stage.api.since(calls);
                let Some(received) = received.first() else {
                    // The proxy would have none of it.
                    assert!(is_rejection(reply.as_ref()), "{line:?}: {reply:?}");
                    continue;
                };
                assert_eq!(stage.api.calls(), calls + 1, "{line:?}");
                accepted += 1;
                let connection = received.header("connection").unwrap_or_default();
                let forged = received.fields_with("admin");
                // They begin with, or go on, another header, and that is of no concern.
                let is_of_another = line.starts_with("x: y") || line.starts_with(' ');
                if reply.expect("an answer").status != 200
                    || &received.identity() != identity
                    || connection.to_ascii_lowercase().contains("go")
                    || !(forged.is_empty() || is_of_another)
                {
                    faults.push(format!("{line:?}: {:?}", received.fields));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Or nothing was shown.
    assert!(accepted > 20, "{accepted}");
}

pub(crate) async fn forged_headers_alone_are_not_accepted(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    for line in forgeries() {
        let request = format!("GET /ping HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n");
        let reply = stage.send(&request).await;
        assert!(is_rejection(reply.as_ref()), "{line:?}: {reply:?}");
    }
    assert_eq!(stage.api.calls(), 0);
}

/// Header lines that somebody may take for the gate's, in all spellings that a client can
/// write.
fn forgeries() -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["x-go-subject", "x-go-issuer", "x-go-token-id", "x-go-api"] {
        for separator in "-_.!~+*#$%&'^`| ".chars() {
            let separator = separator.to_string();
            lines.push(format!("{}: admin", name.replace('-', &separator)));
        }
        lines.push(format!("{}: admin", name.to_ascii_uppercase()));
        lines.push(format!("{}: admin", name.replacen('-', "_", 1)));
        lines.push(format!("{}: admin", name.replace("go-", "go_")));
        lines.push(format!("{}:admin", name.replace("x-go", "X-GO")));
        lines.push(format!("{name}: admin\r\n{name}: root"));
        lines.push(format!("{name}:\r\n{name}: admin"));
        for alias in ["_", ".", "!"].map(|separator| name.replace('-', separator)) {
            lines.push(format!("{name}: admin\r\n{alias}: admin"));
            lines.push(format!("{alias}: admin\r\n{name}: admin"));
        }
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
        "x_go_subject",
    ] {
        lines.push(format!("Connection: {nominated}"));
        lines.push(format!("Connection: keep-alive, {nominated}"));
        lines.push(format!("Proxy-Connection: {nominated}"));
        for alias in [
            "x-go-subject",
            "x_go_subject",
            "x.go.subject",
            "x!go!subject",
        ] {
            lines.push(format!("Connection: {nominated}\r\n{alias}: admin"));
            lines.push(format!("{alias}: admin\r\nConnection: close, {nominated}"));
        }
    }
    lines
}
