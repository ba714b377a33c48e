//! The command line: help, usage, and a reader that goes away.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{file, go_auth, path};
use test_support::forge::{AUDIENCE, ISSUER, KID, NOW, document, good, mint};

#[tokio::test]
async fn help_is_on_standard_output_with_status_0() {
    for (args, shown) in [
        (&["--help"][..], "Usage: go-auth"),
        (&["-h"], "verify"),
        (&["help", "keys"], "--jwks-url"),
        (&["serve", "--help"], "--status-listen"),
        (&["verify", "--help"], "GO_AUTH_AUDIENCE"),
        (&["simulate", "--help"], "authenticates"),
        (&["simulate", "push", "--help"], "--access-token"),
        (
            &["--version"],
            concat!("go-auth ", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        let ran = go_auth(args).run().await;
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{args:?}");
        ran.shows(shown);
    }
}

#[tokio::test]
async fn wrong_usage_is_reported_with_status_64() {
    for args in [
        &[][..],
        &["verfy"],
        &["verify", "--oops"],
        &["verify", "--at"],
        &["verify", "--at", "soon"],
        &["--color", "pink", "keys"],
        &["completions"],
        &["man", "nothing"],
        &["man", "push"],
        &["man", "simulate", "nothing"],
        &["man", "help"],
        &["man", "verify", "--all", "/tmp"],
    ] {
        let ran = go_auth(args)
            .var("GO_AUTH_ISSUER", "i")
            .var("GO_AUTH_AUDIENCE", "a")
            .run()
            .await;
        assert_eq!((ran.status, &*ran.stdout), (64, ""), "{args:?}");
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

/// What they complete is in `completions`, where the shell can be had.
#[tokio::test]
async fn completions_are_there_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = go_auth(&["completions", shell]).run().await;
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{shell}");
        for word in [
            "verify",
            "token-file",
            "status-listen",
            "push",
            "access-token",
        ] {
            assert!(ran.stdout.contains(word), "{shell} does not know {word}");
        }
    }
}

/// `go-auth … | head -1`: the verdict stands, without a panic.
#[test]
fn the_verdict_stands_where_the_reader_is_gone() {
    let keys = file(document(&[good().jwk(KID)]));
    for (token, status) in [(mint().token(), 0), (mint().expires_in(-31).token(), 1)] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_go-auth"))
            .args(["verify", "--keys", path(&keys), "--at", &NOW.to_string()])
            .args(["--issuer", ISSUER, "--audience", AUDIENCE])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        drop(program.stdout.take());
        let mut stdin = program.stdin.take().expect("piped");
        stdin.write_all(token.as_bytes()).expect("taken");
        drop(stdin);
        let output = program.wait_with_output().expect("its end");
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

/// A disk that is full is no verdict.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_gives_status_2() {
    let keys = file(document(&[good().jwk(KID)]));
    let token = file(mint().token());
    let output = Command::new(env!("CARGO_BIN_EXE_go-auth"))
        .args(["verify", "--keys", path(&keys), "--at", &NOW.to_string()])
        .args(["--issuer", ISSUER, "--audience", AUDIENCE])
        .args(["--token-file", path(&token)])
        .env_clear()
        .stdout(std::fs::File::create("/dev/full").expect("a full disk"))
        .stderr(Stdio::piped())
        .output()
        .expect("its end");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("go-auth: "));
}
