//! How the gate ends.

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::gate_process::{GateProcess, settings_of};
use test_support::wire::head;
use test_support::{settle, soon};

/// GO, a gate that trusts it, and a request that waits for keys.
macro_rules! waiting {
    ($go:ident, $gate:ident, $hold:ident, $wire:ident) => {
        let $go = Simulator::start().await.expect("a free port");
        let $hold = $go.hold();
        #[allow(unused_mut)]
        let mut $gate = GateProcess::start(&settings_of(&$go, "key_wait = \"30s\"")).await;
        soon($go.wait_for_fetches(1)).await;
        let mut $wire = $gate.connect().await;
        let token = $go.token();
        $wire
            .write(head("GET", "/auth", &[("Authorization", &token)]))
            .await;
        // It has begun once a later connection is answered.
        assert_eq!($gate.get("/healthz").await.status, 200);
        settle().await;
    };
}

#[tokio::test]
async fn either_signal_ends_the_gate_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let go = Simulator::start().await.expect("a free port");
        let mut gate = GateProcess::start(&settings_of(&go, "")).await;
        let mut idle = gate.connect().await;
        idle.write(head("GET", "/healthz", &[])).await;
        assert_eq!(idle.reply().await.status, 200);
        let mut untouched = gate.connect().await;
        assert_eq!(gate.get("/healthz").await.status, 200);
        gate.signal(signal);
        idle.closed().await;
        untouched.closed().await;
        assert_eq!(gate.exit().await.code(), Some(0));
        gate.says("stopped").await;
    }
}

#[tokio::test]
async fn requests_in_flight_are_answered_first() {
    waiting!(go, gate, hold, wire);
    // A request that is not complete yet.
    let mut half = gate.connect().await;
    half.write("GET /readyz HTTP/1.1\r\n").await;
    settle().await;

    gate.signal(Signal::TERM);
    gate.says("stopping").await;
    let refused = TcpStream::connect(gate.address).await;
    assert!(refused.is_err(), "it listens no more");
    hold.release();
    let reply = wire.reply().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("connection"), Some("close"));
    wire.closed().await;

    // It has keys, and would be ready if it were not shutting down.
    half.write("Host: x\r\n\r\n").await;
    let reply = half.reply().await;
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("\"fresh\""), "{}", reply.body);
    half.closed().await;
    assert_eq!(gate.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_gate_at_once() {
    waiting!(go, gate, hold, wire);
    gate.signal(Signal::TERM);
    gate.says("stopping").await;
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    wire.closed().await;
    drop(hold);
}

#[tokio::test]
async fn a_reload_that_waits_for_keys_delays_no_end() {
    let (go, slow) = (Simulator::start().await, Simulator::start().await);
    let (go, slow) = (go.expect("a free port"), slow.expect("a free port"));
    let mut gate = GateProcess::start(&settings_of(&go, "")).await;
    let hold = slow.hold();
    gate.configure(&settings_of(&slow, ""));
    gate.signal(Signal::HUP);
    soon(slow.wait_for_fetches(1)).await;
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    drop(hold);
}

#[tokio::test]
async fn signals_without_a_meaning_are_ignored() {
    let go = Simulator::start().await.expect("a free port");
    let mut gate = GateProcess::start(&settings_of(&go, "")).await;
    for (signal, name) in [(Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        gate.signal(signal);
        gate.says(&format!(
            "has no meaning here was ignored signal=\"{name}\""
        ))
        .await;
        assert_eq!(gate.get("/healthz").await.status, 200);
    }
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
}
