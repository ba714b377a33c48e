//! The task that keeps one issuer's keys: fetches on demand and ahead of time,
//! publishes, expires, and saves the snapshot. All fetching is done here, one
//! fetch at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::Published;
use super::fetch::{Document, FetchError, Fetched, Fetcher, Validator};
use super::freshness::{Freshness, Schedule, Trust};
use super::health::KeysState;
use super::snapshot::{Restored, SnapshotFile};
use crate::clock::{Clock, Moment, UnixTime};
use crate::detached;
use crate::jwks::KeySet;
use crate::observe;

/// The keeper looks at both clocks at least this often: its timers stand still
/// while a machine is suspended, and the keys grow old all the same.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// How long the first fetch waits for the snapshot to be read: a disk that
/// hangs must not keep the keys away.
pub(super) const SNAPSHOT_WAIT: Duration = Duration::from_secs(1);

/// What the keeper and its handle share.
#[derive(Debug)]
pub(super) struct Shared {
    issuer: Box<str>,
    pub(super) fetcher: Fetcher,
    snapshot: Option<SnapshotFile>,
    pub(super) schedule: Schedule,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) current: Arc<ArcSwap<Published>>,
    status: Mutex<Status>,
    /// Wakes the keeper: somebody wants a fetch.
    pub(super) wanted: Notify,
    pub(super) progress: watch::Sender<Progress>,
    running: AtomicBool,
    saving: Mutex<Saving>,
}

/// What waiting requests are told.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Counted after the result is published.
    pub(super) fetches_ended: u64,
}

#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) freshness: Freshness,
    pub(super) last_error: Option<FetchError>,
    held: Held,
    /// A fetch is under way.
    pub(super) fetching: bool,
    /// Another is to follow at once.
    pub(super) wanted: bool,
}

/// The document that the published keys were read from.
#[derive(Debug, Default, Clone)]
struct Held {
    bytes: Bytes,
    validator: Option<Validator>,
}

impl Shared {
    pub(super) fn new(
        issuer: Box<str>,
        fetcher: Fetcher,
        snapshot: Option<SnapshotFile>,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
        current: Arc<ArcSwap<Published>>,
    ) -> Self {
        Self {
            issuer,
            fetcher,
            snapshot,
            schedule,
            clock,
            current,
            status: Mutex::default(),
            wanted: Notify::new(),
            progress: watch::Sender::default(),
            running: AtomicBool::new(false),
            saving: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// `None` where the keeper runs already.
    pub(super) fn begin_running(self: &Arc<Self>) -> Option<Running> {
        (!self.running.swap(true, Ordering::AcqRel)).then(|| Running(Arc::clone(self)))
    }

    fn next_step(&self) -> Step {
        let now = self.now();
        let mut status = self.status();
        let refresh = status.freshness.until_refresh(now);
        let is_due =
            std::mem::take(&mut status.wanted) || refresh.is_some_and(|wait| wait.is_zero());
        let expiry = status.freshness.until_expiry(&self.schedule, now);
        if expiry.is_some_and(|wait| wait.is_zero()) {
            // First, since a fetch takes a while, and at its end another may be wanted.
            status.wanted = is_due;
            return Step::Expire;
        }
        if is_due {
            status.fetching = true;
            return Step::Fetch;
        }
        let wait = refresh.into_iter().chain(expiry).min();
        Step::WaitUntil(wait.map(|wait| now.elapsed + wait.min(LONGEST_NAP)))
    }

    async fn fetch(&self) {
        let started = self.now();
        let validator = self.status().held.validator.clone();
        let published = self.current.load_full();
        let fetched = self
            .fetcher
            .fetch(&published.keys, validator.as_ref())
            .await;
        self.publish(started, fetched);
    }

    /// Publishes first, then counts the fetch as ended: who is woken sees the
    /// result. All of it under the lock, so that no ticket is given out between.
    fn publish(&self, started: Moment, fetched: Result<Fetched, FetchError>) {
        self.publish_under(&mut self.status(), started, fetched);
    }

    fn publish_under(
        &self,
        status: &mut Status,
        started: Moment,
        fetched: Result<Fetched, FetchError>,
    ) {
        let ended = self.now();
        status.fetching = false;
        match fetched {
            Ok(Fetched { document, max_age }) => {
                let jitter = fastrand::f64();
                (status.freshness).succeeded(&self.schedule, started, ended, max_age, jitter);
                status.last_error = None;
                let previous = self.current.load_full();
                let keys = match document {
                    Some(document) => Self::hold(status, document),
                    None => previous.keys.clone(),
                };
                observe::keys_refreshed(&self.issuer, &previous.keys, &keys);
                self.store(status, keys);
            }
            Err(error) => {
                observe::keys_fetch_failed(&self.issuer, &error);
                status.freshness.failed(started, ended, fastrand::f64());
                status.last_error = Some(error);
            }
        }
        self.progress
            .send_modify(|progress| progress.fetches_ended += 1);
    }

    fn hold(status: &mut Status, document: Document) -> KeySet {
        let Document {
            keys,
            bytes,
            validator,
        } = document;
        status.held = Held { bytes, validator };
        keys
    }

    fn store(&self, status: &Status, keys: KeySet) {
        // There was a success just now, so there is a deadline.
        if let Some(deadline) = status.freshness.deadline(&self.schedule) {
            self.current.store(Arc::new(Published { keys, deadline }));
        }
    }

    /// Lets go of keys that may not be used any more.
    fn expire(&self) {
        observe::keys_expired(&self.issuer);
        let mut status = self.status();
        status.held = Held::default();
        status.freshness.expired();
        self.current.store(Arc::new(Published::empty()));
    }

    /// How far the keys can be relied on.
    pub(super) fn state(&self, status: &Status, now: Moment) -> KeysState {
        let freshness = &status.freshness;
        let last_error = status.last_error.clone();
        match freshness.trust(&self.schedule, now) {
            Trust::Fresh | Trust::Due => KeysState::Fresh,
            Trust::Empty | Trust::Expired => KeysState::Empty { last_error },
            Trust::Stale => KeysState::Stale {
                age: freshness.age(now).unwrap_or_default(),
                deadline: freshness.deadline(&self.schedule).unwrap_or(now.wall),
                last_error,
            },
        }
    }

    /// Has the metrics say how the keys are now.
    pub(super) fn measure(&self) {
        let now = self.now();
        let (state, age) = {
            let status = self.status();
            (self.state(&status, now), status.freshness.age(now))
        };
        let usable = !matches!(state, KeysState::Empty { .. });
        let age = age.filter(|_| usable);
        let keys = self.current.load().keys(now.wall).len();
        observe::key_set(&self.issuer, keys, age, state.as_str());
    }

    /// Serves from the snapshot until the first fetch has ended.
    async fn restore(&self) {
        let Some(file) = self.snapshot.clone() else {
            return;
        };
        let now = self.now();
        let max_stale = self.schedule.max_stale;
        let read = detached::run(move || file.read(now.wall, max_stale));
        match tokio::time::timeout(SNAPSHOT_WAIT, read).await {
            Ok(Ok(Ok(Some(Restored { document, age })))) => {
                let mut status = self.status();
                status.freshness.restored(&self.schedule, now, age);
                let keys = Self::hold(&mut status, document);
                observe::keys_restored(&self.issuer, age, &self.current.load().keys, &keys);
                self.store(&status, keys);
                self.progress.send_modify(|_| ());
            }
            Ok(Ok(Ok(None))) => {}
            Ok(Ok(Err(error))) => observe::snapshot_not_used(&self.issuer, &error),
            Ok(Err(error)) => observe::snapshot_not_used(&self.issuer, &error),
            Err(elapsed) => observe::snapshot_not_used(&self.issuer, &elapsed),
        }
    }

    /// Has the snapshot written after a fetch that gave the keys their present
    /// age. Nothing waits for the disk: while one write is under way, the last
    /// document that came meanwhile waits for its end.
    fn save(self: &Arc<Self>) {
        let Some(file) = &self.snapshot else {
            return;
        };
        let now = self.now();
        let job = {
            let status = self.status();
            if !status.freshness.last_attempt_succeeded() {
                return;
            }
            let age = status.freshness.age(now).unwrap_or_default();
            SaveJob {
                held: status.held.clone(),
                fetched_at: now.wall.saturating_sub(age),
            }
        };
        let mut saving = self.saving();
        saving.next = Some(job);
        if !std::mem::replace(&mut saving.under_way, true) {
            let (shared, file) = (Arc::clone(self), file.clone());
            drop(detached::run(move || shared.write_all(&file)));
        }
    }

    /// Blocks until nothing is left to write.
    fn write_all(&self, file: &SnapshotFile) {
        loop {
            let mut saving = self.saving();
            let Some(SaveJob { held, fetched_at }) = saving.next.take() else {
                saving.under_way = false;
                return;
            };
            drop(saving);
            let now = self.clock.now();
            let written = file.write(&held.bytes, held.validator.as_ref(), fetched_at, now);
            if let Err(error) = written {
                observe::snapshot_not_written(&self.issuer, &error);
            }
        }
    }

    fn saving(&self) -> MutexGuard<'_, Saving> {
        self.saving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be written to the snapshot, and whether somebody is at it.
#[derive(Debug, Default)]
struct Saving {
    under_way: bool,
    next: Option<SaveJob>,
}

#[derive(Debug)]
struct SaveJob {
    held: Held,
    fetched_at: UnixTime,
}

enum Step {
    Fetch,
    Expire,
    /// A demand or this moment of elapsed time.
    WaitUntil(Option<Duration>),
}

/// Held by the keeper as long as it runs; told from here when it is stopped
/// from outside, so that nobody waits for a fetch that will not end.
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let Self(shared) = self;
        // All under the lock: the next keeper begins after this one's end.
        let mut status = shared.status();
        let stopped = [status.fetching, std::mem::take(&mut status.wanted)];
        for _ in stopped.into_iter().filter(|pending| *pending) {
            shared.publish_under(&mut status, shared.now(), Err(FetchError::Stopped));
        }
        shared.running.store(false, Ordering::Release);
    }
}

pub(super) async fn keep(running: Running) {
    let shared = &running.0;
    let never_fetched = shared
        .status()
        .freshness
        .trust(&shared.schedule, shared.now());
    if never_fetched == Trust::Empty {
        shared.restore().await;
    }
    observe::key_refreshes(&shared.issuer);
    loop {
        shared.measure();
        match shared.next_step() {
            Step::Fetch => {
                shared.fetch().await;
                shared.save();
            }
            Step::Expire => shared.expire(),
            Step::WaitUntil(None) => shared.wanted.notified().await,
            Step::WaitUntil(Some(moment)) => {
                tokio::select! {
                    () = shared.wanted.notified() => {}
                    () = shared.clock.sleep_until(moment) => {}
                }
            }
        }
    }
}
