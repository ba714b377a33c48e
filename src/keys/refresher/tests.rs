//! What a refresher takes over, what it holds back, and what it writes.

use std::path::PathBuf;

use test_support::eventually;

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::file::guarded_file::Writable;
use crate::jwt::jwks::tests;
use crate::keys::remote::Remote;
use crate::keys::snapshot::tests::snapshot;
use crate::keys::{KeyFile, Place};
use crate::net::bounded_http::FetchSettings;
use crate::net::client::LazyClient;
use crate::net::retry;

fn document(last: u8) -> Document {
    let keys = tests::document(&[tests::key("1", last)]);
    Document {
        keys: KeySet::from_document(keys.as_bytes()).expect("a key"),
        bytes: keys.into(),
        validator: None,
    }
}

/// Of a file, which is not read; with the number of its task.
fn shared(clock: &ManualClock, snapshot: Option<SnapshotFile>) -> (Arc<Shared>, u64) {
    begun(at(file("/keys.json"), snapshot, clock.clone()))
}

fn file(path: impl Into<PathBuf>) -> Place {
    Place::File(KeyFile::new(path.into(), 4096, Writable::Refused))
}

fn at(place: Place, snapshot: Option<SnapshotFile>, clock: impl Clock) -> Shared {
    let distrusted = Arc::default();
    Shared::new(
        "https://id/X".into(),
        place.source(LazyClient::default()),
        snapshot,
        Schedule {
            interval: Duration::from_secs(300),
            cooldown: Duration::from_secs(10),
            max_stale: Duration::from_secs(86_400),
            longest_retry: retry::LONGEST,
        },
        Arc::new(clock),
        Arc::new(ArcSwap::from_pointee(Published::empty(&distrusted))),
        distrusted,
    )
}

/// With the number of its task.
fn begun(shared: Shared) -> (Arc<Shared>, u64) {
    let begun = shared.core.pulse.begin(shared.core.now(), Due::Never);
    (Arc::new(shared), begun.expect("the first"))
}

/// A fetch of this document ends.
fn fetched((shared, number): &(Arc<Shared>, u64), last: u8) {
    let fetched = Fetched {
        document: Some(document(last)),
        max_age: None,
    };
    shared.publish(*number, shared.core.now(), Mode::Fresh, Ok(fetched));
}

#[test]
fn a_successor_takes_over_what_is_newer() {
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let [older, newer, untouched] = [(); 3].map(|()| shared(&clock, None));
    let held = |(shared, _): &(Arc<Shared>, u64)| shared.core.status().held.document.clone();
    fetched(&older, 1);
    clock.advance(Duration::from_secs(10));
    fetched(&newer, 3);
    newer.0.take_over(&older.0);
    assert_eq!(held(&newer).bytes, document(3).bytes);
    older.0.take_over(&newer.0);
    assert_eq!(held(&older).bytes, document(3).bytes);
    untouched.0.take_over(&newer.0);
    assert_eq!(held(&untouched).bytes, document(3).bytes);
}

#[test]
fn a_document_is_confirmed_for_an_hour_through_every_successor() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let first = shared(&clock, None);
    clock.advance(minutes(1000));
    fetched(&first, 1);
    // Suspended, or set back: the longer of both times counts.
    let start = clock.now();
    clock.advance(minutes(50));
    clock.step_to(start);

    // Its clock counts from its own start.
    let later = ManualClock::new(start);
    let second = shared(&later, None);
    second.0.take_over(&first.0);
    let may_be_confirmed = || {
        let now = second.0.core.now();
        second.0.core.status().held.may_be_confirmed(now)
    };
    later.advance(Duration::from_secs(599));
    assert!(may_be_confirmed());
    later.advance(Duration::from_secs(1));
    assert!(!may_be_confirmed());
}

fn on_system_clock() -> (Arc<Shared>, u64) {
    begun(at(file("/keys.json"), None, SystemClock::default()))
}

#[test]
fn a_successor_gains_nothing_from_the_keys_that_it_has_already() {
    let [predecessor, successor] = [(); 2].map(|()| on_system_clock());
    fetched(&predecessor, 1);
    successor.0.take_over(&predecessor.0);
    let mut times = 0;
    for _ in 0..1000 {
        // Its fetch has begun, and the predecessor has learnt nothing since.
        successor.0.core.status().overtaken = false;
        successor.0.take_over(&predecessor.0);
        times += usize::from(successor.0.core.status().overtaken);
    }
    assert_eq!(times, 0, "of 1000 times its fetch will be discarded");
}

/// The answer that a fetch brings which began before `take_over`.
fn answered_after(successor: &(Arc<Shared>, u64), take_over: impl FnOnce()) -> Document {
    let (core, number) = (&successor.0.core, successor.1);
    core.status().flight.want(&core.pulse, Wanted::Any);
    let step = successor.0.next_step(number);
    assert!(matches!(step, Some(Step::Fetch(_))), "a fetch is due");
    take_over();
    fetched(successor, 3);
    core.status().held.document.clone()
}

#[test]
fn an_answer_from_before_a_take_over_does_not_count() {
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let [predecessor, successor] = [(); 2].map(|()| shared(&clock, None));
    fetched(&predecessor, 1);
    let held = answered_after(&successor, || successor.0.take_over(&predecessor.0));
    assert_eq!(held.bytes, document(1).bytes, "it may be older");
}

#[test]
fn an_answer_counts_though_its_predecessor_has_learnt_nothing() {
    let [predecessor, successor] = [(); 2].map(|()| on_system_clock());
    fetched(&predecessor, 1);
    successor.0.take_over(&predecessor.0);
    let held = answered_after(&successor, || {
        for _ in 0..20 {
            successor.0.take_over(&predecessor.0);
        }
    });
    assert_eq!(held.bytes, document(3).bytes, "what was withdrawn counts");
}

#[test]
fn an_answer_counts_though_its_predecessor_has_no_keys() {
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let [predecessor, untouched, failing] = [(); 3].map(|()| shared(&clock, None));
    let (shared, number) = &failing;
    let failed = Err(FetchError::Timeout.into());
    shared.publish(*number, shared.core.now(), Mode::Fresh, failed);
    clock.advance(Duration::from_secs(1));
    for successor in [untouched, failing] {
        let held = answered_after(&successor, || successor.0.take_over(&predecessor.0));
        assert_eq!(held.bytes, document(3).bytes, "the outage goes on");
    }
}

#[test]
fn keys_that_nobody_watches_are_no_reason_to_be_ready() {
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let refreshed = shared(&clock, None);
    let (shared, _) = &refreshed;
    fetched(&refreshed, 1);
    clock.advance(Duration::from_secs(16));
    let now = shared.core.now();
    assert!(shared.current.load().keys(now.wall).is_empty());
    let state = shared.state_of(&shared.core.status(), now);
    assert!(matches!(state, KeysState::Empty { .. }), "{state:?}");
}

#[tokio::test]
async fn the_health_of_a_successor_of_expired_keys_has_keys_fetched() {
    let keys = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(keys.path(), document(1).bytes).expect("written");
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let handle = || at(file(keys.path()), None, clock.clone());
    let (predecessor, successor) = (begun(handle()), handle());
    fetched(&predecessor, 1);
    // The machine was suspended for longer than keys may be used.
    clock.step_to(UnixTime::from_secs(1_700_000_000 + 100_000));
    predecessor.0.expire(predecessor.1);
    successor.take_over(&predecessor.0);
    let successor = Remote::new(successor);
    eventually("fetched", || successor.state().0 == 1).await;
}

#[tokio::test]
async fn a_snapshot_that_expired_does_not_come_back_after_a_take_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let snapshot = snapshot(&directory);
    let start = UnixTime::from_secs(1_700_000_000);
    let clock = ManualClock::new(start);
    let settings = FetchSettings {
        address: "https://id.example/keys".parse().expect("an address"),
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        max_bytes: 4096,
    };
    let [predecessor, successor] = [(); 2].map(|()| {
        let place = Place::Address(settings.clone());
        begun(at(place, Some(snapshot.clone()), clock.clone()))
    });
    (snapshot.write(&document(1).bytes, None, start, start, start)).expect("written");
    let (shared, number) = &successor;
    shared.restore(*number).await;
    assert!(shared.has_keys(shared.core.now()), "restored");
    clock.advance(shared.schedule.max_stale);
    shared.expire(*number);
    assert!(!shared.has_keys(shared.core.now()), "expired");
    shared.take_over(&predecessor.0);
    // The wall clock is set back, and the task begins anew.
    clock.step_to(start.saturating_add(Duration::from_secs(10)));
    shared.restore(*number).await;
    assert!(!shared.has_keys(shared.core.now()), "it is trusted again");
}

#[tokio::test]
async fn while_a_write_hangs_only_the_latest_document_waits_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let snapshot = snapshot(&directory);
    let clock = ManualClock::new(UnixTime::from_secs(1_700_000_000));
    let refreshed = shared(&clock, Some(snapshot.clone()));
    let (shared, _) = &refreshed;
    let hanging = Arc::new(());
    shared.saving().writer = Arc::downgrade(&hanging);
    for last in [1, 3] {
        clock.advance(Duration::from_secs(10));
        fetched(&refreshed, last);
        shared.save();
    }
    assert!(shared.saving().writer.ptr_eq(&Arc::downgrade(&hanging)));

    shared.write_all(&snapshot, hanging);
    let restored = snapshot.read(clock.now(), Duration::from_secs(60));
    let restored = restored.expect("good").expect("there");
    assert_eq!(restored.document.bytes, document(3).bytes);
    assert!(shared.saving().next.is_none());
}
