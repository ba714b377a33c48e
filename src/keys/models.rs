//! Every order of what happens to one issuer's keys.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use shuttle::future::block_on;
use tracing::Dispatch;
use tracing::dispatcher::set_default;

use super::staged::{COMMON, SCHEDULE, Staged};
use super::*;
use crate::clock::{ManualClock, Moment};
use crate::sync::{
    AtomicBool, Handle, Heard, Hears, any, check, is_dropped, join, join_while, pass, react,
    thread, within,
};

const ISSUER: &str = "https://id.example";
const START: UnixTime = UnixTime::from_secs(1_800_000_000);

fn start() -> ManualClock {
    ManualClock::new(START)
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
    check(1000, || {
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
        join(callers);
        let held = Arc::downgrade(&staged);
        drop((keys, staged));
        // The task ends with its handle.
        is_dropped(&held);
    });
}

#[test]
fn a_runtime_that_shuts_down_leaves_nobody_waiting() {
    check(1000, || {
        let clock = start();
        let staged = Staged::new(&clock, 1, 4);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let (ending, lasting) = (Handle::new(), Handle::new());
        let callers: Vec<_> = [&ending, &ending, &lasting]
            .into_iter()
            .map(|runtime| {
                let (keys, staged) = (Arc::clone(&keys), Arc::clone(&staged));
                within(runtime, move || {
                    use_once(&keys, &staged);
                    use_once(&keys, &staged);
                })
            })
            .collect();
        ending.shut_down();
        join(callers);
        // Whoever is left has keys as before.
        let keys_of_last = Arc::clone(&keys);
        join([within(&lasting, move || {
            let keys = keys_of_last;
            while block_on(keys.refresh().expect("fetched").result()).is_err() {}
        })]);
        let held = Arc::downgrade(&staged);
        drop((keys, staged));
        is_dropped(&held);
    });
}

/// Long enough for a task to count as late, and for a request to have waited enough.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn another_task_takes_over_from_one_that_nobody_drives() {
    check(1000, || {
        let clock = start();
        let staged = Staged::new(&clock, 2, 0);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let (idle, driven) = (Handle::new(), Handle::new());
        let is_over = Arc::new(AtomicBool::new(false));
        let watcher = {
            let (keys, is_over) = (Arc::clone(&keys), Arc::clone(&is_over));
            thread::spawn(move || {
                let mut latest = None;
                while !is_over.load(SeqCst) {
                    let edition = keys.published().edition();
                    assert!(edition >= latest, "{edition:?} has replaced {latest:?}");
                    latest = edition;
                    thread::yield_now();
                }
            })
        };
        let early = {
            let keys = Arc::clone(&keys);
            // Its task may have ended in time, or not.
            within(&idle, move || {
                let _ = block_on(keys.refresh().expect("fetched").result());
            })
        };
        let keys_of_late = Arc::clone(&keys);
        let late = {
            let (staged, idle, clock) = (Arc::clone(&staged), idle.clone(), clock.clone());
            within(&driven, move || {
                let keys = keys_of_late;
                idle.abandon();
                clock.advance(LONG);
                pass(LONG);
                let now = staged.rotate();
                // The first call may still join what another caller had begun.
                let refresh = || block_on(keys.refresh().expect("fetched").result());
                while refresh().is_err() {
                    clock.advance(LONG);
                    pass(LONG);
                }
                let edition = keys.published().edition();
                assert_eq!(edition, Some(now));
                idle.resume();
            })
        };
        // Once the time is over that they wait at the longest, nobody waits any more.
        join_while([early, late], || {
            if any(8) == 0 {
                clock.advance(LONG);
                pass(LONG);
            }
        });
        is_over.store(true, SeqCst);
        join([watcher]);
        let held = Arc::downgrade(&staged);
        drop((keys, staged));
        is_dropped(&held);
    });
}

#[test]
fn a_task_that_takes_over_serves_those_who_wait() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(&clock, 3, 0);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let (idle, driven) = (Handle::new(), Handle::new());
        let within = |runtime: &Handle, act: fn(&KeySource)| {
            let keys = Arc::clone(&keys);
            within(runtime, move || act(&keys))
        };
        let wait_long = || {
            clock.advance(LONG);
            pass(LONG);
        };
        let refresh = |keys: &KeySource| {
            let refreshed = block_on(keys.refresh().expect("fetched").result());
            assert_eq!(refreshed, Ok(()));
        };
        join([within(&idle, refresh)]);
        clock.advance(SCHEDULE.cooldown);
        let demanded = Arc::new(AtomicBool::new(false));
        let early = {
            let (keys, demanded) = (Arc::clone(&keys), Arc::clone(&demanded));
            crate::sync::within(&idle, move || {
                let demand = keys.demand(&keys.published(), START);
                demanded.store(true, SeqCst);
                // With no limit of its own.
                if let Demand::Wait(waiter) = demand {
                    block_on(waiter.ended());
                }
            })
        };
        while !demanded.load(SeqCst) {
            thread::yield_now();
        }
        idle.abandon();
        idle.is_at_rest();
        wait_long();
        join([within(&driven, |keys| drop(keys.ready())), early]);
        // Nor is a later one left to the task that nobody drives.
        join([within(&idle, |keys| drop(keys.refresh()))]);
        wait_long();
        join([within(&driven, refresh)]);
        // Nor after one that nobody drives has missed a refresh.
        driven.abandon();
        driven.is_at_rest();
        clock.advance(SCHEDULE.interval);
        pass(SCHEDULE.interval);
        let last = Handle::new();
        join([within(&last, refresh)]);
        join([within(&last, refresh)]);
        idle.resume();
        driven.resume();
        let held = Arc::downgrade(&staged);
        drop((keys, staged));
        is_dropped(&held);
    });
}

#[test]
fn nothing_older_replaces_what_a_successor_has_taken_over() {
    check(3000, || {
        let clock = start();
        let staged = Staged::new(&clock, 2, 0);
        let runtime = Handle::new();
        let [old, new] = [(); 2].map(|()| {
            let keys = Arc::new(KeySource::staged(ISSUER, &staged));
            let fetching = Arc::clone(&keys);
            let refresh = move || {
                let refreshed = block_on(fetching.refresh().expect("fetched").result());
                assert_eq!(refreshed, Ok(()));
            };
            (keys, within(&runtime, refresh))
        });
        let rotation = thread::spawn(move || {
            clock.advance(Duration::from_secs(1));
            staged.rotate();
        });
        join([old.1]);
        let before = new.0.published().edition();
        new.0.take_over(&old.0);
        let taken = new.0.published().edition();
        assert!(taken >= before, "{taken:?} has replaced {before:?}");
        join([new.1, rotation]);
        let last = new.0.published().edition();
        assert!(last >= taken, "{last:?} has replaced {taken:?}");
    });
}

#[test]
fn a_distrusted_key_is_gone_once_the_call_returns() {
    check(1000, || {
        let clock = start();
        let staged = Staged::new(&clock, 2, 6);
        let predecessor = Arc::new(KeySource::staged(ISSUER, &staged));
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let runtime = Handle::new();
        let uses: Vec<_> = [&predecessor, &keys, &keys]
            .into_iter()
            .map(|keys| {
                let (keys, staged) = (Arc::clone(keys), Arc::clone(&staged));
                within(&runtime, move || {
                    use_once(&keys, &staged);
                    use_once(&keys, &staged);
                })
            })
            .collect();
        let distrust = {
            let keys = Arc::clone(&keys);
            within(&runtime, move || {
                keys.distrust([COMMON.into()].into());
                for _ in 0..4 {
                    assert!(!keys.published().has(COMMON), "it verifies again");
                    thread::yield_now();
                }
            })
        };
        staged.rotate();
        keys.take_over(&predecessor);
        join(uses);
        join([distrust]);
        assert!(!keys.published().has(COMMON), "it verifies again");
    });
}

#[test]
fn keys_that_expired_are_gone_until_newer_ones_are_fetched() {
    check(1500, || {
        let clock = start();
        let staged = Staged::new(&clock, 2, 3);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let predecessor = Arc::new(KeySource::staged(ISSUER, &staged));
        let runtime = Handle::new();
        let fetching = Arc::clone(&predecessor);
        join([within(&runtime, move || {
            let _ = block_on(fetching.refresh().expect("fetched").result());
        })]);
        let rotated = staged.rotate();
        let user = {
            let keys = Arc::clone(&keys);
            within(&runtime, move || {
                let refreshed = block_on(keys.refresh().expect("fetched").result());
                let edition = keys.published().edition();
                let is_older = edition.is_some_and(|edition| edition < rotated);
                assert!(refreshed.is_err() || !is_older, "refreshed to {edition:?}");
            })
        };
        let time = {
            let clock = clock.clone();
            thread::spawn(move || clock.advance(SCHEDULE.max_stale))
        };
        keys.take_over(&predecessor);
        join([user, time]);
        let published = keys.published();
        if !published.keys(Moment::now(&clock).wall).is_empty() {
            assert_eq!(published.edition(), Some(rotated), "expired");
        }
    });
}

#[test]
fn what_has_expired_does_not_come_back() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(&clock, 1, 0);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let runtime = Handle::new();
        let refresh = || {
            let keys = Arc::clone(&keys);
            within(&runtime, move || {
                let _ = block_on(keys.refresh().expect("fetched").result());
            })
        };
        join([refresh()]);
        staged.go_down();
        let time = {
            let clock = clock.clone();
            thread::spawn(move || clock.advance(SCHEDULE.max_stale))
        };
        join([refresh(), time]);
        // By a clock that is set back they would be good again.
        clock.step_to(START);
        while keys.published().has(COMMON) {
            thread::yield_now();
        }
    });
}

#[test]
fn what_is_reported_is_in_force_and_no_lock_is_held() {
    thread_local! {
        static HEARD: RefCell<Heard> = RefCell::default();
    }
    let subscriber = Dispatch::new(Hears(|heard| HEARD.set(heard)));
    let _default = set_default(&subscriber);
    check(1000, || {
        HEARD.take();
        let clock = start();
        let staged = Staged::new(&clock, 1, 3);
        let keys = Arc::new(KeySource::staged(ISSUER, &staged));
        let asked = Arc::downgrade(&keys);
        react(move || {
            let Heard { error, kids, .. } = HEARD.take();
            let Some(keys) = asked.upgrade() else { return };
            let known = kids.split('"').find_map(|kid| kid.parse().ok());
            assert!(keys.published().edition() >= known, "{kids} are not in use");
            // Of a task that was stopped: another may have been faster.
            let is_failure = !error.is_empty() && error != FetchError::Stopped.to_string();
            assert!(!is_failure || keys.outage().is_some(), "not failed yet");
            keys.state();
        });
        let (ending, lasting) = (Handle::new(), Handle::new());
        let callers = [&ending, &lasting].map(|runtime| {
            let (keys, staged) = (Arc::clone(&keys), Arc::clone(&staged));
            within(runtime, move || {
                use_once(&keys, &staged);
                use_once(&keys, &staged);
            })
        });
        staged.rotate();
        ending.shut_down();
        join(callers);
    });
}
