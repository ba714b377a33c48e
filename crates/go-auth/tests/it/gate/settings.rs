//! Where the gate's settings come from, and what becomes of faults in them.

use derbysoft_go_auth::Config;
use derbysoft_go_simulator::Simulator;
use tokio::net::TcpListener;

use crate::gate_process::{GateProcess, settings_of};
use crate::process::fails;

/// Of sysexits(3), as for all of the command.
const EX_USAGE: i32 = 64;

async fn fails_with(settings: &str) -> (Option<i32>, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), settings).expect("written");
    fails(|command| {
        command.args(["serve", "--config"]).arg(file.path());
    })
    .await
}

#[tokio::test]
async fn the_environment_alone_is_enough_to_serve() {
    let go = Simulator::start().await.expect("a free port");
    let (address, issuer) = (go.jwks_url(), go.issuer());
    let gate = GateProcess::start_with(&[
        ("GO_AUTH_ISSUER", issuer),
        ("GO_AUTH_AUDIENCE", go.audience()),
        ("GO_AUTH_JWKS_URL", &address),
    ])
    .await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
}

#[tokio::test]
async fn the_file_overrides_the_environment_each_time() {
    let go = Simulator::start().await.expect("a free port");
    let other = Simulator::builder().audience("OTHER").start().await;
    let other = other.expect("a free port");
    let address = other.jwks_url();
    let variables = [
        ("GO_AUTH_AUDIENCE", other.audience()),
        ("GO_AUTH_JWKS_URL", &address),
        ("GO_AUTH_BODY", "key-not-authorised"),
        // Of the file's, which counts, it need not even be good.
        ("GO_AUTH_ISSUER", "no address"),
    ];
    let gate = GateProcess::start_over(&settings_of(&go, ""), &variables).await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    let reply = gate.verdict(&other.token()).await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.body, r#"{"error":"Key not authorised"}"#);

    gate.configure(&format!("issuer = \"{}\"", other.issuer()));
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&other.token()).await.status, 200);
    assert_eq!(gate.verdict(&go.token()).await.status, 401);
}

#[tokio::test]
async fn a_variable_names_the_file_that_is_read_again() {
    let go = Simulator::start().await.expect("a free port");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), settings_of(&go, "")).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    let gate = GateProcess::start_with(&[("GO_AUTH_CONFIG", path)]).await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    std::fs::write(file.path(), settings_of(&go, "subjects = \"nobody\"")).expect("written");
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&go.token()).await.status, 403);
}

#[track_caller]
fn assert_names(text: &str, faults: &[&str]) {
    for fault in faults {
        assert!(text.lines().any(|line| line.starts_with(fault)), "{text}");
    }
}

#[tokio::test]
async fn all_faults_of_file_and_environment_are_named() {
    let go = Simulator::start().await.expect("a free port");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), settings_of(&go, "leeway = \"6m\"")).expect("written");
    let (status, text) = fails(|command| {
        (command.args(["serve", "--config"]).arg(file.path())).envs([
            ("GO_AUTH_LEWAY", "1s"),
            ("GO_AUTH_COOLDOWN", "1ms"),
            ("GO_AUTH_KEY_WAIT", "soon"),
            ("GO_AUTH_ON_FAILURE", "ignore"),
        ]);
    })
    .await;
    assert_eq!(status, Some(EX_USAGE));
    let faults = [
        "- GO_AUTH_LEWAY is not a setting; did you mean GO_AUTH_LEEWAY?",
        "- GO_AUTH_KEY_WAIT is \"soon\", not a duration such as 30s or 5m",
        "- config: line 4: leeway is more than 5m",
        "- GO_AUTH_COOLDOWN is not from 100ms to 10m",
        "- GO_AUTH_ON_FAILURE: \"ignore\" is up to the proxy",
    ];
    assert_names(&text, &faults);
    assert_eq!(go.fetches(), 0);
}

#[tokio::test]
async fn all_faults_of_the_file_are_named() {
    let go = Simulator::start().await.expect("a free port");
    let settings = "on_failure = \"ignore\"\nleeway = \"6m\"\nkey_wait = \"0s\"";
    let (status, text) = fails_with(&settings_of(&go, settings)).await;
    assert_eq!(status, Some(EX_USAGE));
    let faults = [
        "- config: line 5: leeway is more than 5m",
        "- config: line 6: key_wait is not from 10ms to 30s",
        "- config: line 4: on_failure: \"ignore\" is up to the proxy",
    ];
    assert_names(&text, &faults);
    assert_eq!(go.fetches(), 0);
}

#[tokio::test]
async fn ignoring_alone_is_a_fault() {
    let go = Simulator::start().await.expect("a free port");
    let (status, text) = fails_with(&settings_of(&go, "on_failure = \"ignore\"")).await;
    assert_eq!(status, Some(EX_USAGE));
    assert!(text.contains("on_failure"), "{text}");
}

#[tokio::test]
async fn an_issuer_too_long_for_a_header_is_a_fault() {
    let issuer = "i".repeat(1025);
    let settings = format!(
        "issuer = \"x\"\naudience = [\"a\"]\njwks_url = \"https://id.example/keys\"\n\
        [[issuers]]\nissuer = \"{issuer}\"\naudience = [\"a\"]\njwks_url = \"https://id.example/other\"\n"
    );
    let (status, text) = fails_with(&settings).await;
    assert_eq!(status, Some(EX_USAGE));
    assert!(
        text.contains("issuer: longer than 1024 bytes in a header"),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_file_of_settings_is_named() {
    let (status, text) = fails(|command| {
        command.args(["serve", "--config", "/nowhere/go-auth.toml"]);
    })
    .await;
    assert_eq!(status, Some(EX_USAGE));
    assert!(
        text.contains("\"/nowhere/go-auth.toml\": No such file"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let go = Simulator::start().await.expect("a free port");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (status, text) = fails(|command| {
        command.arg("serve").envs([
            ("LISTEN", &*address),
            ("GO_AUTH_ISSUER", go.issuer()),
            ("GO_AUTH_AUDIENCE", go.audience()),
            ("GO_AUTH_JWKS_URL", &go.jwks_url()),
        ]);
    })
    .await;
    assert_eq!(status, Some(2));
    assert!(
        text.contains(&format!("can't listen on \"{address}\": ")),
        "{text}"
    );
}

#[test]
fn the_shipped_settings_are_good() {
    let shipped = include_str!("../../../../../examples/gate/go-auth.toml");
    for settings in [
        shipped.to_owned(),
        shipped.replace("\n#snapshot", "\nsnapshot"),
    ] {
        let config: Config = toml::from_str(&settings).expect("known names");
        config.build().expect("good values");
    }
}
