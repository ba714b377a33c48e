//! Several gates behind those proxies that can name them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::gate_process::{GateProcess, settings_of};
use crate::proxies::proxy::{Proxy, own_address};
use crate::proxies::stage::Stage;
use test_support::eventually;
use test_support::wire::head;

const CONNECTIONS: usize = 4;

/// Requests between one restart and the next.
const BETWEEN: usize = 50;

pub(crate) async fn gates_restarted_in_turn_fail_no_request(proxy: &Proxy) {
    let go = Simulator::start().await.expect("a free port");
    let settings = settings_of(&go, "");
    let addresses = [
        [own_address(), own_address()],
        [own_address(), own_address()],
    ];
    let mut gates = Vec::new();
    for address in addresses {
        gates.push(start(&settings, address).await);
    }
    let mut stage = Stage::with(go, proxy, gates, |shipped| shipped).await;
    let token = stage.go.token();

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
    for (gate, address) in [0, 1, 0, 1].map(|gate| (gate, addresses[gate])) {
        let enough = answered.load(Ordering::Relaxed) + BETWEEN;
        eventually("requests are answered", || {
            answered.load(Ordering::Relaxed) >= enough
        })
        .await;
        stage.gates[gate].signal(Signal::TERM);
        assert_eq!(stage.gates[gate].exit().await.code(), Some(0));
        stage.gates[gate] = start(&settings, address).await;
        stage.gates[gate].comes_to(&token, 200).await;
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.expect("no request failed");
    }
    assert_eq!(stage.api.calls(), answered.load(Ordering::Relaxed));
}

/// Wherever the proxy looks for it.
async fn start(settings: &str, [verdicts, status]: [SocketAddr; 2]) -> GateProcess {
    let (verdicts, status) = (verdicts.to_string(), status.to_string());
    let listen = ["--listen", &verdicts, "--status-listen", &status];
    GateProcess::start_given(settings, &listen, &[], 2).await
}
