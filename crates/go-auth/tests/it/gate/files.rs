//! The files that decide who gets in: Access Tokens withdrawn, and settings open to all.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use derbysoft_go_auth::access_token::Api;
use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;

use crate::gate_process::{GateProcess, settings_of};
use crate::process::fails;
use test_support::distributor::{TokenFile, entry, now};

const PEER: Api = Api::AVAILABILITY_PEER;
const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const ALLOWED: (&str, &str) = ("GO_AUTH_DANGER_ALLOW_WRITABLE_FILES", "true");

#[tokio::test]
async fn the_only_token_is_withdrawn_by_a_reload() {
    for (text, kind) in [
        (entry(&PEER, TOKEN, now()) + "revoked = true\n", "revoked"),
        ("token = []\n".to_owned(), "not known"),
    ] {
        let file = TokenFile::of(entry(&PEER, TOKEN, now()));
        let gate = GateProcess::start(&format!("access_tokens = {:?}\n", file.path())).await;
        assert_eq!(gate.verdict(TOKEN).await.status, 200);
        // Nothing in it is as if it were half written.
        file.write("");
        assert!(gate.reload().await.contains("there is no token"));
        assert_eq!(gate.verdict(TOKEN).await.status, 200);

        file.write(text);
        gate.signal(Signal::HUP);
        gate.says("settings reloaded").await;
        let refused = gate.verdict(TOKEN).await;
        assert_eq!(refused.status, 401);
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains(kind), "{challenge}");
    }
}

#[tokio::test]
async fn settings_writable_by_all_are_refused() {
    let go = Simulator::start().await.expect("a free port");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("go-auth.toml");
    // A file can't give this leave to itself.
    let more = "danger_allow_writable_files = true";
    std::fs::write(&path, settings_of(&go, more)).expect("written");
    set_permissions(&path, Permissions::from_mode(0o666)).expect("our own");
    let link = directory.path().join("link.toml");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    for path in [&path, &link] {
        let (status, shown) = fails(|command| {
            command.args(["serve", "--config"]).arg(path);
        })
        .await;
        assert_eq!(status, Some(64), "{shown}");
        assert!(shown.contains("everybody can write it"), "{shown}");
    }
}

#[tokio::test]
async fn the_environment_may_allow_writable_settings() {
    let go = Simulator::start().await.expect("a free port");
    let warning = "danger_allow_writable_files is set";
    for (variables, outcome) in [
        (&[][..], "everybody can write it"),
        (&[ALLOWED], "settings reloaded"),
    ] {
        let gate = GateProcess::start_over(&settings_of(&go, ""), variables).await;
        set_permissions(gate.settings(), Permissions::from_mode(0o666)).expect("our own");
        let line = gate.reload().await;
        assert!(line.contains(outcome), "{line}");
        assert_eq!(gate.verdict(&go.token()).await.status, 200);
        assert_eq!(gate.log().contains(warning), !variables.is_empty());
    }
}
