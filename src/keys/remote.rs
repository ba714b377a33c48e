//! Keys at an address: the keeper task, and what requests may ask of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::Snapshot;
use super::fetch::{FetchError, Fetched, Fetcher, Validator};
use super::freshness::{Freshness, Moment, Schedule, Trust};
use super::health::KeysState;
use crate::clock::Clock;
use crate::observe;

/// The keeper looks at both clocks at least this often: its timers stand still
/// while a machine is suspended, and the keys grow old all the same.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// The handle on an issuer's keeper; dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Remote {
    shared: Arc<Shared>,
    keeper: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct Shared {
    issuer: Box<str>,
    fetcher: Fetcher,
    schedule: Schedule,
    clock: Arc<dyn Clock>,
    current: Arc<ArcSwap<Snapshot>>,
    status: Mutex<Status>,
    /// Wakes the keeper: somebody wants a fetch.
    wanted: Notify,
    /// How many fetches have ended, counted after their result is published.
    ended: watch::Sender<u64>,
    running: AtomicBool,
}

#[derive(Debug, Default)]
struct Status {
    freshness: Freshness,
    last_error: Option<FetchError>,
    validator: Option<Validator>,
    /// A fetch is under way.
    fetching: bool,
    /// Another is to follow at once.
    wanted: bool,
}

/// What a request may hope for whose key is not in the set it was judged by.
#[derive(Debug)]
pub(crate) enum Demand {
    /// The set has been replaced meanwhile: judge again.
    Replaced,
    /// A fetch is under way or about to be: wait for its end.
    Wait(Ticket),
    /// No fetch now: the set at hand has to do.
    CoolingDown,
}

/// A place among those who wait for one fetch.
#[derive(Debug)]
pub(crate) struct Ticket {
    until: u64,
    ended: watch::Receiver<u64>,
}

impl Ticket {
    /// Completes when the fetch has ended and its result is published.
    pub(crate) async fn ended(mut self) {
        // An error would mean that the keeper's handle is gone, and with it
        // whoever could be asking.
        let _ = self.ended.wait_for(|ended| *ended >= self.until).await;
    }
}

impl Remote {
    pub(crate) fn new(
        issuer: Box<str>,
        fetcher: Fetcher,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
        current: Arc<ArcSwap<Snapshot>>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                issuer,
                fetcher,
                schedule,
                clock,
                current,
                status: Mutex::default(),
                wanted: Notify::new(),
                ended: watch::Sender::new(0),
                running: AtomicBool::new(false),
            }),
            keeper: Mutex::new(None),
        }
    }

    /// Sees to it that the keeper runs: the first call starts it, and a later
    /// one where the runtime that it ran in was shut down. Elsewhere one load.
    /// `false` where there is no runtime to run in.
    pub(crate) fn keep_running(&self) -> bool {
        self.shared.running.load(Ordering::Acquire) || self.start()
    }

    #[cold]
    fn start(&self) -> bool {
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shared.running.swap(true, Ordering::AcqRel) {
            let running = Running(Arc::clone(&self.shared));
            *keeper = Some(runtime.spawn(keep(running)).abort_handle());
        }
        true
    }

    /// One fetch is shared by all who wait, and within the cooldown after the
    /// last attempt there is none.
    pub(crate) fn demand(&self, seen: &Arc<Snapshot>) -> Demand {
        if !self.keep_running() {
            return Demand::CoolingDown;
        }
        let now = self.shared.now();
        let mut status = self.shared.status();
        if !Arc::ptr_eq(&self.shared.current.load(), seen) {
            return Demand::Replaced;
        }
        if !status.fetching && !status.wanted {
            let schedule = &self.shared.schedule;
            if !status.freshness.cooling_down(schedule, now).is_zero() {
                return Demand::CoolingDown;
            }
            status.wanted = true;
            self.shared.wanted.notify_one();
        }
        Demand::Wait(self.shared.ticket(1))
    }

    /// Whether the last attempt failed or there are no keys to use; and how long
    /// until the next, whether a request causes it or the keeper does.
    pub(crate) fn outage(&self) -> Option<Duration> {
        let now = self.shared.now();
        let schedule = &self.shared.schedule;
        let freshness = self.shared.status().freshness;
        let usable = !matches!(
            freshness.trust(schedule, now),
            Trust::Empty | Trust::Expired
        );
        let reachable = usable && freshness.last_attempt_succeeded();
        (!reachable).then(|| {
            let cooling_down = freshness.cooling_down(schedule, now);
            (freshness.until_refresh(now)).map_or(cooling_down, |wait| wait.min(cooling_down))
        })
    }

    /// A fetch that starts after this call, whatever the cooldown.
    pub(crate) async fn refresh(&self) -> Result<(), FetchError> {
        if !self.keep_running() {
            return Err(FetchError::NoRuntime);
        }
        let ticket = {
            let mut status = self.shared.status();
            status.wanted = true;
            self.shared.wanted.notify_one();
            // What is under way may have been answered before this call.
            self.shared.ticket(if status.fetching { 2 } else { 1 })
        };
        self.result_of(ticket).await
    }

    pub(crate) async fn ready(&self) -> Result<(), FetchError> {
        let ticket = {
            let status = self.shared.status();
            match status
                .freshness
                .trust(&self.shared.schedule, self.shared.now())
            {
                Trust::Fresh | Trust::Due | Trust::Stale => return Ok(()),
                Trust::Empty | Trust::Expired => {}
            }
            status.fetching.then(|| self.shared.ticket(1))
        };
        match ticket {
            Some(ticket) => self.result_of(ticket).await,
            None => self.refresh().await,
        }
    }

    async fn result_of(&self, ticket: Ticket) -> Result<(), FetchError> {
        ticket.ended().await;
        let status = self.shared.status();
        if status.freshness.last_attempt_succeeded() {
            Ok(())
        } else {
            Err(status.last_error.clone().unwrap_or(FetchError::Stopped))
        }
    }

    pub(crate) fn state(&self) -> KeysState {
        let status = self.shared.status();
        let now = self.shared.now();
        let freshness = &status.freshness;
        let last_error = status.last_error.clone();
        match freshness.trust(&self.shared.schedule, now) {
            Trust::Fresh | Trust::Due => KeysState::Fresh,
            Trust::Empty | Trust::Expired => KeysState::Empty { last_error },
            Trust::Stale => KeysState::Stale {
                age: freshness.age(now).unwrap_or_default(),
                deadline: freshness
                    .deadline(&self.shared.schedule)
                    .unwrap_or(now.wall),
                last_error,
            },
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let keeper = self
            .keeper
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
    }
}

impl Shared {
    fn now(&self) -> Moment {
        Moment {
            wall: self.clock.now(),
            elapsed: self.clock.monotonic(),
        }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket for the end of the `nth` fetch from now. To be asked for under
    /// the lock of the status.
    fn ticket(&self, nth: u64) -> Ticket {
        let ended = self.ended.subscribe();
        let until = *ended.borrow() + nth;
        Ticket { until, ended }
    }

    /// What the keeper does next; `None`: wait for a demand or the time given.
    fn next_step(&self) -> Step {
        let now = self.now();
        let mut status = self.status();
        if std::mem::take(&mut status.wanted) {
            status.fetching = true;
            return Step::Fetch;
        }
        let refresh = status.freshness.until_refresh(now);
        if refresh.is_some_and(|wait| wait.is_zero()) {
            status.fetching = true;
            return Step::Fetch;
        }
        let expiry = status
            .freshness
            .until_expiry(&self.schedule, now)
            .filter(|_| !self.current.load().keys.is_empty());
        if expiry.is_some_and(|wait| wait.is_zero()) {
            return Step::Expire;
        }
        let wait = refresh.into_iter().chain(expiry).min();
        Step::Wait(wait.map(|wait| wait.min(LONGEST_NAP)))
    }

    async fn fetch(&self) {
        let started = self.now();
        let held = self.status().validator.clone();
        let snapshot = self.current.load_full();
        let fetched = self.fetcher.fetch(&snapshot.keys, held.as_ref()).await;
        self.publish(started, fetched);
    }

    /// Publishes first, then counts the fetch as ended: who is woken sees the
    /// result. All of it under the lock, so that no ticket is given out between.
    fn publish(&self, started: Moment, fetched: Result<Fetched, FetchError>) {
        let ended = self.now();
        let mut status = self.status();
        status.fetching = false;
        match fetched {
            Ok(Fetched { document, max_age }) => {
                let schedule = &self.schedule;
                (status.freshness).succeeded(schedule, started, ended, max_age, fastrand::f64());
                status.last_error = None;
                let deadline = started.wall.saturating_add(schedule.max_stale);
                let previous = self.current.load_full();
                let keys = match document {
                    Some(document) => {
                        status.validator = document.validator;
                        observe::keys_fetched(&self.issuer, &previous.keys, &document.keys);
                        document.keys
                    }
                    None => previous.keys.clone(),
                };
                self.current.store(Arc::new(Snapshot { keys, deadline }));
            }
            Err(error) => {
                observe::keys_fetch_failed(&self.issuer, &error);
                status.freshness.failed(started, ended, fastrand::f64());
                status.last_error = Some(error);
            }
        }
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Lets go of keys that may not be used any more.
    fn expire(&self) {
        observe::keys_expired(&self.issuer);
        self.status().validator = None;
        self.current.store(Arc::new(Snapshot::empty()));
    }
}

enum Step {
    Fetch,
    Expire,
    Wait(Option<Duration>),
}

/// Held by the keeper as long as it runs; told from here when it is stopped
/// from outside, so that nobody waits for a fetch that will not end.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let fetching = self.0.status().fetching;
        self.0.running.store(false, Ordering::Release);
        if fetching {
            self.0.publish(self.0.now(), Err(FetchError::Stopped));
        }
    }
}

async fn keep(running: Running) {
    let shared = &running.0;
    loop {
        match shared.next_step() {
            Step::Fetch => shared.fetch().await,
            Step::Expire => shared.expire(),
            Step::Wait(None) => shared.wanted.notified().await,
            Step::Wait(Some(wait)) => {
                tokio::select! {
                    () = shared.wanted.notified() => {}
                    () = shared.clock.sleep(wait) => {}
                }
            }
        }
    }
}
