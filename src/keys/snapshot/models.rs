//! Every order of what is fetched, written and read again, by handles and processes that
//! share a snapshot. Reading and replacing the file is one step each, as it is for all
//! who read it.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use shuttle::future::block_on;

use super::tests::snapshot;
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::keys::KeySource;
use crate::keys::staged::{SCHEDULE, Staged};
use crate::sync::{AtomicBool, Handle, any, check, is_dropped, join, thread, within};

const ISSUER: &str = "https://id.example";

/// In memory, where there is such a place: each write waits for the disk.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    directory.expect("a directory")
}

/// The number of the document in the file.
fn written(file: &SnapshotFile, clock: &ManualClock) -> Option<u64> {
    let read = file.read(clock.now(), SCHEDULE.max_stale);
    let keys = read.expect("never half written")?.document.keys;
    keys.keys().find_map(|(kid, _)| kid.parse().ok())
}

#[test]
fn the_newest_keys_are_written_last_and_none_older_are_restored() {
    let directory = directory();
    let file = snapshot(&directory);
    check(600, move || {
        let _ = fs::remove_file(&file.path);
        let clock = ManualClock::new(UnixTime::from_secs(1_800_000_000));
        let staged = Staged::new(&clock, 2, 0);
        // Of a reload, or of two processes.
        let handles = [(); 2].map(|()| {
            let saved = KeySource::saved(ISSUER, &staged, Some(file.clone()));
            Arc::new(saved)
        });
        let (ending, lasting) = (Handle::new(), Handle::new());
        let users = [(0, &ending), (0, &lasting), (1, &lasting)].map(|(at, runtime)| {
            let keys = Arc::clone(&handles[at]);
            let refresh = move || block_on(keys.refresh().expect("fetched").result());
            within(runtime, move || {
                // It may have been the runtime's that has ended.
                let _ = refresh();
                let _ = refresh();
            })
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let watcher = {
            let (file, clock, is_over) = (file.clone(), clock.clone(), Arc::clone(&is_over));
            let handles = handles.clone().map(|keys| Arc::downgrade(&keys));
            thread::spawn(move || {
                let mut latest = [None; 3];
                while !is_over.load(SeqCst) {
                    let [one, other] = [0, 1].map(|at| {
                        let keys = handles[at].upgrade();
                        keys.map_or(latest[at], |keys| keys.published().edition())
                    });
                    let now = [one, other, written(&file, &clock)];
                    let is_older = now.iter().zip(&latest).any(|(now, latest)| now < latest);
                    assert!(!is_older, "{now:?} has replaced {latest:?}");
                    latest = now;
                    thread::yield_now();
                }
            })
        };
        for _ in 0..any(3) {
            staged.rotate();
        }
        ending.shut_down();
        join(users);
        let again = Arc::clone(&handles[0]);
        join([within(&lasting, move || {
            while block_on(again.refresh().expect("fetched").result()).is_err() {}
        })]);
        let newest = handles.iter().map(|keys| keys.published().edition()).max();
        // A write that was begun ends, whoever is gone.
        let held = Arc::downgrade(&staged);
        drop((handles, staged));
        is_dropped(&held);
        is_over.store(true, SeqCst);
        join([watcher]);
        assert_eq!(written(&file, &clock), newest.flatten(), "in the snapshot");
    });
}
