//! Several gates behind those proxies that can name them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use derbysoft_go_simulator::{Fault, Simulator};
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::{Stage, assert_come_again};
use test_support::wire::head;
use test_support::{eventually, soon};

const CONNECTIONS: usize = 4;

/// Requests between one restart and the next.
const BETWEEN: usize = 50;

pub(crate) async fn gates_restarted_in_turn_fail_no_request(proxy: &Proxy) {
    let go = Simulator::start().await.expect("a free port");
    let mut stage = Stage::of(go, proxy, "", 2, |shipped| shipped).await;
    let token = stage.go.token();
    for gate in &stage.gates {
        gate.comes_to(&token, 200).await;
    }

    tokio::time::sleep(proxy.checked_within).await;
    let (answered, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let mut load = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut wire = stage.connect().await;
        let request = head("GET", "/ping", &[("Authorization", &token)]);
        let (answered, is_over) = (Arc::clone(&answered), Arc::clone(&is_over));
        load.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                wire.write(&request).await;
                let reply = wire.reply().await;
                assert_eq!(reply.status, 200, "{reply:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for gate in [0, 1, 0, 1] {
        let enough = answered.load(Ordering::Relaxed) + BETWEEN;
        eventually("requests are answered", || {
            answered.load(Ordering::Relaxed) >= enough
        })
        .await;
        stage.restart(gate).await;
        stage.gates[gate].comes_to(&token, 200).await;
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.expect("no request failed");
    }
    assert_eq!(stage.api.calls(), answered.load(Ordering::Relaxed));
}

pub(crate) async fn another_gate_is_asked_where_one_has_ended(proxy: &Proxy) {
    const TIMES: usize = 8;
    let go = Simulator::start().await.expect("a free port");
    let mut stage = Stage::of(go, proxy, "", 2, |shipped| shipped).await;
    let token = stage.go.token();
    for gate in &stage.gates {
        gate.comes_to(&token, 200).await;
    }
    stage.gates[0].signal(Signal::TERM);
    stage.gates[0].exit().await;
    for _ in 0..TIMES {
        assert_eq!(stage.push_with(&token).await.status, 200);
    }
}

pub(crate) async fn a_gate_without_keys_is_not_asked(proxy: &Proxy) {
    const IN_A_ROW: usize = 20;
    let go = Simulator::start().await.expect("a free port");
    let settings = "key_wait = \"100ms\"";
    let mut stage = Stage::of(go, proxy, settings, 2, |shipped| shipped).await;
    let token = stage.go.token();
    stage.gates[0].comes_to(&token, 200).await;
    stage.go.fail(Fault::Status(503));
    stage.restart(1).await;
    assert_eq!(stage.gates[1].verdict(&token).await.status, 503);
    soon(async {
        let mut accepted = 0;
        while accepted < IN_A_ROW {
            accepted += 1;
            let reply = stage.push_with(&token).await;
            if reply.status != 200 {
                // The proxy does not know yet.
                assert_come_again(&reply);
                accepted = 0;
            }
        }
    })
    .await;
}
