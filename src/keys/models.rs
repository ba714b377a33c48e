//! Every order of what happens to one issuer's keys.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::time::Duration;

use shuttle::future::block_on;

use super::staged::{COMMON, Staged};
use super::*;
use crate::clock::{ManualClock, Moment};
use crate::sync::{AtomicBool, Handle, any, check, pass, thread};

const ISSUER: &str = "https://id.example";
const START: UnixTime = UnixTime::from_secs(1_800_000_000);

fn start() -> ManualClock {
    ManualClock::new(START)
}

/// A thread of an application, within a runtime.
fn within(runtime: &Handle, act: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        runtime.enter();
        act();
    })
}

fn all(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// Nothing holds it any more, sooner or later.
fn is_dropped<T>(held: &Weak<T>) {
    while held.strong_count() > 0 {
        thread::yield_now();
    }
}

/// What an application may do with an issuer's keys.
fn use_once(keys: &KeySource, staged: &Staged) {
    let now = staged.now();
    match any(5) {
        0 => {
            let refreshed = block_on(keys.refresh().expect("fetched").result());
            if refreshed.is_ok() {
                let edition = keys.published().edition();
                assert!(edition >= Some(now), "{edition:?} is older than {now}");
            }
        }
        1 => {
            if let Some(pending) = keys.ready()
                && block_on(pending.result()).is_ok()
            {
                assert!(!keys.published().is_empty(), "ready without a key");
            }
        }
        2 => {
            let seen = keys.published();
            if let Demand::Wait(waiter) = keys.demand(&seen, START) {
                block_on(waiter.ended());
            }
        }
        3 => {
            // Given up while it waits.
            let seen = keys.published();
            drop(keys.demand(&seen, START));
            drop(keys.refresh());
        }
        _ => {
            let (count, state) = keys.state();
            let is_empty = matches!(state, KeysState::Empty { .. });
            assert!(!is_empty || count == 0 || !keys.published().is_empty());
        }
    }
}

#[test]
fn nobody_waits_for_ever_and_one_fetch_is_made_at_a_time() {
    check(4000, || {
        let clock = start();
        let staged = Staged::new(&clock, 1, 4);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let runtime = Handle::new();
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (keys, staged) = (Arc::clone(&keys), Arc::clone(&staged));
                within(&runtime, move || {
                    use_once(&keys, &staged);
                    use_once(&keys, &staged);
                })
            })
            .collect();
        staged.rotate();
        all(callers);
        let held = Arc::downgrade(&staged);
        drop((keys, staged));
        // The task ends with its handle.
        is_dropped(&held);
    });
}
