//! Every order of what happens to a watched file and to the tokens in it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use shuttle::future::block_on;
use tempfile::NamedTempFile;

use super::*;
use crate::clock::ManualClock;
use crate::sync::{Handle as Runtime, any, check, is_dropped, join, pass, thread, within};

const TOKEN: &str = "53ac077700000000000000000000abcd";

const GOOD: &str = "[[token]]\napi = \"availability-peer\"\ntoken = \"53ac077700000000000000000000abcd\"\n\
    issued = 2026-11-01T00:00:00Z\n";

const REVOKED: &str = "[[token]]\napi = \"availability-peer\"\ntoken = \"53ac077700000000000000000000abcd\"\n\
    revoked = true\n";

/// The same, in a file that can't be used otherwise.
const REVOKED_IN_FAULT: &str = "[[token]]\napi = \"availability-peer\"\ntoken = \"53ac077700000000000000000000abcd\"\nrevoked = true\n\
    [[token]]\napi = \"nobody\"\n";

/// 2026-11-05T00:00:00Z
const START: UnixTime = UnixTime::from_secs(1_793_836_800);

fn accepts(source: &AccessTokenSource) -> bool {
    source.check(TOKEN, &Api::AVAILABILITY_PEER).is_ok()
}

/// How often a reading of the file has begun or ended.
fn ticks(shared: &Shared) -> u64 {
    let file = shared.file.as_ref().expect("a file");
    file.ticks.now().to
}

#[test]
fn one_watch_runs_however_many_begin_and_ends_with_its_handle() {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), GOOD).expect("written");
    let path = file.path().to_owned();
    check(1000, move || {
        let clock = Arc::new(ManualClock::new(START));
        let source = AccessTokenSource::file(&path, clock).expect("good");
        let runtime = Runtime::new();
        let users = [(); 3].map(|()| {
            let source = source.clone();
            within(&runtime, move || assert!(accepts(&source)))
        });
        join(users);
        let shared = Arc::downgrade(&source.0.shared);
        let ticks = || ticks(&shared.upgrade().expect("held"));
        while ticks() < 2 {
            thread::yield_now();
        }
        thread::yield_now();
        assert_eq!(ticks(), 2, "two watches");
        drop(source);
        is_dropped(&shared);
    });
}

/// Long enough for a watch to count as late.
const LONG: Duration = Duration::from_secs(40);

#[test]
fn a_lost_watch_is_replaced_by_one_other() {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), GOOD).expect("written");
    let path = file.path().to_owned();
    check(500, move || {
        let clock = ManualClock::new(START);
        let source = AccessTokenSource::file(&path, Arc::new(clock.clone())).expect("good");
        let (lost, driven) = (Runtime::new(), Runtime::new());
        let use_it = |runtime| {
            let source = source.clone();
            within(runtime, move || assert!(accepts(&source)))
        };
        let shared = Arc::downgrade(&source.0.shared);
        // The handle's, and one of each watch.
        let watches = || shared.strong_count() - 1;
        join([use_it(&lost)]);
        if any(2) == 0 {
            lost.shut_down();
            while watches() > 0 {
                thread::yield_now();
            }
        } else {
            lost.abandon();
            lost.is_at_rest();
            clock.advance(LONG);
            pass(LONG);
        }
        // The other one looks at the file.
        let ticks = || ticks(&shared.upgrade().expect("held"));
        let before = ticks();
        join([use_it(&driven)]);
        while ticks() == before {
            thread::yield_now();
        }
        lost.resume();
        while watches() > 1 {
            thread::yield_now();
        }
        join([use_it(&driven), use_it(&lost)]);
        assert_eq!(watches(), 1);
        drop(source);
        is_dropped(&shared);
    });
}

#[test]
fn a_revoked_token_is_not_accepted_again_by_an_older_check() {
    let file = NamedTempFile::new().expect("a file");
    let path = file.path().to_owned();
    check(1000, move || {
        let clock = ManualClock::new(START);
        fs::write(&path, GOOD).expect("written");
        let source = AccessTokenSource::file(&path, Arc::new(clock)).expect("good");
        let operator = {
            let (source, path) = (source.clone(), path.clone());
            within(&Runtime::new(), move || {
                // The watch begins, and may read the file as it is now.
                assert!(accepts(&source));
                thread::yield_now();
                let is_good = any(8) == 0;
                let content = if is_good { REVOKED } else { REVOKED_IN_FAULT };
                fs::write(&path, content).expect("written");
                assert_eq!(block_on(source.reload()).is_ok(), is_good);
                assert!(!accepts(&source), "still accepted");
                thread::yield_now();
                assert!(!accepts(&source), "accepted again");
            })
        };
        join([operator]);
    });
}
