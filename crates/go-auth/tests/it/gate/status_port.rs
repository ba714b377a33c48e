//! A separate port for the status: then the other accepts nothing but genuine tokens.

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::gate_process::{GateProcess, kept_open, settings_of, unanswered};
use crate::process::fails;
use test_support::wire::head;
use test_support::{settle, soon};

const STATUS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

async fn go() -> Simulator {
    Simulator::start().await.expect("a free port")
}

/// The names of the issuers in the health.
fn issuers(health: &str) -> Vec<String> {
    let health: Value = serde_json::from_str(health).expect("JSON");
    let issuers = health["issuers"].as_array().expect("issuers");
    let name = |issuer: &Value| issuer["issuer"].as_str().expect("a name").to_owned();
    issuers.iter().map(name).collect()
}

/// Without its `path_prefix` Envoy asks at the path that the client has written; a slip
/// in an `address` makes Traefik ask at `/healthz` for everything.
#[tokio::test]
async fn beside_a_status_port_only_genuine_tokens_get_200() {
    let go = go().await;
    let gate = GateProcess::start_apart(&settings_of(&go, "")).await;
    let token = go.token();
    let credentials = [
        &[][..],
        &[("Authorization", "a.b.c")],
        &[("Authorization", &token)],
    ];
    let mut wire = gate.connect().await;
    for path in STATUS {
        for target in [
            path.to_owned(),
            format!("{path}?a=b"),
            format!("{path}/"),
            format!("/.{path}"),
            format!("{path}/..{path}"),
            format!("http://gate.example{path}"),
        ] {
            for method in ["GET", "POST", "PUT", "OPTIONS", "PROPFIND"] {
                for headers in credentials {
                    wire.write(head(method, &target, headers)).await;
                    let reply = wire.reply().await;
                    assert_eq!(reply.status, 404, "{method} {target} {headers:?}");
                    assert_eq!(reply.body, "not found\n");
                }
            }
            wire.write(head("HEAD", &target, &[])).await;
            assert_eq!(wire.reply_to_head().await.status, 404, "{target}");
        }
    }
    for (credential, status) in credentials.iter().zip([401, 401, 200]) {
        for target in ["/auth", "/auth/healthz", "/auth/../healthz"] {
            wire.write(head("GET", target, credential)).await;
            assert_eq!(wire.reply().await.status, status, "{target} {credential:?}");
        }
    }
}

#[tokio::test]
async fn a_status_port_serves_no_verdicts() {
    let go = go().await;
    let gate = GateProcess::start_apart(&settings_of(&go, "")).await;
    let token = go.token();
    assert_eq!(gate.verdict(&token).await.status, 200);
    assert_eq!(gate.get_status("/healthz").await.status, 200);
    assert_eq!(gate.get_status("/readyz").await.status, 200);
    let metrics = gate.get_status("/metrics").await;
    assert_eq!(metrics.status, 200);
    let accepted = format!(
        "go_auth_requests_total{{outcome=\"accepted\",kind=\"jwt\",issuer=\"{}\"}} 1",
        go.issuer()
    );
    assert!(metrics.body.contains(&accepted), "{}", metrics.body);
    let mut wire = gate.connect_for_status().await;
    for target in ["/auth", "/auth/ping", "/", "/auth/../healthz", "/healthz/"] {
        wire.write(head("GET", target, &[("Authorization", &token)]))
            .await;
        let reply = wire.reply().await;
        assert_eq!(reply.status, 404, "{target}");
        assert_eq!(reply.header("x-go-subject"), None);
    }
}

#[tokio::test]
async fn each_address_is_announced_in_a_line() {
    let go = go().await;
    let settings = settings_of(&go, "");
    let flag = ["--status-listen", "127.0.0.1:0"];
    let other = GateProcess::start(&settings).await;
    let taken = other.address.to_string();
    // A flag counts before the variable, and an empty variable as none.
    for (arguments, variable, apart) in [
        (&[][..], "", false),
        (&[], "127.0.0.1:0", true),
        (&flag[..], "", true),
        (&flag, &*taken, true),
    ] {
        let variables = [("STATUS_LISTEN", variable)];
        let addresses = 1 + usize::from(apart);
        let mut gate = GateProcess::start_given(&settings, arguments, &variables, addresses).await;
        let mut expected = vec![format!("listening on http://{}", gate.address)];
        if let Some(status) = gate.status_address {
            assert_ne!(status, gate.address);
            expected.push(format!("listening on http://{status} for the status"));
            assert_eq!(gate.get_status("/healthz").await.status, 200);
        } else {
            assert_eq!(gate.get("/healthz").await.status, 200);
        }
        gate.signal(Signal::TERM);
        assert_eq!(gate.exit().await.code(), Some(0));
        assert_eq!(gate.said(), expected);
        assert_eq!(expected.len(), addresses);
    }
}

#[tokio::test]
async fn nothing_serves_where_the_status_address_is_taken() {
    let go = go().await;
    let other = GateProcess::start(&settings_of(&go, "")).await;
    let taken = other.address.to_string();
    let jwks_url = go.jwks_url();
    let (status, text) = fails(|command| {
        command.args(["serve", "--status-listen", &taken]).envs([
            ("GO_AUTH_ISSUER", go.issuer()),
            ("GO_AUTH_AUDIENCE", go.audience()),
            ("GO_AUTH_JWKS_URL", &jwks_url),
        ]);
    })
    .await;
    assert_eq!(status, Some(2));
    let shown = format!("can't listen on \"{taken}\": ");
    assert!(text.contains(&shown), "{text}");
}

#[tokio::test]
async fn a_reload_takes_effect_at_both_addresses() {
    let before = go().await;
    let after = Simulator::builder()
        .issuer("https://id/after")
        .start()
        .await;
    let after = after.expect("a free port");
    let gate = GateProcess::start_apart(&settings_of(&before, "")).await;
    let addresses = (gate.address, gate.status_address);
    assert_eq!(gate.verdict(&before.token()).await.status, 200);
    let mut kept = gate.connect_for_status().await;
    kept.write(head("GET", "/readyz", &[])).await;
    assert_eq!(issuers(&kept.reply().await.body), [before.issuer()]);

    gate.configure(&settings_of(&after, ""));
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&after.token()).await.status, 200);
    assert_eq!(gate.verdict(&before.token()).await.status, 401);
    // Connections stay, and so do addresses.
    kept.write(head("GET", "/readyz", &[])).await;
    assert_eq!(issuers(&kept.reply().await.body), [after.issuer()]);
    assert_eq!(gate.get("/healthz").await.status, 404);
    let metrics = gate.get_status("/metrics").await.body;
    let done = "go_auth_gate_reloads_total{result=\"done\"} 1";
    assert!(metrics.lines().any(|line| line == done), "{metrics}");
    assert_eq!((gate.address, gate.status_address), addresses);
    assert_eq!(gate.said().len(), 2);
}

#[tokio::test]
async fn the_status_is_served_during_shutdown() {
    let go = go().await;
    let hold = go.hold();
    let mut gate = GateProcess::start_apart(&settings_of(&go, "key_wait = \"30s\"")).await;
    soon(go.wait_for_fetches(1)).await;
    let mut waiting = gate.connect().await;
    waiting
        .write(head("GET", "/auth", &[("Authorization", &go.token())]))
        .await;
    // It has begun once a later connection is answered.
    assert_eq!(gate.get("/healthz").await.status, 404);
    settle().await;
    let mut kept = gate.connect_for_status().await;
    kept.write(head("GET", "/healthz", &[])).await;
    assert_eq!(kept.reply().await.status, 200);
    let mut idle = gate.connect_for_status().await;

    gate.signal(Signal::TERM);
    gate.says("stopping").await;
    let refused = TcpStream::connect(gate.address).await;
    assert!(refused.is_err(), "no more verdicts");
    for _ in 0..2 {
        assert_eq!(gate.get_status("/healthz").await.status, 200);
        assert_eq!(gate.get_status("/readyz").await.status, 503);
        kept.write(head("GET", "/readyz", &[])).await;
        assert_eq!(kept.reply().await.status, 503);
    }
    let metrics = gate.get_status("/metrics").await.body;
    assert!(metrics.contains("go_auth_gate_connections "), "{metrics}");

    hold.release();
    assert_eq!(waiting.reply().await.status, 200);
    assert_eq!(gate.exit().await.code(), Some(0));
    kept.closed().await;
    idle.closed().await;
    let gone = TcpStream::connect(gate.status_address.expect("one of its own")).await;
    assert!(gone.is_err(), "it has ended");
}

#[tokio::test]
async fn neither_port_takes_connections_of_the_other() {
    const MOST_WATCHERS: usize = 16;
    const MOST_PROXIES: usize = 512;
    let go = go().await;
    let gate = GateProcess::start_apart(&settings_of(&go, "")).await;
    let token = go.token();
    let watched = gate.status_address.expect("one of its own");
    let request = head("GET", "/healthz", &[]);
    let watchers = kept_open(watched, MOST_WATCHERS, &request).await;
    let mut late = unanswered(watched, &request).await;
    assert_eq!(gate.verdict(&token).await.status, 200);
    drop(watchers);
    assert_eq!(late.reply().await.status, 200);

    let request = head("GET", "/auth", &[("Authorization", &token)]);
    let _proxies = kept_open(gate.address, MOST_PROXIES, &request).await;
    assert_eq!(gate.get_status("/readyz").await.status, 200);
    drop(late);
    // This one counts, too; the ends of the others may not have been seen yet.
    let expected = format!("go_auth_gate_connections {}\n", MOST_PROXIES + 1);
    let mut metrics = String::new();
    for _ in 0..200 {
        metrics = gate.get_status("/metrics").await.body;
        if metrics.contains(&expected) {
            return;
        }
        settle().await;
    }
    panic!("{metrics}");
}
