//! Many requests at once, good and bad among each other, while nothing changes and while
//! something does: no verdict may be wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use derbysoft_go_simulator::{Mint, Simulator};
use rustix::process::Signal;
use tokio::task::{JoinHandle, JoinSet};

use super::NGINX;
use crate::gate_process::settings_of;
use crate::proxies::stage::{STRICT, Stage};
use test_support::wire::head;
use test_support::{refused_tokens, status_of};

const CONNECTIONS: usize = 16;

/// A credential, what becomes of it, and, where it is good, its `jti`.
#[derive(Clone)]
struct Case {
    authorization: String,
    status: u16,
    token_id: Option<String>,
}

/// Every second one good: some once, some again and again.
fn cases(mint: &Mint, count: usize) -> Vec<Case> {
    let refused: Vec<_> = refused_tokens(mint)
        .into_iter()
        .filter(|(kind, _)| *kind != "too_long")
        .collect();
    let again = mint.clone().token_id("again").token();
    let good = |number: usize| {
        let id = format!("jti-{number}");
        if number.is_multiple_of(4) {
            ("again".to_owned(), again.clone())
        } else {
            let token = mint.clone().token_id(&*id).token();
            (id, token)
        }
    };
    (0..count)
        .map(|number| {
            if number.is_multiple_of(2) {
                let (id, authorization) = good(number / 2);
                return Case {
                    authorization,
                    status: 200,
                    token_id: Some(id),
                };
            }
            let (kind, token) = &refused[number / 2 % refused.len()];
            Case {
                authorization: token.clone(),
                status: status_of(kind),
                token_id: None,
            }
        })
        .collect()
}

/// Sends all over some connections, each on its way as soon as the one before is
/// answered.
async fn send_all(stage: &Arc<Stage>, cases: Vec<Case>, done: &Arc<AtomicUsize>) {
    let cases: Arc<[Case]> = cases.into();
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (stage, cases) = (Arc::clone(stage), Arc::clone(&cases));
        let (next, done) = (Arc::clone(&next), Arc::clone(done));
        workers.spawn(async move {
            let mut wire = stage.connect().await;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(case) = cases.get(number) else {
                    return;
                };
                let target = format!("/ari/{number}");
                let headers = [("Authorization", &*case.authorization)];
                wire.write(head("GET", &target, &headers)).await;
                let reply = wire.reply().await;
                assert_eq!(reply.status, case.status, "{number}: {reply:?}");
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("no wrong verdict");
    }
    // What reached the API are the good ones, each once and as who it is.
    let mut reached = HashMap::new();
    for received in stage.api.received() {
        let target = received.target.clone();
        let id = received.header("x-go-token-id").map(str::to_owned);
        assert!(reached.insert(target, id).is_none(), "twice: {received:?}");
    }
    for (number, case) in cases.iter().enumerate() {
        let id = reached.remove(&format!("/ari/{number}"));
        assert_eq!(id, case.token_id.clone().map(Some), "{number}");
    }
    assert!(reached.is_empty(), "{reached:?}");
}

async fn stage(gates: usize) -> Arc<Stage> {
    let go = Simulator::start().await.expect("a free port");
    let stage = Stage::of(go, &NGINX, STRICT, gates, |shipped| shipped).await;
    for gate in &stage.gates {
        assert_eq!(gate.verdict(&stage.go.token()).await.status, 200);
    }
    Arc::new(stage)
}

/// A thousand requests, and how many of them are done.
fn load(stage: &Arc<Stage>) -> (JoinHandle<()>, Arc<AtomicUsize>) {
    let cases = cases(&stage.go.mint(), 1000);
    let done = Arc::<AtomicUsize>::default();
    let load = tokio::spawn({
        let (stage, done) = (Arc::clone(stage), Arc::clone(&done));
        async move { send_all(&stage, cases, &done).await }
    });
    (load, done)
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_thousand_requests_and_no_wrong_verdict() {
    let stage = stage(1).await;
    let cases = cases(&stage.go.mint(), 1000);
    send_all(&stage, cases, &Arc::default()).await;
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn reloads_under_load_and_no_wrong_verdict() {
    let stage = stage(1).await;
    let (load, done) = load(&stage);
    // In turn: others that are good, and some that are not.
    let good = settings_of(&stage.go, &format!("{STRICT}\nleeway = \"10s\""));
    let bad = settings_of(&stage.go, "leeway = \"6m\"");
    let mut reloads = 0;
    while done.load(Ordering::Relaxed) < 900 && !load.is_finished() {
        stage.gate().configure(&good);
        assert!(stage.gate().reload().await.contains("settings reloaded"));
        stage.gate().configure(&bad);
        assert!(
            stage
                .gate()
                .reload()
                .await
                .contains("the last good ones stay")
        );
        reloads += 2;
    }
    load.await.expect("no wrong verdict");
    assert!(reloads >= 2, "{reloads}");
}

#[tokio::test]
#[ignore = "needs nginx: see .ci/run"]
async fn a_gate_ends_under_load_and_no_wrong_verdict() {
    let stage = stage(2).await;
    let (load, done) = load(&stage);
    while done.load(Ordering::Relaxed) < 300 && !load.is_finished() {
        tokio::task::yield_now().await;
    }
    stage.gates[1].signal(Signal::TERM);
    stage.gates[1].says("stopped").await;
    assert!(!load.is_finished(), "it ended under load");
    load.await.expect("no wrong verdict");
}
