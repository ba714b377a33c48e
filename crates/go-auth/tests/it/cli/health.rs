//! `go-auth health`, as the check of a container runs it.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::Command;

use derbysoft_go_simulator::Simulator;
use serde_json::Value;

use super::{Ran, go_auth};
use crate::gate_process::{GateProcess, settings_of};
use test_support::settle;

#[track_caller]
fn assert_said(ran: &Ran, status: u8, text: &str) {
    assert_eq!((ran.status, &*ran.stderr), (status, ""), "{}", ran.all());
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.all());
    ran.shows(text);
}

#[tokio::test]
async fn a_gate_serves_before_it_is_ready() {
    let go = Simulator::start().await.expect("a free port");
    let hold = go.hold();
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    let address = gate.address.to_string();
    let ask = |args: &[&str]| {
        go_auth(
            &["health", "--status", &address]
                .into_iter()
                .chain(args.iter().copied())
                .collect::<Vec<_>>(),
        )
    };
    assert_said(
        &ask(&[]).run().await,
        0,
        &format!("{address} answers /healthz with 200"),
    );
    let ran = ask(&["--ready"]).run().await;
    assert_said(
        &ran,
        1,
        &format!("/readyz at {address}: status 503: it has no keys"),
    );
    hold.release();
    while ask(&["--ready"]).run().await.status != 0 {
        settle().await;
    }
    let said = ask(&["--ready", "--json"]).run().await.json();
    let expected = serde_json::json!({
        "verdict": "healthy", "address": address, "path": "/readyz", "status": 200,
    });
    assert_eq!(said, expected);
}

#[tokio::test]
async fn the_address_is_that_of_the_gates_variables() {
    let go = Simulator::start().await.expect("a free port");
    let directory = tempfile::tempdir().expect("a directory");
    let socket = format!("unix:{}", directory.path().join("status").display());
    let variables = [("STATUS_LISTEN", &*socket)];
    let gate = GateProcess::start_given(&settings_of(&go, ""), &[], &variables, 1).await;
    let verdicts = gate.address.to_string();
    let port = gate.address.port();
    let health = || go_auth(&["health"]).var("LISTEN", &verdicts);
    let ran = health().var("STATUS_LISTEN", &socket).run().await;
    assert_said(&ran, 0, &format!("{socket} answers"));
    // The verdicts have an address of their own.
    for ran in [
        health().var("STATUS_LISTEN", "").run().await,
        go_auth(&["health"])
            .var("LISTEN", format!("0.0.0.0:{port}"))
            .run()
            .await,
        go_auth(&["health", "--status"])
            .arg(format!(":{port}"))
            .run()
            .await,
    ] {
        assert_said(
            &ran,
            1,
            "status 404: that is not the address of a gate's status",
        );
    }
}

#[tokio::test]
async fn a_gate_out_of_reach_is_unhealthy() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("gate");
    let nobody = format!("unix:{}", socket.display());
    let ran = go_auth(&["health", "--status", &nobody]).run().await;
    assert_said(&ran, 1, "there is no such socket");
    let hanging = UnixListener::bind(&socket).expect("a socket");
    let ran = go_auth(&["health", "--status", &nobody]).run().await;
    assert_said(&ran, 1, "no answer within 3 s");
    drop(hanging);
    let ran = go_auth(&["health", "--status", &nobody]).run().await;
    assert_said(&ran, 1, "connection refused: nothing listens there");

    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let ran = go_auth(&["health", "--json", "--status", &address])
        .run()
        .await;
    assert_eq!(ran.status, 1);
    let said: Value = ran.json();
    assert_eq!(said["verdict"], "unhealthy");
    assert_eq!(said["error"], "connection refused: nothing listens there");
}

/// Docker reserves 2, with which other commands end.
#[test]
fn a_command_that_lacks_something_is_unhealthy() {
    const FEW_FILES: &str = "ulimit -n 5; exec \"$@\"";
    let ran = Command::new("/bin/sh")
        .args(["-c", FEW_FILES, "sh", env!("CARGO_BIN_EXE_go-auth")])
        .args(["health", "--json"])
        .env_clear()
        .output();
    let ran = ran.expect("it runs");
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let said: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(said["verdict"], "unhealthy");
    let error = said["error"].as_str().expect("a text");
    assert!(error.contains("Too many open files"), "{error}");
}

#[tokio::test]
async fn an_address_that_names_no_place_is_wrong_usage() {
    for (status, fault) in [
        ("8082", "--status: \"8082\" is not HOST:PORT"),
        (":0", "the address :0 does not say which port it is"),
        (
            "systemd",
            "the address systemd does not say where the socket is",
        ),
    ] {
        let ran = go_auth(&["health", "--status", status]).run().await;
        assert_eq!((ran.status, &*ran.stdout), (64, ""));
        ran.reports(fault);
    }
    let ran = go_auth(&["health"]).var("STATUS_LISTEN", "x").run().await;
    assert_eq!(ran.status, 64);
    ran.reports("STATUS_LISTEN: \"x\" is not HOST:PORT");
}
