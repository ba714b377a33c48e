//! A year in a minute: the real handle and the real gateway on a simulated machine.
//!
//! Everything above the sockets, the disk and the clocks is the crate's own code, as it is
//! released. What is simulated:
//!
//! | | how |
//! |---|---|
//! | time | tokio's, paused: it jumps to whatever happens next. The [machine](time) has two clocks on it: elapsed time, which stands still while it is suspended, and the wall clock, which is stepped |
//! | the network | requests that [`send`](crate::net::client::send) would send are answered [here](server): by the key addresses of GO's issuers, in all their troubles and behind caches, and by its [token endpoint](gateway) |
//! | the disk | real files, but [each piece of work](crate::file::detached) on them takes as long as the history says; whoever writes a [file of keys](file) sees [what was read](crate::keys::simulated) |
//! | the log | a subscriber and a recorder that [panic](foreign) at times |
//!
//! A history is [what happens](year), at random by its seed: rotations, outages,
//! restarts, reloads, steps, suspensions, floods, renewals. What must hold is decided
//! from outside, by what the key addresses have answered: [`seen`] and [`world`] for keys,
//! [`access`] and [`gateway`] for the rest. A promise that is broken ends the history, with
//! its last events.
//!
//! `tests/year/run` runs it.

#![allow(
    clippy::unchecked_time_subtraction,
    reason = "an overflow ends a test, as it should"
)]

mod access;
mod file;
mod foreign;
mod gateway;
mod go;
mod seen;
mod server;
mod time;
mod world;
mod year;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use self::year::{DENSE, Scale, Tally, YEAR, live};

/// What happens in a handful of histories; in fewer something may not.
const HAPPENS: [&str; 33] = [
    "Access Tokens",
    "accepted",
    "calls",
    "calls without a token",
    "changes of Access Tokens",
    "client pairs",
    "client pairs refused",
    "confirmed by 304",
    "distrusted",
    "empty",
    "fetches",
    "fresh",
    "key_pending",
    "keys_unavailable",
    "of another issuer's key",
    "outside its time",
    "reads",
    "reads of no keys",
    "refreshes",
    "reloads",
    "requests for a token",
    "restored",
    "rotations",
    "runtimes lost",
    "signature",
    "stale",
    "starts",
    "steps of the clock",
    "suspended",
    "tokens renewed",
    "troubles",
    "troubles of a file",
    "unknown_key",
];

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Lives through so many histories, unless the environment says otherwise, on all processors.
fn live_all(scale: Scale, seeds: u64) -> Tally {
    let first = setting("YEAR_FIRST").unwrap_or(0);
    let seeds = setting("YEAR_SEEDS").unwrap_or(seeds);
    let next = AtomicU64::new(first);
    let live_some = || {
        let mut total = Tally::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return total;
            }
            match live(seed, scale, env::var_os("YEAR_TRACE").is_some()) {
                Ok(tally) => add(&mut total, tally),
                Err(notes) => panic!("YEAR_FIRST={seed} YEAR_SEEDS=1:\n{notes}"),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut total = Tally::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(live_some)).collect();
        for worker in workers {
            add(&mut total, worker.join().expect("every promise is kept"));
        }
    });
    let counts = total.iter().map(|(what, count)| format!("{count} {what}"));
    println!(
        "proof: {seeds} histories: {}",
        counts.collect::<Vec<_>>().join(", ")
    );
    total
}

fn add(total: &mut Tally, tally: Tally) {
    for (what, count) in tally {
        *total.entry(what).or_default() += count;
    }
}

#[test]
fn short_histories_keep_every_promise() {
    let total = live_all(DENSE, 8);
    if setting("YEAR_SEEDS").is_none() {
        for what in HAPPENS {
            assert!(total.contains_key(what), "nothing is tried of {what}");
        }
    }
}

#[test]
#[ignore = "takes minutes"]
fn a_year_keeps_every_promise() {
    let minutes = setting("YEAR_DAYS").map_or(YEAR.minutes, |days| days * 24 * 60);
    live_all(Scale { minutes, ..YEAR }, 1);
}

#[test]
fn a_seed_is_one_history() {
    let live = || live(7, DENSE, false).expect("every promise is kept");
    assert_eq!(live(), live());
}
