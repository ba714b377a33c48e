//! Keys at an address: what requests and operators may ask of the keeper.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Published;
use super::fetch::FetchError;
use super::health::KeysState;
use super::keeper::{Progress, SNAPSHOT_WAIT, Shared, Status, keep};
use crate::background::Background;
use crate::clock::{Moment, UnixTime};

/// The handle on an issuer's keeper; dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Remote {
    keeper: Background,
    shared: Arc<Shared>,
}

/// What a request may hope for whose key is not in the set it was judged by.
#[derive(Debug)]
pub(crate) enum Demand {
    /// The set has been replaced meanwhile: judge again.
    Replaced,
    /// A fetch is under way or about to be.
    Wait(Ticket),
    /// No fetch now: the set at hand has to do. `outage` as
    /// [`Remote::outage`] has it.
    CoolingDown { outage: Option<Duration> },
}

/// A place among those who wait for one fetch.
#[derive(Debug)]
pub(crate) struct Ticket {
    until: u64,
    progress: watch::Receiver<Progress>,
}

impl Ticket {
    /// Completes when the keys may have changed; `true` once the fetch has ended
    /// and its result, if any, is published.
    pub(crate) async fn progress(&mut self) -> bool {
        loop {
            if self.progress.borrow_and_update().fetches_ended >= self.until {
                return true;
            }
            // An error would mean that the keeper's handle is gone, and with it
            // whoever could be asking.
            if self.progress.changed().await.is_err() {
                return true;
            }
            if self.progress.borrow().fetches_ended < self.until {
                return false;
            }
        }
    }
}

/// A fetch that somebody has asked for.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pending<'a> {
    remote: &'a Remote,
    /// `None` where there is no runtime to fetch in.
    ticket: Option<Ticket>,
    /// Any keys will do, if they may be used.
    keys_suffice: bool,
}

impl Pending<'_> {
    pub(crate) async fn result(self) -> Result<(), FetchError> {
        let mut ticket = self.ticket.ok_or(FetchError::NoRuntime)?;
        let shared = &self.remote.shared;
        // A fetch that is under way, one of our own, and the snapshot before;
        // longer only where nobody drives the keeper's runtime.
        let limit = shared.fetcher.timeout() * 2 + SNAPSHOT_WAIT;
        let mut time_up = shared.clock.sleep_until(shared.now().elapsed + limit);
        loop {
            let ended = tokio::select! {
                biased;
                ended = ticket.progress() => ended,
                () = &mut time_up => return Err(FetchError::Timeout),
            };
            let status = shared.status();
            let good = if self.keys_suffice {
                status
                    .freshness
                    .trust(&shared.schedule, shared.now())
                    .is_usable()
            } else {
                ended && status.freshness.last_attempt_succeeded()
            };
            if good {
                return Ok(());
            }
            if ended {
                return Err(status.last_error.clone().unwrap_or(FetchError::Stopped));
            }
        }
    }
}

impl Remote {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            keeper: Background::default(),
            shared: Arc::new(shared),
        }
    }

    /// Sees to it that the keeper runs: the first call starts it, and a later
    /// one where the runtime that it ran in was shut down. Elsewhere one load.
    /// `false` where there is no runtime to run in.
    pub(crate) fn keep_running(&self) -> bool {
        self.shared.is_running() || (self.keeper).start(|| self.shared.begin_running().map(keep))
    }

    /// One fetch is shared by all who wait, and within the cooldown after the
    /// last attempt there is none.
    pub(crate) fn demand(&self, seen: &Arc<Published>, wall: UnixTime) -> Demand {
        let elapsed = self.shared.clock.monotonic();
        let now = Moment { wall, elapsed };
        let schedule = &self.shared.schedule;
        let at_once = |status: &Status| {
            if !Arc::ptr_eq(&self.shared.current.load(), seen) {
                return Some(Demand::Replaced);
            }
            let under_way = status.fetching || status.wanted;
            let cooling_down = !status.freshness.cooling_down(schedule, now).is_zero();
            (cooling_down && !under_way).then(|| Demand::CoolingDown {
                outage: status.freshness.outage(schedule, now),
            })
        };
        if let Some(demand) = at_once(&self.shared.status()) {
            return demand;
        }
        // Without a runtime of its own a request could not wait.
        if Handle::try_current().is_err() || !self.keep_running() {
            return Demand::CoolingDown {
                outage: self.outage(),
            };
        }
        let mut status = self.shared.status();
        if let Some(demand) = at_once(&status) {
            return demand;
        }
        if !status.fetching && !status.wanted {
            self.want(&mut status);
        }
        let ticket = self.ticket(1);
        drop(status);
        // Should the keeper have ended just before it was told.
        self.keep_running();
        Demand::Wait(ticket)
    }

    fn want(&self, status: &mut Status) {
        status.wanted = true;
        self.shared.wanted.notify_one();
    }

    /// See [`Freshness::outage`](super::freshness::Freshness::outage).
    pub(crate) fn outage(&self) -> Option<Duration> {
        let now = self.shared.now();
        (self.shared.status().freshness).outage(&self.shared.schedule, now)
    }

    /// A fetch that starts after this call, whatever the cooldown.
    pub(crate) fn refresh(&self) -> Pending<'_> {
        let may_wait = Handle::try_current().is_ok() && self.keep_running();
        let ticket = may_wait.then(|| {
            let mut status = self.shared.status();
            self.want(&mut status);
            // What is under way may have been answered before this call.
            self.ticket(if status.fetching { 2 } else { 1 })
        });
        self.keep_running();
        Pending {
            remote: self,
            ticket,
            keys_suffice: false,
        }
    }

    /// A fetch, the one under way if there is one; `None` where the keys at hand
    /// may be used.
    pub(crate) fn ready(&self) -> Option<Pending<'_>> {
        let status = self.shared.status();
        let trust = status
            .freshness
            .trust(&self.shared.schedule, self.shared.now());
        if trust.is_usable() {
            return None;
        }
        let under_way = status.fetching.then(|| self.ticket(1));
        drop(status);
        Some(Pending {
            remote: self,
            ticket: under_way.or_else(|| self.refresh().ticket),
            keys_suffice: true,
        })
    }

    /// A ticket for the end of the `nth` fetch from now. To be asked for under
    /// the lock of the status.
    fn ticket(&self, nth: u64) -> Ticket {
        let progress = self.shared.progress.subscribe();
        let until = progress.borrow().fetches_ended + nth;
        Ticket { until, progress }
    }

    /// Who asks for the state wants keys: otherwise a server that waits to be
    /// ready before it takes requests would wait for ever.
    pub(crate) fn state(&self) -> KeysState {
        let running = self.keep_running();
        let mut status = self.shared.status();
        if running && status.freshness.is_untouched() && !status.fetching {
            self.want(&mut status);
        }
        self.shared.state(&status, self.shared.now())
    }

    #[cfg(feature = "metrics")]
    pub(super) fn measure(&self) {
        self.shared.measure();
    }
}
