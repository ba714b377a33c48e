//! How a gateway's token is renewed: the task fetches, publishes, and emits reminders.
//!
//! Token, pairs and failures change together, under the lock of the [`Status`].

use std::iter::once;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::error::{GatewayError, GatewayErrorKind};
use super::fetch::Fetcher;
use super::pairs::{ClientPair, Pairs};
use super::renewal::{Failures, Life};
use crate::clock::{Clock, Moment, UnixTime};
use crate::net::refresher::{Core, LONGEST_NAP, Refresh, Step};
use crate::net::single_flight::Flight;
use crate::net::task::Due;
use crate::observe;
use crate::outbound::base::Base;
use crate::outbound::expiry::Reported;
use crate::outbound::form::HeaderForm;
use crate::sync::ArcSwapOption;

/// A token as it is sent.
#[derive(Debug)]
pub(super) struct Issued {
    /// Increases with each token.
    pub(super) number: u64,
    pub(super) value: HeaderValue,
    pub(super) life: Life,
}

/// What is sent, and its times.
type Token = (HeaderValue, Life);

/// Why there is no token: by the client pair that is to take over, or the only one, and by
/// the other where that was tried, too.
struct Failed(GatewayErrorKind, Option<GatewayErrorKind>);

/// Shared by the refresher and its handles.
pub(super) struct Shared {
    pub(super) apis: Vec<Base>,
    pub(super) fetcher: Fetcher,
    form: HeaderForm,
    margin: Duration,
    pub(super) core: Core<Status>,
    pub(super) current: ArcSwapOption<Issued>,
    reported_of_current: Reported,
    reported_of_next: Reported,
}

pub(super) struct Status {
    pub(super) pairs: Pairs,
    pub(super) failures: Failures,
    pub(super) last_error: Option<GatewayErrorKind>,
    pub(super) flight: Flight<()>,
    issued: u64,
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
            let moment = now.elapsed.saturating_add(self.fetcher.longest());
            self.core.pulse.expect(Due::at(moment));
            return Some(Step::Fetch(status.pairs.candidates(now.wall)));
        }
        let wait = renewal.map_or(LONGEST_NAP, |wait| wait.min(LONGEST_NAP));
        let moment = now.elapsed + wait;
        self.core.pulse.expect(Due::at(moment));
        Some(Step::WaitUntil(Some(moment)))
    }

    async fn fetch(self: &Arc<Self>, number: u64, (first, second): Self::Fetch) {
        let (pair, answer) = match (self.ask(&first).await, second) {
            (Err(error), Some(second)) if error.may_be_the_pairs() => {
                observe::next_pair_failed(&error);
                match self.ask(&second).await {
                    Ok(token) => (second, Ok(token)),
                    Err(other) => (first, Err(Failed(error, Some(other)))),
                }
            }
            (answer, _) => (first, answer.map_err(|error| Failed(error, None))),
        };
        self.publish(number, &pair, answer);
    }

    fn stopped(&self, status: &mut Status, now: Moment) {
        status.failed(now, &Failed(GatewayErrorKind::Stopped, None), 1.0);
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
                },
            ),
            current: ArcSwapOption::empty(),
            reported_of_current: Reported::default(),
            reported_of_next: Reported::default(),
        }
    }

    /// Asks a second time if the first answer has expired on arrival: a clock that was
    /// set meanwhile is no reason to fail those who wait.
    async fn ask(&self, pair: &ClientPair) -> Result<Token, GatewayErrorKind> {
        match self.ask_once(pair).await {
            Ok((_, life)) if !life.is_alive(self.core.now()) => self.ask_once(pair).await,
            answer => answer,
        }
    }

    async fn ask_once(&self, pair: &ClientPair) -> Result<Token, GatewayErrorKind> {
        let asked = self.core.now();
        let answer = self.fetcher.fetch(&*self.core.clock, pair).await?;
        let value =
            (self.form.value(answer.token.expose())).ok_or(GatewayErrorKind::UnusableToken)?;
        let lifetime = answer.lifetime(asked.wall)?;
        let life = Life::new(asked, lifetime, self.margin, fastrand::f64());
        Ok((value, life))
    }

    /// Publishes first, then counts the fetch as ended, so that whoever is woken sees the
    /// result. Then it is reported.
    fn publish(&self, number: u64, pair: &Arc<ClientPair>, answer: Result<Token, Failed>) {
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
            let issued = match answer {
                Ok((_, life)) if !life.is_alive(now) => {
                    Err(Failed(GatewayErrorKind::Expired, None))
                }
                Ok((value, life)) => {
                    let pair_moved = status.pairs.worked(pair);
                    status.failures = Failures::default();
                    status.last_error = None;
                    status.issued += 1;
                    self.current.store(Some(Arc::new(Issued {
                        number: status.issued,
                        value,
                        life,
                    })));
                    Ok((life.lifetime, pair_moved))
                }
                Err(failed) => Err(failed),
            };
            if let Err(failed) = &issued {
                status.failed(now, failed, jitter);
            }
            status.flight.end();
            issued
        };
        match issued {
            Ok((lifetime, pair_moved)) => observe::token_fetched(lifetime, pair_moved),
            // The pair that is to take over is the one to fix.
            Err(Failed(error, _)) => observe::token_fetch_failed(&error),
        }
    }

    /// Emits the reminders that are due and not yet emitted.
    pub(super) fn remind(&self, now: UnixTime) {
        let pairs = |end: fn(&Pairs) -> Option<UnixTime>| move || end(&self.core.status().pairs);
        (self.reported_of_current).remind("current client pair", now, pairs(Pairs::end_of_current));
        (self.reported_of_next).remind("next client pair", now, pairs(Pairs::end_of_next));
    }
}

impl Status {
    fn failed(&mut self, now: Moment, Failed(error, other): &Failed, jitter: f64) {
        self.failures.add(now, once(error).chain(other), jitter);
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
