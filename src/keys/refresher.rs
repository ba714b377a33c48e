//! How one issuer's keys are refreshed: the task fetches, publishes, expires, and saves
//! the snapshot.
//!
//! Keys, their source document and their freshness change together, under the lock of the
//! [`Status`].

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use super::Published;
use super::fetch::{Document, Failed, FetchError, Fetched, Mode};
use super::freshness::{Freshness, Schedule, Trust};
use super::health::KeysState;
use super::snapshot::{Restored, SnapshotFile};
use super::source::Source;
use crate::clock::{Clock, Moment, UnixTime};
use crate::file::detached;
use crate::jwt::jwks::KeySet;
use crate::net::refresher::{Core, LONGEST_NAP, Refresh, Step};
use crate::net::single_flight::Flight;
use crate::net::task::Due;
use crate::observe::{self, KeysTaken};
use crate::sync::{ArcSwap, Mutex, MutexGuard, timeout};

/// How long the first fetch waits for the snapshot to be read: a hanging disk must not
/// delay the keys.
pub(super) const SNAPSHOT_WAIT: Duration = Duration::from_secs(1);

/// How long the key address may confirm a document by `304` alone. A server whose `ETag`
/// never changes would otherwise keep a withdrawn key trusted for ever.
const LONGEST_UNREAD: Duration = Duration::from_secs(60 * 60);

/// State shared by the refresher and its handle.
#[derive(Debug)]
pub(super) struct Shared {
    issuer: Box<str>,
    pub(super) source: Source,
    snapshot: Option<SnapshotFile>,
    pub(super) schedule: Schedule,
    pub(super) core: Core<Status>,
    pub(super) current: Arc<ArcSwap<Published>>,
    saving: Mutex<Saving>,
}

#[derive(Debug)]
pub(super) struct Status {
    pub(super) freshness: Freshness,
    pub(super) last_error: Option<FetchError>,
    held: Held,
    /// When the last attempt ended, by the wall clock.
    attempted: UnixTime,
    distrusted: Arc<[Box<str>]>,
    /// Keys were taken over since the current fetch began.
    overtaken: bool,
    pub(super) flight: Flight<Wanted>,
}

/// The document that the published keys were read from, and all of its keys.
#[derive(Debug, Clone, Default)]
struct Held {
    document: Document,
    /// When its bytes arrived; `None` if there is no document.
    read_at: Option<Moment>,
}

impl Held {
    /// Whether a `304` will do.
    fn may_be_confirmed(&self, now: Moment) -> bool {
        (self.read_at).is_some_and(|read_at| now.since(read_at) < LONGEST_UNREAD)
    }
}

/// What a caller wants fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// Any keys, if there are none.
    Any,
    /// What the key address has at this moment: to find a key that the cached document
    /// lacks, or to notice one that was withdrawn.
    Fresh,
}

/// One fetch to make.
pub(super) struct Fetch {
    started: Moment,
    held: Document,
    mode: Mode,
}

impl Refresh for Shared {
    type Status = Status;
    type Wanted = Wanted;
    type Fetch = Fetch;

    const BEGINS_WITHIN: Duration = SNAPSHOT_WAIT;
    const AGAIN: Wanted = Wanted::Fresh;

    fn core(&self) -> &Core<Status> {
        &self.core
    }

    fn flight(status: &mut Status) -> &mut Flight<Wanted> {
        &mut status.flight
    }

    async fn begin(&self, number: u64) {
        self.restore(number).await;
        observe::key_refreshes(&self.issuer);
    }

    fn next_step(&self, number: u64) -> Option<Step<Fetch>> {
        self.expire(number);
        self.measure();
        let now = self.core.now();
        let mut status = self.core.status_of(number)?;
        let refresh = status.freshness.until_refresh(now);
        let is_due = refresh.is_some_and(|wait| wait.is_zero());
        if let Some(wanted) = status.flight.begin(is_due.then_some(Wanted::Any)) {
            let moment = now.elapsed.saturating_add(self.source.timeout());
            self.core.pulse.expect(Due::at(moment));
            status.overtaken = false;
            let held = status.held.clone();
            drop(status);
            // A file is always read whole.
            let may_be_confirmed = held.may_be_confirmed(now) && !self.source.is_file();
            return Some(Step::Fetch(Fetch {
                // After the call that wanted it: what it finds counts as newer than whatever
                // was asked for before that.
                started: self.core.now(),
                held: held.document,
                mode: if wanted == Wanted::Fresh || !may_be_confirmed {
                    Mode::Fresh
                } else {
                    Mode::Conditional
                },
            }));
        }
        let expiry = status.freshness.until_expiry(&self.schedule, now);
        let wait = refresh.into_iter().chain(expiry).min();
        let moment = wait.map(|wait| now.elapsed + wait.min(LONGEST_NAP));
        self.core.pulse.expect(moment.map_or(Due::Never, Due::at));
        Some(Step::WaitUntil(moment))
    }

    async fn fetch(self: &Arc<Self>, number: u64, fetch: Fetch) {
        let Fetch {
            started,
            held,
            mode,
        } = fetch;
        let (clock, watch) = (&*self.core.clock, &mut ());
        let fetched = self.source.fetch(clock, &held, mode, watch).await;
        self.publish(number, started, mode, fetched);
        self.save();
    }

    fn stopped(&self, status: &mut Status, now: Moment) {
        status.failed(&self.schedule, (now, now), FetchError::Stopped.into(), 1.0);
    }

    fn report_stopped(&self) {
        observe::keys_fetch_stopped(&self.issuer, &FetchError::Stopped);
    }
}

impl Shared {
    pub(super) fn new(
        issuer: Box<str>,
        source: Source,
        snapshot: Option<SnapshotFile>,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
        current: Arc<ArcSwap<Published>>,
        distrusted: Arc<[Box<str>]>,
    ) -> Self {
        Self {
            issuer,
            source,
            snapshot,
            schedule,
            core: Core::new(
                clock,
                Status {
                    freshness: Freshness::default(),
                    last_error: None,
                    held: Held::default(),
                    attempted: UnixTime::EPOCH,
                    distrusted,
                    overtaken: false,
                    flight: Flight::default(),
                },
            ),
            current,
            saving: Mutex::default(),
        }
    }

    /// The present moment, with a known wall-clock time.
    pub(super) fn at(&self, wall: UnixTime) -> Moment {
        let elapsed = self.core.clock.monotonic();
        Moment { wall, elapsed }
    }

    /// Publishes, then counts the fetch as ended: woken callers see the result. All of it
    /// happens under the lock, so that nobody begins to wait in between. Results from a
    /// replaced refresher are ignored.
    fn publish(&self, number: u64, started: Moment, mode: Mode, fetched: Result<Fetched, Failed>) {
        let ended = self.core.now();
        let jitter = fastrand::f64();
        let result = {
            let Some(mut status) = self.core.status_of(number) else {
                return;
            };
            // It may have been answered before the keys that were taken over meanwhile: the
            // next fetch decides, and serves the waiting callers.
            if status.overtaken && fetched.is_ok() {
                status.flight.want(&self.core.pulse, Wanted::Fresh);
                status.flight.pass_over();
                return;
            }
            status.attempted = ended.wall;
            let result = match fetched {
                Ok(Fetched { document, max_age }) => {
                    let previous = status.held.document.keys.clone();
                    let (times, fresh) = ((started, ended), mode == Mode::Fresh);
                    (status.freshness).succeeded(&self.schedule, times, fresh, max_age, jitter);
                    status.last_error = None;
                    if let Some(document) = document {
                        status.held = Held {
                            document,
                            read_at: Some(ended),
                        };
                    }
                    self.store(&status);
                    Ok((previous, status.held.document.keys.clone()))
                }
                Err(failed) => {
                    let is_known = status.last_error.as_ref() == Some(&failed.error);
                    let times = (started, ended);
                    let error = status.failed(&self.schedule, times, failed, jitter);
                    if self.source.is_file() {
                        self.store(&status);
                    }
                    Err((error, is_known))
                }
            };
            status.flight.end();
            result
        };
        match result {
            Ok((previous, keys)) => {
                observe::keys_refreshed(&self.issuer, taken(&previous, &keys));
            }
            // A file stays as it is until somebody corrects it.
            Err((_, true)) if self.source.is_file() => observe::key_file_still_bad(&self.issuer),
            Err((error, _)) => observe::keys_fetch_failed(&self.issuer, &error),
        }
    }

    /// Publishes the stored keys, except those that are distrusted.
    fn store(&self, status: &Status) {
        let freshness = &status.freshness;
        let times = (freshness.deadline(&self.schedule)).zip(freshness.stale_from());
        self.current.store(Arc::new(match times {
            Some((deadline, stale_from)) => {
                let deadline = match self.source.unattended() {
                    Some(longest) => deadline.min(status.attempted.saturating_add(longest)),
                    None => deadline,
                };
                let keys = status.held.document.keys.distrusting(&status.distrusted);
                Published::new(keys, deadline, stale_from)
            }
            None => Published::empty(&status.distrusted),
        }));
    }

    /// From now on the keys with these ids verify nothing.
    pub(super) fn distrust(&self, kids: Arc<[Box<str>]>) {
        let mut status = self.core.status();
        status.distrusted = kids;
        self.store(&status);
    }

    /// Takes over the state of `predecessor`, if its keys are newer.
    pub(super) fn take_over(&self, predecessor: &Self) {
        if *self.issuer != *predecessor.issuer || !self.source.is_same(&predecessor.source) {
            return;
        }
        // First: what passes in between makes the keys older, not younger.
        let now = self.core.now();
        let then = predecessor.core.now();
        let (freshness, last_error, held, attempted) = {
            let status = predecessor.core.status();
            let (held, attempted) = (status.held.clone(), status.attempted);
            (status.freshness, status.last_error.clone(), held, attempted)
        };
        let handed_over = freshness.handed_over(&self.schedule, then, now);
        // A clock that has just started has no earlier moment.
        let read_at = held.read_at.map(|read_at| Moment {
            wall: now.wall.saturating_sub(then.since(read_at)),
            elapsed: now.elapsed,
        });
        let mut status = self.core.status();
        if status.freshness.is_untouched() {
            status.freshness = handed_over;
            status.last_error = last_error;
        } else if status.freshness.would_gain_from(&handed_over, now) {
            status.freshness.take_keys_of(handed_over);
        } else {
            return;
        }
        status.overtaken |= handed_over.has_set();
        status.held = Held { read_at, ..held };
        status.attempted = status.attempted.max(attempted);
        self.store(&status);
    }

    /// Evicts keys that may not be used any more: before the next fetch, since that takes
    /// a while.
    fn expire(&self, number: u64) {
        let now = self.core.now();
        {
            let Some(mut status) = self.core.status_of(number) else {
                return;
            };
            let left = status.freshness.until_expiry(&self.schedule, now);
            if left.is_none_or(|left| !left.is_zero()) {
                return;
            }
            // So that requests wait for the fetch that is due.
            if (status.freshness.until_refresh(now)).is_some_and(|wait| wait.is_zero()) {
                status.flight.want(&self.core.pulse, Wanted::Any);
            }
            status.held = Held::default();
            status.freshness.expired();
            self.store(&status);
        }
        observe::keys_expired(&self.issuer);
    }

    /// Whether there are usable keys.
    pub(super) fn has_keys(&self, now: Moment) -> bool {
        !self.current.load().keys(now.wall).is_empty()
    }

    /// How far the keys can be relied on: not at all if there are none.
    pub(super) fn state_of(&self, status: &Status, now: Moment) -> KeysState {
        let freshness = &status.freshness;
        let mut last_error = status.last_error.clone();
        let trust = freshness.trust(&self.schedule, now);
        let published = self.current.load();
        if trust.is_usable() && published.is_empty() {
            last_error.get_or_insert(FetchError::Distrusted);
        }
        match trust {
            // Also those of a file that nobody looks after.
            _ if published.keys(now.wall).is_empty() => KeysState::Empty { last_error },
            Trust::Fresh | Trust::Due => KeysState::Fresh,
            Trust::Empty | Trust::Expired => KeysState::Empty { last_error },
            Trust::Stale => KeysState::Stale {
                age: freshness.age(now).unwrap_or_default(),
                deadline: freshness.deadline(&self.schedule).unwrap_or(now.wall),
                last_error,
            },
        }
    }

    /// Updates the metrics of the keys.
    pub(super) fn measure(&self) {
        let now = self.core.now();
        let (state, age) = {
            let status = self.core.status();
            (self.state_of(&status, now), status.freshness.age(now))
        };
        let usable = !matches!(state, KeysState::Empty { .. });
        let age = age.filter(|_| usable);
        let keys = self.current.load().keys(now.wall).len();
        observe::key_set(&self.issuer, keys, age, state.as_str());
    }

    /// Serves from the snapshot until a fetch has ended, if it is newer than the present
    /// keys: another process may have written it.
    async fn restore(&self, number: u64) {
        let Some(file) = self.snapshot.clone() else {
            return;
        };
        let now = self.core.now();
        let max_stale = self.schedule.max_stale;
        let read = detached::run(move || file.read(now.wall, max_stale));
        match timeout(SNAPSHOT_WAIT, read).await {
            Ok(Ok(Ok(Some(Restored {
                document,
                age,
                read_at,
            })))) => {
                let read_at = Moment {
                    wall: read_at,
                    elapsed: now.elapsed,
                };
                let (previous, keys) = {
                    let Some(mut status) = self.core.status_of(number) else {
                        return;
                    };
                    if !status.freshness.would_gain(age, now) {
                        return;
                    }
                    status.freshness.restored(&self.schedule, now, age);
                    let held = Held {
                        document,
                        read_at: Some(read_at),
                    };
                    let previous = std::mem::replace(&mut status.held, held);
                    self.store(&status);
                    status.flight.wake_waiting();
                    (previous.document.keys, status.held.document.keys.clone())
                };
                observe::keys_restored(&self.issuer, age, taken(&previous, &keys));
            }
            Ok(Ok(Ok(None))) => {}
            Ok(Ok(Err(error))) => observe::snapshot_not_used(&self.issuer, &error),
            Ok(Err(error)) => observe::snapshot_not_used(&self.issuer, &error),
            Err(elapsed) => observe::snapshot_not_used(&self.issuer, &elapsed),
        }
    }

    /// Writes the snapshot after a fetch that updated the age of the keys. Nothing waits
    /// for the disk: while one write is under way, only the latest document waits for it
    /// to end.
    fn save(self: &Arc<Self>) {
        let Some(file) = &self.snapshot else {
            return;
        };
        let now = self.core.now();
        let job = {
            let status = self.core.status();
            if !status.freshness.last_attempt_succeeded() {
                return;
            }
            let held = status.held.clone();
            SaveJob {
                document: held.document,
                fetched_at: status.freshness.fetched_at(now),
                // Of the longer of both times, since the file has one clock alone.
                read_at: (held.read_at).map_or(UnixTime::EPOCH, |read_at| {
                    now.wall.saturating_sub(now.since(read_at))
                }),
            }
        };
        let writer = Arc::new(());
        {
            let mut saving = self.saving();
            saving.next = Some(job);
            if saving.writer.strong_count() > 0 {
                return;
            }
            saving.writer = Arc::downgrade(&writer);
        }
        let (this, file) = (Arc::clone(self), file.clone());
        drop(detached::run(move || this.write_all(&file, writer)));
    }

    /// Blocks until nothing is left to write.
    fn write_all(&self, file: &SnapshotFile, writer: Arc<()>) {
        loop {
            let mut saving = self.saving();
            let Some(job) = saving.next.take() else {
                // Still under the lock: a job that arrives later starts a new writer.
                drop(writer);
                return;
            };
            drop(saving);
            let now = self.core.clock.now();
            let Document {
                bytes, validator, ..
            } = job.document;
            let written = file.write(&bytes, validator, job.fetched_at, job.read_at, now);
            if let Err(error) = written {
                observe::snapshot_not_written(&self.issuer, &error);
            }
        }
    }

    fn saving(&self) -> MutexGuard<'_, Saving> {
        self.saving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to report of the keys that replaced `previous`.
fn taken(previous: &KeySet, keys: &KeySet) -> KeysTaken {
    if keys.same_as(previous) {
        return KeysTaken::Unchanged { keys: keys.len() };
    }
    let skipped = keys.skipped().iter();
    KeysTaken::Changed {
        kids: keys.keys().map(|(kid, _)| kid.to_owned()).collect(),
        skipped: skipped
            .map(|key| (key.kid().map(str::to_owned), key.reason().to_string()))
            .collect(),
    }
}

impl Status {
    fn failed(
        &mut self,
        schedule: &Schedule,
        times: (Moment, Moment),
        Failed { error, retry_after }: Failed,
        jitter: f64,
    ) -> FetchError {
        (self.freshness).failed(schedule, times, retry_after, jitter);
        self.last_error = Some(error.clone());
        error
    }
}

/// What is to be written to the snapshot.
#[derive(Debug, Default)]
struct Saving {
    next: Option<SaveJob>,
    /// Alive while a thread writes. If none could be started, another may begin.
    writer: Weak<()>,
}

#[derive(Debug)]
struct SaveJob {
    document: Document,
    fetched_at: UnixTime,
    read_at: UnixTime,
}

#[cfg(test)]
mod fleet;

#[cfg(test)]
mod tests;
