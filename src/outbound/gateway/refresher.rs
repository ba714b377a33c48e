//! How a gateway's token is renewed: the task fetches, publishes, and emits reminders.
//!
//! Token, pairs and failures change together, under the lock of the [`Status`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use super::error::{GatewayError, GatewayErrorKind};
use super::fetch::Fetcher;
use super::pairs::{ClientPair, Pairs};
use super::renewal::{Failures, Life};
use super::token::Answer;
use crate::clock::{Clock, Moment, UnixTime};
use crate::net::refresher::{Core, LONGEST_NAP, Refresh, Step};
use crate::net::single_flight::Flight;
use crate::net::task::Due;
use crate::observe;
use crate::outbound::base::Base;
use crate::outbound::expiry::Reported;
use crate::outbound::form::HeaderForm;

/// A token as it is sent.
pub(super) struct Issued {
    /// Increases with each token.
    pub(super) number: u64,
    pub(super) value: HeaderValue,
    pub(super) life: Life,
}

/// Shared by the refresher and its handles.
pub(super) struct Shared {
    pub(super) apis: Vec<Base>,
    pub(super) fetcher: Fetcher,
    form: HeaderForm,
    margin: Duration,
    pub(super) core: Core<Status>,
    pub(super) current: ArcSwapOption<Issued>,
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

impl Refresh for Shared {
    type Status = Status;
    type Wanted = ();
    /// The pairs to try.
    type Fetch = (Arc<ClientPair>, Option<Arc<ClientPair>>);

    const BEGINS_WITHIN: Duration = Duration::ZERO;
    const AGAIN: () = ();

    fn core(&self) -> &Core<Status> {
        &self.core
    }

    fn flight(status: &mut Status) -> &mut Flight<()> {
        &mut status.flight
    }

    async fn begin(&self, _: u64) {}

    fn next_step(&self, number: u64) -> Option<Step<Self::Fetch>> {
        let now = self.core.now();
        self.remind(now.wall);
        let mut status = self.core.status_of(number)?;
        let renewal = status.failures.until_retry(now).or_else(|| {
            let current = self.current.load();
            (current.as_ref()).map(|issued| issued.life.until_renewal(now))
        });
        let is_due = renewal.is_some_and(|wait| wait.is_zero());
        if status.flight.begin(is_due.then_some(())).is_some() {
            // Each of two pairs is tried at most twice.
            (self.core.pulse).expect(Due::within(self.fetcher.timeout() * 4));
            return Some(Step::Fetch(status.pairs.candidates(now.wall)));
        }
        let wait = renewal.map_or(LONGEST_NAP, |wait| wait.min(LONGEST_NAP));
        let moment = now.elapsed + wait;
        self.core.pulse.expect(Due::nap(moment));
        Some(Step::WaitUntil(Some(moment)))
    }

    async fn fetch(self: &Arc<Self>, number: u64, (first, second): Self::Fetch) {
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

    fn stopped(&self, status: &mut Status, now: Moment) {
        status.failed(now, &GatewayErrorKind::Stopped, 1.0);
    }

    fn report_stopped(&self) {
        observe::token_fetch_failed(&GatewayErrorKind::Stopped);
    }
}

impl Shared {
    pub(super) fn new(
        apis: Vec<Base>,
        fetcher: Fetcher,
        form: HeaderForm,
        margin: Duration,
        clock: Arc<dyn Clock>,
        pairs: Pairs,
    ) -> Self {
        Self {
            apis,
            fetcher,
            form,
            margin,
            core: Core::new(
                clock,
                Status {
                    pairs,
                    failures: Failures::default(),
                    last_error: None,
                    flight: Flight::default(),
                    issued: 0,
                    reported_of_current: Reported::default(),
                    reported_of_next: Reported::default(),
                },
            ),
            current: ArcSwapOption::empty(),
        }
    }

    /// Asks a second time if the first answer has expired on arrival: a clock that was
    /// set meanwhile is no reason to fail those who wait.
    async fn ask(&self, pair: &ClientPair) -> (Moment, Result<Fetched, GatewayErrorKind>) {
        let asked = self.core.now();
        let answer = self.ask_once(pair, asked).await;
        match &answer {
            Ok(fetched) if !self.life(asked, fetched).is_alive(self.core.now()) => {
                let asked = self.core.now();
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
        let now = self.core.now();
        let jitter = fastrand::f64();
        let issued = {
            let Some(mut status) = self.core.status_of(number) else {
                return;
            };
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
        if !life.is_alive(self.core.now()) {
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
            let mut status = self.core.status();
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

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("number", &self.number)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
