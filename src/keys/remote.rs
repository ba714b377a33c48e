//! Keys at an address: what requests and operators may ask of the refresher.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::Published;
use super::fetch::FetchError;
use super::health::KeysState;
use super::refresher::{SNAPSHOT_WAIT, Shared, Wanted, keep};
use crate::clock::UnixTime;
use crate::net::single_flight::Ticket;
use crate::net::task::Background;

/// The handle on an issuer's refresher; dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Remote {
    refresher: Background,
    shared: Arc<Shared>,
}

/// What a request may hope for whose key is not in the set it was judged by.
#[derive(Debug)]
pub(crate) enum Demand {
    /// The set has been replaced meanwhile: judge again.
    Replaced,
    /// A fetch is under way or about to be.
    Wait(Ticket),
    /// The last fetch failed, or there are no keys: the next is in so long, whoever
    /// causes it.
    Outage { retry_after: Duration },
    /// No fetch now, but in so long.
    CoolingDown {
        rest: Duration,
        /// When keys were last looked for, by the wall clock as it is now.
        looked_at: UnixTime,
        /// Whether this is a runtime to wait in.
        may_wait: bool,
    },
    /// The keys are given, and there will be no others.
    Never,
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
        // longer only where nobody drives the refresher's runtime.
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
                shared.has_keys(shared.now())
            } else {
                ended && status.freshness.last_attempt_succeeded()
            };
            if good {
                return Ok(());
            }
            if ended {
                let last_error = status.last_error.clone();
                let error = last_error.or_else(|| {
                    let state = shared.state(&status, shared.now());
                    state.last_error().cloned()
                });
                return Err(error.unwrap_or(FetchError::Stopped));
            }
        }
    }
}

impl Remote {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            refresher: Background::default(),
            shared: Arc::new(shared),
        }
    }

    /// Sees to it that the refresher runs: the first call starts it, and a later one
    /// where the runtime that it ran in was shut down. Elsewhere one load. `false`
    /// where there is no runtime to run in.
    pub(crate) fn keep_running(&self) -> bool {
        self.shared.pulse.is_running() || self.start()
    }

    /// The same, and starts another refresher where nobody drives the runtime of the one
    /// that there is. To be called where keys are overdue.
    #[cold]
    pub(crate) fn keep_driven(&self) -> bool {
        self.shared.pulse.is_driven(self.shared.now()) || self.start()
    }

    fn start(&self) -> bool {
        (self.refresher).start(|| self.shared.begin_running().map(keep))
    }

    /// One fetch is shared by all who wait, and within the cooldown after the
    /// last attempt there is none.
    pub(crate) fn demand(&self, seen: &Arc<Published>, wall: UnixTime) -> Demand {
        let shared = &self.shared;
        let now = shared.at(wall);
        // Without a runtime of its own a request could not wait.
        let may_wait =
            Handle::try_current().is_ok() && (shared.pulse.is_driven(now) || self.start());
        let mut status = shared.status();
        if !Arc::ptr_eq(&shared.current.load(), seen) {
            return Demand::Replaced;
        }
        let is_pending = status.flight.is_pending();
        let freshness = &status.freshness;
        let rest = freshness.cooling_down(&shared.schedule, now);
        if !may_wait || !is_pending && !rest.is_zero() {
            return match freshness.outage(&shared.schedule, now) {
                Some(retry_after) => Demand::Outage { retry_after },
                None => Demand::CoolingDown {
                    rest,
                    looked_at: freshness.looked_at(now),
                    may_wait,
                },
            };
        }
        if !is_pending {
            status.flight.want(&shared.pulse, Wanted::Fresh);
        }
        let ticket = status.flight.ticket();
        drop(status);
        // Should the refresher have ended just before it was told.
        self.keep_running();
        Demand::Wait(ticket)
    }

    /// See [`Freshness::looked_at`](super::freshness::Freshness::looked_at).
    pub(crate) fn looked_at(&self, wall: UnixTime) -> UnixTime {
        let now = self.shared.at(wall);
        self.shared.status().freshness.looked_at(now)
    }

    /// See [`Freshness::outage`](super::freshness::Freshness::outage).
    pub(crate) fn outage(&self) -> Option<Duration> {
        let now = self.shared.now();
        (self.shared.status().freshness).outage(&self.shared.schedule, now)
    }

    /// A fetch that starts after this call, whatever the cooldown.
    pub(crate) fn refresh(&self) -> Pending<'_> {
        Pending {
            remote: self,
            ticket: self.fetch_now(Wanted::Fresh),
            keys_suffice: false,
        }
    }

    /// `None` where there is no runtime to fetch in.
    fn fetch_now(&self, wanted: Wanted) -> Option<Ticket> {
        let may_wait = Handle::try_current().is_ok() && self.keep_driven();
        let ticket = may_wait.then(|| {
            let mut status = self.shared.status();
            status.flight.want(&self.shared.pulse, wanted);
            // What is under way may have been answered before this call.
            status.flight.ticket_of_next()
        });
        // Should the refresher have ended just before it was told.
        self.keep_running();
        ticket
    }

    /// A fetch, the one under way if there is one; `None` where the keys at hand
    /// may be used.
    pub(crate) fn ready(&self) -> Option<Pending<'_>> {
        self.keep_driven();
        if self.shared.has_keys(self.shared.now()) {
            return None;
        }
        let under_way = {
            let status = self.shared.status();
            (status.flight.is_under_way()).then(|| status.flight.ticket())
        };
        Some(Pending {
            remote: self,
            ticket: under_way.or_else(|| self.fetch_now(Wanted::Any)),
            keys_suffice: true,
        })
    }

    /// How many keys can verify, and how far they can be relied on. Who asks for the
    /// state wants keys: otherwise a server that waits to be ready before it takes
    /// requests would wait for ever.
    pub(crate) fn state(&self) -> (usize, KeysState) {
        let running = self.keep_driven();
        let now = self.shared.now();
        let mut status = self.shared.status();
        if running && status.freshness.is_untouched() && !status.flight.is_under_way() {
            (status.flight).want(&self.shared.pulse, Wanted::Any);
        }
        let keys = self.shared.current.load().keys(now.wall).len();
        (keys, self.shared.state(&status, now))
    }

    pub(super) fn distrust(&self, kids: Arc<[Box<str>]>) {
        self.shared.distrust(kids);
    }

    pub(super) fn take_over(&self, predecessor: &Self) {
        self.shared.take_over(&predecessor.shared);
    }

    #[cfg(feature = "metrics")]
    pub(super) fn measure(&self) {
        self.shared.measure();
    }
}

/// Nobody waits any more, and a fetch that ends with its handle has not failed.
impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.pulse.retire();
    }
}
