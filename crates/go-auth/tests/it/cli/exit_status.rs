//! Every command ends with the statuses that are documented, and with no others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;

use super::documentation::PAGE;
use super::documented::{commands, statuses};
use super::{file, go_auth, path};
use crate::process::{self, Process};
use test_support::distributor::Server;
use test_support::forge::{AUDIENCE, ISSUER, KID, NOW, document, good, mint};

/// The statuses with which commands ended.
type Seen = BTreeMap<&'static str, BTreeSet<u8>>;

#[tokio::test]
async fn every_command_ends_with_the_statuses_of_its_help() {
    let go = Simulator::builder().with_control().start().await;
    let go = go.expect("a free port");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").to_string();
    let mut seen = Seen::new();
    run_those_that_end(&go, &taken, &mut seen).await;
    run_those_that_serve(&go, &taken, &mut seen).await;
    // The program ends as its commands do.
    let all = seen.values().flatten().copied().collect();
    seen.insert("go-auth", all);

    for command in commands() {
        let documented: BTreeSet<_> = statuses(&command).into_keys().collect();
        assert_eq!(seen.get(&*command), Some(&documented), "{command}");
    }
}

async fn run_those_that_end(go: &Simulator, taken: &str, seen: &mut Seen) {
    let (keys, no_keys) = (file(document(&[good().jwk(KID)])), file(document(&[])));
    let simulator = &go.origin();
    let verify: Vec<String> = ["verify", "--issuer", ISSUER, "--audience", AUDIENCE, "--at"]
        .into_iter()
        .map(str::to_owned)
        .chain([NOW.to_string(), "--keys".to_owned()])
        .collect();
    let verify: Vec<&str> = verify.iter().map(|it| &**it).collect();
    let push = ["simulate", "push", "--simulator", simulator, "--token"];
    let nowhere = "http://127.0.0.1:1";
    let (jwks_url, good_token) = (&go.jwks_url(), &mint().token());
    // One that takes everything.
    let credulous = axum::Router::new().fallback(|| std::future::ready("ok"));
    let credulous = Server::start(credulous).await;
    let credulous = &*credulous.base;
    let healthy = credulous.trim_start_matches("http://");

    for (command, args, input) in [
        ("go-auth", vec!["--version"], ""),
        ("go-auth", vec!["--oops"], ""),
        (
            "go-auth verify",
            [&verify[..], &[path(&keys)]].concat(),
            good_token,
        ),
        (
            "go-auth verify",
            [&verify[..], &[path(&keys)]].concat(),
            "a.b.c",
        ),
        (
            "go-auth verify",
            [&verify[..], &[path(&no_keys)]].concat(),
            good_token,
        ),
        ("go-auth verify", vec!["verify"], good_token),
        ("go-auth keys", vec!["keys", "--jwks-url", jwks_url], ""),
        ("go-auth keys", vec!["keys", "--jwks-url", simulator], ""),
        ("go-auth keys", vec!["keys", "--jwks-url", nowhere], ""),
        ("go-auth keys", vec!["keys"], ""),
        ("go-auth serve", vec!["serve"], ""),
        ("go-auth health", vec!["health", "--status", healthy], ""),
        (
            "go-auth health",
            vec!["health", "--status", "127.0.0.1:1"],
            "",
        ),
        ("go-auth health", vec!["health", "--status", "nowhere"], ""),
        ("go-auth simulate", vec!["simulate", "--listen", taken], ""),
        ("go-auth simulate", vec!["simulate", "--account", "x"], ""),
        (
            "go-auth simulate push",
            [&push[..], &["good", credulous]].concat(),
            "",
        ),
        (
            "go-auth simulate push",
            [&push[..], &["expired", credulous]].concat(),
            "",
        ),
        (
            "go-auth simulate push",
            [&push[..], &["good", nowhere]].concat(),
            "",
        ),
        (
            "go-auth simulate push",
            vec!["simulate", "push", "nowhere"],
            "",
        ),
        ("go-auth completions", vec!["completions", "zsh"], ""),
        ("go-auth completions", vec!["completions"], ""),
        ("go-auth man", vec!["man"], ""),
        ("go-auth man", vec!["man", "--all", "/nowhere"], ""),
        ("go-auth man", vec!["man", "nothing"], ""),
    ] {
        let ran = go_auth(&args).stdin(input).run().await;
        seen.entry(command).or_default().insert(ran.status);
    }
    for address in [jwks_url, simulator, nowhere] {
        let check = go_auth(&["serve", "--check", "--online"]);
        let check = check
            .var("GO_AUTH_ISSUER", "i")
            .var("GO_AUTH_AUDIENCE", "a");
        let ran = check.var("GO_AUTH_JWKS_URL", address).run().await;
        seen.entry("go-auth serve").or_default().insert(ran.status);
    }
}

async fn run_those_that_serve(go: &Simulator, taken: &str, seen: &mut Seen) {
    // Settings that are good, and an address that is not free.
    let settings = |command: &mut Command| {
        command
            .env("GO_AUTH_ISSUER", "i")
            .env("GO_AUTH_AUDIENCE", "a");
        command.env("GO_AUTH_JWKS_URL", go.jwks_url());
    };
    let (status, _) = process::fails(|command| {
        settings(command);
        command.args(["serve", "--listen", taken]);
    })
    .await;
    let code = |status: Option<i32>| {
        status
            .and_then(|it| u8::try_from(it).ok())
            .expect("a status")
    };
    seen.entry("go-auth serve")
        .or_default()
        .insert(code(status));
    // Those that serve until a signal.
    for (name, args) in [("go-auth serve", "serve"), ("go-auth simulate", "simulate")] {
        let mut command = process::command();
        settings(command.arg(args));
        let (mut process, stdout, _) = Process::with_lines(command);
        stdout.says("listening on ").await;
        process.signal(Signal::TERM);
        let status = process.exit().await.code();
        seen.entry(name).or_default().insert(code(status));
    }
    // A disk that is full.
    for (name, args) in [
        ("go-auth completions", &["completions", "zsh"][..]),
        ("go-auth health", &["health", "--status", "127.0.0.1:1"]),
    ] {
        let full = Command::new(env!("CARGO_BIN_EXE_go-auth"))
            .args(args)
            .stdout(std::fs::File::create("/dev/full").expect("a full disk"))
            .stderr(Stdio::null())
            .status();
        let full = code(full.expect("it runs").code());
        seen.entry(name).or_default().insert(full);
    }
}

#[test]
fn the_guide_has_the_exit_statuses_of_the_help() {
    let (_, section) = PAGE.split_once("\n## Exit status\n").expect("a section");
    for command in commands() {
        let short = command.strip_prefix("go-auth ").unwrap_or(&command);
        for (status, text) in statuses(&command) {
            let row = format!("| `{short}` | {status} | {text} |\n");
            // The program's own are those of its commands.
            assert!(section.contains(&row) || short == "go-auth", "no {row}");
        }
    }
}
