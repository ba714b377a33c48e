//! The task that renews a gateway's token: fetches on demand and ahead of time,
//! publishes, and emits reminders. All fetching is done here, one fetch at a time, so
//! that a late answer cannot replace a newer one, and no waiting caller can cancel it.
//!
//! Token, pairs and failures change together, under the lock of the [`Status`]; only
//! after that, without the lock, is anything logged or counted.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::sync::Notify;

use super::error::{GatewayError, GatewayErrorKind};
use super::fetch::Fetcher;
use super::pairs::{ClientPair, Pairs};
use super::renewal::{Failures, Life};
use super::token::Answer;
use crate::clock::{Clock, Moment, UnixTime};
use crate::net::single_flight::Flight;
use crate::net::task::{Due, Pulse};
use crate::observe;
use crate::outbound::expiry::Reported;
use crate::outbound::form::HeaderForm;

/// The refresher checks both clocks at least this often: its timers stand still while a
/// machine is suspended, but tokens and pairs still age.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// A token as it is sent.
pub(super) struct Issued {
    /// Increases with each token.
    pub(super) number: u64,
    pub(super) value: HeaderValue,
    pub(super) life: Life,
}

/// Shared by the refresher and its handles.
pub(super) struct Shared {
    pub(super) fetcher: Fetcher,
    form: HeaderForm,
    margin: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) current: ArcSwapOption<Issued>,
    status: Mutex<Status>,
    pub(super) pulse: Pulse,
}

pub(super) struct Status {
    pub(super) pairs: Pairs,
    pub(super) failures: Failures,
    pub(super) last_error: Option<GatewayErrorKind>,
    pub(super) flight: Flight<()>,
    issued: u64,
    reported_of_current: Reported,
    reported_of_next: Reported,
}

impl Shared {
    pub(super) fn new(
        fetcher: Fetcher,
        form: HeaderForm,
        margin: Duration,
        clock: Arc<dyn Clock>,
        pairs: Pairs,
    ) -> Self {
        Self {
            fetcher,
            form,
            margin,
            clock,
            current: ArcSwapOption::empty(),
            status: Mutex::new(Status {
                pairs,
                failures: Failures::default(),
                last_error: None,
                flight: Flight::default(),
                issued: 0,
                reported_of_current: Reported::default(),
                reported_of_next: Reported::default(),
            }),
            pulse: Pulse::default(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a refresher, which takes over the tasks of the one before it; `None` if one
    /// is already running and driven.
    pub(super) fn begin_running(self: &Arc<Self>) -> Option<Running> {
        let now = self.now();
        // Under the lock, like all that a refresher changes.
        let mut status = self.status();
        let number = self.pulse.begin(now, Due::within(Duration::ZERO))?;
        Some(Running {
            shared: Arc::clone(self),
            number,
            wake: status.flight.take_over(()),
        })
    }

    fn next_step(&self, number: u64) -> Step {
        let now = self.now();
        self.remind(now.wall);
        let mut status = self.status();
        if !self.pulse.is_current(number) {
            return Step::End;
        }
        let renewal = status.failures.until_retry(now).or_else(|| {
            let current = self.current.load();
            (current.as_ref()).map(|issued| issued.life.until_renewal(now))
        });
        let is_due = renewal.is_some_and(|wait| wait.is_zero());
        if status.flight.begin(is_due.then_some(())).is_some() {
            // Each of two pairs is tried at most twice.
            self.pulse.expect(Due::within(self.fetcher.timeout() * 4));
            let (first, second) = status.pairs.candidates(now.wall);
            return Step::Fetch { first, second };
        }
        let wait = renewal.map_or(LONGEST_NAP, |wait| wait.min(LONGEST_NAP));
        let moment = now.elapsed + wait;
        self.pulse.expect(Due::nap(moment));
        Step::WaitUntil(moment)
    }

    async fn fetch(&self, number: u64, first: Arc<ClientPair>, second: Option<Arc<ClientPair>>) {
        let (asked, tried) = self.ask(&first).await;
        let (pair, asked, result) = match (tried, second) {
            (Err(error), Some(second)) if error.may_be_the_pairs() => {
                observe::next_pair_failed(&error);
                match self.ask(&second).await {
                    (asked, Ok(answer)) => (second, asked, Ok(answer)),
                    // The pair that is to take over is the one to fix.
                    (_, Err(_)) => (first, asked, Err(error)),
                }
            }
            (tried, _) => (first, asked, tried),
        };
        self.publish(number, &pair, asked, result);
    }

    /// Asks a second time if the first answer has expired on arrival: a clock that was
    /// set meanwhile is no reason to fail those who wait.
    async fn ask(&self, pair: &ClientPair) -> (Moment, Result<Fetched, GatewayErrorKind>) {
        let asked = self.now();
        let answer = self.ask_once(pair, asked).await;
        match &answer {
            Ok(fetched) if !self.life(asked, fetched).is_alive(self.now()) => {
                let asked = self.now();
                (asked, self.ask_once(pair, asked).await)
            }
            _ => (asked, answer),
        }
    }

    async fn ask_once(
        &self,
        pair: &ClientPair,
        asked: Moment,
    ) -> Result<Fetched, GatewayErrorKind> {
        let answer = self.fetcher.fetch(pair).await?;
        Fetched::of(&answer, self.form, asked.wall)
    }

    fn life(&self, asked: Moment, fetched: &Fetched) -> Life {
        Life::new(asked, fetched.lifetime, self.margin, fastrand::f64())
    }

    /// Publishes first, then counts the fetch as ended, so that whoever is woken sees the
    /// result. Then it is reported.
    fn publish(
        &self,
        number: u64,
        pair: &Arc<ClientPair>,
        asked: Moment,
        result: Result<Fetched, GatewayErrorKind>,
    ) {
        let now = self.now();
        let jitter = fastrand::f64();
        let issued = {
            let mut status = self.status();
            // A replaced refresher's results are discarded.
            if !self.pulse.is_current(number) {
                return;
            }
            // A replaced pair's results are discarded; the next fetch is requested
            // already, and callers wait for that.
            if !status.pairs.has(pair) {
                status.flight.pass_over();
                return;
            }
            let issued = result.and_then(|fetched| self.issue(asked, fetched, status.issued + 1));
            let issued = issued.map(|(issued, lifetime)| {
                let pair_moved = status.pairs.is_next(pair);
                status.pairs.worked(pair);
                status.failures = Failures::default();
                status.last_error = None;
                status.issued = issued.number;
                self.current.store(Some(Arc::new(issued)));
                (lifetime, pair_moved)
            });
            if let Err(error) = &issued {
                status.failed(now, error, jitter);
            }
            status.flight.end();
            issued
        };
        match issued {
            Ok((lifetime, pair_moved)) => observe::token_fetched(lifetime, pair_moved),
            Err(error) => observe::token_fetch_failed(&error),
        }
    }

    fn issue(
        &self,
        asked: Moment,
        fetched: Fetched,
        number: u64,
    ) -> Result<(Issued, Duration), GatewayErrorKind> {
        let life = self.life(asked, &fetched);
        // It may have come too late.
        if !life.is_alive(self.now()) {
            return Err(GatewayErrorKind::Expired);
        }
        let Fetched { value, lifetime } = fetched;
        let issued = Issued {
            number,
            value,
            life,
        };
        Ok((issued, lifetime))
    }

    /// Emits the reminders that are due and not yet emitted.
    pub(super) fn remind(&self, now: UnixTime) {
        let [current, next] = {
            let mut status = self.status();
            let (current, next) = (status.pairs.end_of_current(), status.pairs.end_of_next());
            [
                status.reported_of_current.due(current, now),
                status.reported_of_next.due(next, now),
            ]
        };
        current.emit("current client pair");
        next.emit("next client pair");
    }
}

/// A token that can be sent, and its lifetime.
struct Fetched {
    value: HeaderValue,
    lifetime: Duration,
}

impl Fetched {
    fn of(answer: &Answer, form: HeaderForm, asked: UnixTime) -> Result<Self, GatewayErrorKind> {
        Ok(Self {
            value: (form.value(answer.token.expose())).ok_or(GatewayErrorKind::UnusableToken)?,
            lifetime: answer.lifetime(asked)?,
        })
    }
}

impl Status {
    fn failed(&mut self, now: Moment, error: &GatewayErrorKind, jitter: f64) {
        self.failures.add(now, error, jitter);
        self.last_error = Some(error.clone());
    }

    /// The last fetch's failure, as callers get it now.
    pub(super) fn last_failure(&self, now: Moment) -> GatewayError {
        let kind = self.last_error.clone();
        self.failure(kind.unwrap_or(GatewayErrorKind::Stopped), now)
    }

    pub(super) fn failure(&self, kind: GatewayErrorKind, now: Moment) -> GatewayError {
        GatewayError::new(kind, self.failures.cooling_down(now))
    }
}

enum Step {
    Fetch {
        first: Arc<ClientPair>,
        second: Option<Arc<ClientPair>>,
    },
    /// Until a demand or this moment of elapsed time.
    WaitUntil(Duration),
    /// Another refresher has taken over.
    End,
}

/// Held by the refresher while it runs. If it is stopped from outside, its unfinished
/// fetch counts as failed, so that nobody waits for it.
pub(super) struct Running {
    shared: Arc<Shared>,
    number: u64,
    wake: Arc<Notify>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Self { shared, number, .. } = self;
        let now = shared.now();
        let has_stopped_one = {
            // All under the lock: the next refresher begins after this one's end.
            let mut status = shared.status();
            if !shared.pulse.is_current(*number) {
                return;
            }
            let has_stopped_one = status.flight.abandon();
            if has_stopped_one {
                status.failed(now, &GatewayErrorKind::Stopped, 1.0);
                status.flight.end();
            }
            shared.pulse.end(*number);
            has_stopped_one
        };
        if has_stopped_one {
            observe::token_fetch_failed(&GatewayErrorKind::Stopped);
        }
    }
}

pub(super) async fn keep(running: Running) {
    let Running {
        shared,
        number,
        wake,
    } = &running;
    loop {
        match shared.next_step(*number) {
            Step::Fetch { first, second } => shared.fetch(*number, first, second).await,
            Step::WaitUntil(moment) => {
                tokio::select! {
                    () = wake.notified() => {}
                    () = shared.clock.sleep_until(moment) => {}
                }
            }
            Step::End => return,
        }
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("number", &self.number)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
