//! Keys that are fetched: what requests and operators may ask of the refresher.

use std::sync::Arc;
use std::time::Duration;

use super::Published;
use super::fetch::FetchError;
use super::health::KeysState;
use super::refresher::{SNAPSHOT_WAIT, Shared, Wanted};
use crate::clock::UnixTime;
use crate::net::refresher::Refresher;
use crate::net::single_flight::Waiter;
use crate::sync::Handle;

/// An issuer's refresher.
pub(crate) type Remote = Refresher<Shared>;

/// What a request can expect if its key is not in the set that it was checked against.
#[derive(Debug)]
pub(crate) enum Demand {
    /// The set has been replaced meanwhile: check again.
    Replaced,
    /// A fetch is under way or about to be.
    Wait(Waiter),
    /// The last fetch failed, or there are no keys: the time until the next fetch,
    /// whatever causes it.
    Outage { retry_after: Duration },
    /// No fetch now; the next may start after this time.
    CoolingDown {
        rest: Duration,
        /// When keys were last looked for, by the wall clock as it is now.
        looked_at: UnixTime,
        /// Whether there is a runtime to wait in.
        may_wait: bool,
    },
    /// The keys are given in code and will not change.
    Never,
}

/// A fetch that a caller requested.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pending<'a> {
    remote: &'a Remote,
    /// Or why nothing is fetched.
    waiter: Result<Waiter, FetchError>,
    /// Any usable keys will do.
    keys_suffice: bool,
}

impl Pending<'_> {
    pub(crate) async fn result(self) -> Result<(), FetchError> {
        let mut waiter = self.waiter?;
        let (remote, core) = (self.remote, &self.remote.core);
        // A fetch already under way, then our own, and the snapshot before them; longer
        // only if the refresher's runtime is not driven.
        let limit = remote.source.timeout() * 2 + SNAPSHOT_WAIT;
        let mut time_up = core.clock.sleep_until(core.now().elapsed + limit);
        loop {
            let ended = tokio::select! {
                biased;
                ended = waiter.progress() => ended,
                () = &mut time_up => return Err(FetchError::Timeout),
            };
            let now = core.now();
            let status = core.status();
            let good = if self.keys_suffice {
                remote.has_keys(now)
            } else {
                ended && status.freshness.last_attempt_succeeded()
            };
            if good {
                return Ok(());
            }
            if ended {
                let last_error = status.last_error.clone();
                let error = last_error.or_else(|| {
                    let state = remote.state_of(&status, now);
                    state.last_error().cloned()
                });
                return Err(error.unwrap_or(FetchError::Stopped));
            }
        }
    }
}

impl Remote {
    /// All waiting callers share one fetch, and none starts within the cooldown after the
    /// last attempt.
    pub(crate) fn demand(&self, seen: &Arc<Published>, wall: UnixTime) -> Demand {
        let now = self.at(wall);
        // Without its own runtime a request could not wait.
        let may_wait = Handle::try_current().is_ok() && self.keep_driven();
        let mut status = self.core.status();
        if !Arc::ptr_eq(&self.current.load(), seen) {
            return Demand::Replaced;
        }
        let is_pending = status.flight.is_pending();
        let freshness = &status.freshness;
        let rest = freshness.cooling_down(now);
        if !may_wait || !is_pending && !rest.is_zero() {
            return match freshness.outage(&self.schedule, now) {
                Some(retry_after) => Demand::Outage { retry_after },
                None => Demand::CoolingDown {
                    rest,
                    looked_at: freshness.looked_at(now),
                    may_wait,
                },
            };
        }
        if !is_pending {
            status.flight.want(&self.core.pulse, Wanted::Fresh);
        }
        let waiter = status.flight.waiter();
        drop(status);
        // In case the refresher ended just before it was notified.
        self.keep_running();
        Demand::Wait(waiter)
    }

    /// Has a refresh that is overdue by either clock begin.
    pub(crate) fn catch_up(&self, wall: UnixTime) {
        let running = self.keep_driven();
        let now = self.at(wall);
        let mut status = self.core.status();
        let refresh = status.freshness.until_refresh(now);
        let is_due = refresh.is_some_and(|wait| wait.is_zero());
        if running && is_due && !status.flight.is_pending() {
            status.flight.want(&self.core.pulse, Wanted::Any);
        }
    }

    /// See [`Freshness::looked_at`](super::freshness::Freshness::looked_at); `None` if the
    /// set `seen` has been replaced meanwhile.
    pub(crate) fn looked_at(&self, seen: &Arc<Published>, wall: UnixTime) -> Option<UnixTime> {
        let now = self.at(wall);
        let status = self.core.status();
        Arc::ptr_eq(&self.current.load(), seen).then(|| status.freshness.looked_at(now))
    }

    /// See [`Freshness::outage`](super::freshness::Freshness::outage).
    pub(crate) fn outage(&self) -> Option<Duration> {
        let now = self.core.now();
        (self.core.status().freshness).outage(&self.schedule, now)
    }

    /// A fetch that starts after this call, regardless of the cooldown.
    pub(crate) fn refresh(&self) -> Pending<'_> {
        Pending {
            remote: self,
            waiter: self.fetch_now(Wanted::Fresh),
            keys_suffice: false,
        }
    }

    fn fetch_now(&self, wanted: Wanted) -> Result<Waiter, FetchError> {
        if Handle::try_current().is_err() || !self.keep_driven() {
            return Err(FetchError::NoRuntime);
        }
        let waiter = {
            let mut status = self.core.status();
            status.flight.want(&self.core.pulse, wanted);
            // A fetch under way may have been answered before this call.
            status.flight.waiter_of_next()
        };
        // In case the refresher ended just before it was notified.
        self.keep_running();
        Ok(waiter)
    }

    /// A fetch, the current one if there is one; `None` if the cached keys are usable.
    pub(crate) fn ready(&self) -> Option<Pending<'_>> {
        self.keep_driven();
        let now = self.core.now();
        if self.has_keys(now) {
            return None;
        }
        let known = {
            let status = self.core.status();
            let is_asked_to_wait = !status.freshness.asked_to_wait(now).is_zero();
            match &status.last_error {
                _ if status.flight.is_under_way() => Some(Ok(status.flight.waiter())),
                Some(error) if is_asked_to_wait => Some(Err(error.clone())),
                _ => None,
            }
        };
        Some(Pending {
            remote: self,
            waiter: known.unwrap_or_else(|| self.fetch_now(Wanted::Any)),
            keys_suffice: true,
        })
    }

    /// How many keys can verify, and how far they can be relied on. Asking for the state
    /// also starts fetching: otherwise a server that waits to be ready before it accepts
    /// requests would wait for ever.
    pub(crate) fn state(&self) -> (usize, KeysState) {
        let running = self.keep_driven();
        let now = self.core.now();
        let mut status = self.core.status();
        if running && status.freshness.is_untouched() && !status.flight.is_under_way() {
            (status.flight).want(&self.core.pulse, Wanted::Any);
        }
        let keys = self.current.load().keys(now.wall).len();
        (keys, self.state_of(&status, now))
    }
}
