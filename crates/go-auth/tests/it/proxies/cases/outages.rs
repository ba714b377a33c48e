//! No keys, no gate, and one that hangs: the API is closed, and GO is to come again.

use derbysoft_go_simulator::{Fault, Simulator};
use rustix::process::Signal;

use crate::proxies::proxy::{Proxy, RetryAfter};
use crate::proxies::stage::{Stage, assert_come_again};
use test_support::soon;
use test_support::wire::{Reply, head};

pub(crate) async fn an_outage_of_the_keys_is_503_and_no_rejection(proxy: &Proxy) {
    let go = Simulator::start().await.expect("a free port");
    go.fail(Fault::RedirectNotFound);
    let stage = Stage::of(go, proxy, "cooldown = \"60s\"", 1, |shipped| shipped).await;
    soon(stage.go.wait_for_fetches(1)).await;
    let reply = stage.push_with(&stage.go.token()).await;
    assert_come_again(&reply);
    let seconds = |reply: &Reply| -> i32 {
        let value = reply.header("retry-after").expect("when to come again");
        value.parse().expect("a number")
    };
    match proxy.answers.retry_after {
        RetryAfter::Gate => {
            let gate = stage.gate().verdict(&stage.go.token()).await;
            let apart = seconds(&reply) - seconds(&gate);
            assert!(apart.abs() <= 1, "{reply:?} {gate:?}");
            assert!(seconds(&reply) < 8, "{reply:?}");
        }
        RetryAfter::Proxy => assert_eq!(seconds(&reply), 10),
        RetryAfter::Either => {}
    }
    assert_eq!(stage.api.calls(), 0);
}

pub(crate) async fn without_its_gate_the_api_is_closed(proxy: &Proxy) {
    let mut stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    stage.gate().signal(Signal::KILL);
    stage.gates[0].exit().await;
    for authorization in [&*token, "a.b.c", "Basic dXNlcg=="] {
        let reply = stage.push_with(authorization).await;
        assert_no_gate(proxy, &reply);
    }
    assert_eq!(stage.api.calls(), 1);
}

pub(crate) async fn a_gate_that_hangs_closes_the_api_too(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    stage.gate().signal(Signal::STOP);
    // Its threads stop one after the other.
    let mut pushes = 1;
    let limit = proxy.answers.patience * 2;
    let closed = tokio::time::timeout(limit, async {
        loop {
            let mut wire = stage.connect().await;
            wire.write(head("GET", "/ping", &[("Authorization", &token)]))
                .await;
            let reply = wire.reply_within(limit).await;
            if reply.status != 200 {
                break reply;
            }
            pushes += 1;
        }
    });
    let reply = closed.await.expect("nothing passes while the gate hangs");
    assert_no_gate(proxy, &reply);
    stage.gate().signal(Signal::CONT);
    assert_eq!(stage.api.calls(), pushes);
}

fn assert_no_gate(proxy: &Proxy, reply: &Reply) {
    if proxy.answers.no_gate == 503 {
        assert_come_again(reply);
        assert_eq!(reply.header("retry-after"), Some("10"));
    }
    assert_eq!(reply.status, proxy.answers.no_gate, "{reply:?}");
    assert_eq!(reply.header("www-authenticate"), None);
}
