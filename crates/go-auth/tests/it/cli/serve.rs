//! The standard output of `go-auth serve`, and its failures. What it serves is tested in
//! `gate`.

use derbysoft_go_simulator::Simulator;
use serde_json::Value;

use super::go_auth;
use crate::process::{Process, command};
use test_support::soon;

#[tokio::test]
async fn addresses_are_one_json_document_on_one_line() {
    let go = Simulator::start().await.expect("a free port");
    for status in [None, Some("127.0.0.1:0")] {
        let mut command = command();
        command
            .args(["serve", "--json"])
            .env("GO_AUTH_ISSUER", go.issuer())
            .env("GO_AUTH_AUDIENCE", go.audience())
            .env("GO_AUTH_JWKS_URL", go.jwks_url())
            .envs(status.map(|address| ("STATUS_LISTEN", address)));
        let (_serving, stdout, _) = Process::with_lines(command);
        let lines = stdout.enough(|lines| !lines.is_empty()).await;
        let shown: Value = serde_json::from_str(&lines.expect("a line")[0]).expect("JSON");
        let members = shown.as_object().expect("an object");
        assert_eq!(members.len(), 1 + usize::from(status.is_some()), "{shown}");
        let health = match status {
            Some(_) => &shown["status"],
            None => &shown["listening"],
        };
        let health = format!("{}/healthz", health.as_str().expect("an address"));
        let client = reqwest::Client::builder().no_proxy().build();
        let answer = client.expect("a client").get(health).send();
        assert_eq!(soon(answer).await.expect("an answer").status(), 200);
    }
}

#[tokio::test]
async fn a_system_fault_is_in_the_json_and_on_the_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").to_string();
    for command in ["serve", "simulate"] {
        let ran = go_auth(&[command, "--json", "--listen", &taken])
            .var("GO_AUTH_ISSUER", "i")
            .var("GO_AUTH_AUDIENCE", "a")
            .var("GO_AUTH_JWKS_URL", "http://127.0.0.1:1/keys")
            .run()
            .await;
        assert_eq!(ran.status, 2, "{}", ran.all());
        let said = ran.json();
        assert_eq!(said["error"], "system");
        let fault = said["faults"][0].as_str().expect("a fault");
        assert!(fault.starts_with("can't listen on "), "{fault}");
        ran.reports(fault);
    }
}

#[tokio::test]
async fn only_places_that_a_command_has_are_named() {
    for (command, has_flags) in [("serve", false), ("keys", true)] {
        let ran = go_auth(&[command]).var("GO_AUTH_LEEWAY", "1h").run().await;
        assert_eq!(ran.status, 64, "{}", ran.all());
        ran.reports("- ");
        let hint = ran.stderr.lines().skip_while(|line| !line.is_empty());
        let hint = hint.collect::<Vec<_>>().join(" ");
        assert_eq!(hint.contains("a flag (--jwks-url)"), has_flags, "{hint}");
        assert!(
            hint.contains("the file of --config or GO_AUTH_CONFIG (jwks_url)"),
            "{hint}"
        );
        assert!(hint.contains("variable (GO_AUTH_JWKS_URL)"), "{hint}");
    }
    let said = go_auth(&["serve", "--json"]).run().await;
    assert_eq!(said.status, 64);
    assert_eq!(said.json()["error"], "settings");
}
