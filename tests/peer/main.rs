//! A key server and a gateway that misbehave at random, at the level of TCP, TLS and HTTP, beside
//! a model of what must be trusted. Ten minutes of it:
//!
//! ```text
//! PEER_SECONDS=600 cargo test --all-features --test peer -- --nocapture
//! PEER_SEED=4711 cargo test …
//! ```
//!
//! In `tests/other-features`, where reqwest has HTTP/2, also with an API that speaks it.
//!
//! By default each kind of misbehaviour occurs once, from a seed of its own each time. The seed is
//! printed, and with it the same behaviours follow each other again.
//!
//! A process of its own: it counts file descriptors and memory.

#![allow(clippy::expect_used, clippy::print_stdout)]
#![allow(
    unexpected_cfgs,
    reason = "`http2` is a feature of `tests/other-features`"
)]

mod answers;
mod certificates;
mod counts;
mod gateway;
#[cfg(feature = "http2")]
mod http2;
mod keys;
mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use test_support::{millis, passive_runtime, secs};

use self::certificates::Protocol;
use self::gateway::GatewayRun;
use self::keys::KeysRun;

/// How much the process may grow once it has seen everything, in bytes.
const MARGIN: u64 = 48 << 20;

/// What is counted belongs to the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seed() -> u64 {
    let seed = std::env::var("PEER_SEED").map_or_else(
        |_| fastrand::u64(..1_000_000),
        |text| text.parse().expect("PEER_SEED is a number"),
    );
    println!("PEER_SEED={seed}");
    seed
}

fn length() -> Duration {
    std::env::var("PEER_SECONDS").map_or(Duration::ZERO, |text| {
        secs(text.parse().expect("PEER_SECONDS is a number of seconds"))
    })
}

#[test]
fn only_genuine_and_complete_documents_change_the_keys() {
    let _alone = alone();
    let (seed, end) = (seed(), Instant::now() + length());
    // The first one opens what all of a process share.
    drop(passive_runtime());
    let (before, runtime) = (open_files(), passive_runtime());
    let (counts, memory) = runtime.block_on(async {
        let mut run = KeysRun::begin(seed).await;
        run.round().await;
        let memory = resident();
        while Instant::now() < end {
            run.round().await;
        }
        (run.end().await, memory)
    });
    drop(runtime);
    println!("{counts}");
    let (fetches, verdicts) = (counts.behaviours(), counts.of("verdicts compared"));
    println!("proof: an unreliable key server: {fetches} fetches, {verdicts} verdicts");
    assert!(counts.of("genuine pushes accepted") > 100, "{counts}");
    let grown = resident().saturating_sub(memory);
    assert!(grown < MARGIN, "grown by {} KiB", grown >> 10);
    assert_no_more_files(before);
}

#[test]
fn a_token_and_a_secret_go_to_the_genuine_gateway_alone() {
    calls_go_out(Protocol::Http1);
}

#[cfg(feature = "http2")]
#[test]
fn the_same_holds_for_calls_over_http_2() {
    calls_go_out(Protocol::Http2);
}

fn calls_go_out(protocol: Protocol) {
    let _alone = alone();
    let (seed, end) = (seed(), Instant::now() + length());
    // The first one opens what all of a process share.
    drop(passive_runtime());
    let (before, runtime) = (open_files(), passive_runtime());
    let counts = runtime.block_on(async {
        let mut run = GatewayRun::begin(seed, protocol).await;
        run.round().await;
        while Instant::now() < end {
            run.round().await;
        }
        run.end().await
    });
    drop(runtime);
    println!("{counts}");
    let (fetches, calls) = (counts.behaviours(), counts.of("calls: sent once"));
    println!(
        "proof: an unreliable gateway, {protocol:?}: {fetches} fetches and calls, {calls} sent once"
    );
    assert!(counts.of("calls: sent once") > 50, "{counts}");
    assert_no_more_files(before);
}

/// The files that this process has open; 0 where that is unknown.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn assert_no_more_files(before: usize) {
    // Runtimes that were dropped close theirs a moment later.
    let patience = Instant::now() + secs(10);
    while open_files() > before && Instant::now() < patience {
        std::thread::sleep(millis(5));
    }
    assert!(
        open_files() <= before,
        "{} files, {before} before",
        open_files()
    );
}

/// The memory in use, in bytes; 0 where that is unknown.
fn resident() -> u64 {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    resident.unwrap_or(0) * PAGE
}
