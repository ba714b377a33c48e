//! The task that keeps a gateway's token: fetches on demand and ahead of time,
//! publishes, and sees to reminders. All fetching is done here, one fetch at a
//! time, so that a late answer cannot replace a newer one, and nobody who waits
//! can cancel it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::sync::{Notify, watch};

use super::error::{GatewayError, GatewayErrorKind};
use super::fetch::Fetcher;
use super::pairs::{ClientPair, Pairs};
use super::renewal::{Failures, Life};
use super::token::Answer;
use crate::clock::{Clock, Moment, UnixTime};
use crate::observe;
use crate::outbound::expiry::Told;
use crate::outbound::form::HeaderForm;

/// The keeper looks at both clocks at least this often: its timers stand still
/// while a machine is suspended, and tokens and pairs grow old all the same.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// A token as it is sent.
pub(super) struct Issued {
    /// Counted up with each token.
    pub(super) number: u64,
    pub(super) value: HeaderValue,
    pub(super) life: Life,
}

/// What the keeper and its handles share.
pub(super) struct Shared {
    pub(super) fetcher: Fetcher,
    form: HeaderForm,
    margin: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) current: ArcSwapOption<Issued>,
    status: Mutex<Status>,
    /// Wakes the keeper: somebody wants a fetch.
    wanted: Notify,
    /// How many fetches have ended; counted after the result is published.
    pub(super) ended: watch::Sender<u64>,
    running: AtomicBool,
}

pub(super) struct Status {
    pub(super) pairs: Pairs,
    pub(super) failures: Failures,
    pub(super) last_error: Option<GatewayErrorKind>,
    /// A fetch is under way.
    pub(super) fetching: bool,
    /// Another is to follow at once.
    pub(super) wanted: bool,
    issued: u64,
    told_of_current: Told,
    told_of_next: Told,
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
                fetching: false,
                wanted: false,
                issued: 0,
                told_of_current: Told::default(),
                told_of_next: Told::default(),
            }),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
            running: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, status: &mut Status) {
        status.wanted = true;
        self.wanted.notify_one();
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
        status.remind(now.wall);
        let renewal = status.failures.until_retry(now).or_else(|| {
            let current = self.current.load();
            (current.as_ref()).map(|issued| issued.life.until_renewal(now))
        });
        if std::mem::take(&mut status.wanted) || renewal.is_some_and(|wait| wait.is_zero()) {
            status.fetching = true;
            let (first, second) = status.pairs.candidates(now.wall);
            return Step::Fetch { first, second };
        }
        let wait = renewal.map_or(LONGEST_NAP, |wait| wait.min(LONGEST_NAP));
        Step::WaitUntil(now.elapsed + wait)
    }

    async fn fetch(&self, first: Arc<ClientPair>, second: Option<Arc<ClientPair>>) {
        let (asked, tried) = self.ask(&first).await;
        let (pair, asked, result) = match (tried, second) {
            (Err(error), Some(second)) if error.may_be_the_pairs() => {
                observe::next_pair_failed(&error);
                match self.ask(&second).await {
                    (asked, Ok(answer)) => (second, asked, Ok(answer)),
                    // The pair that is to serve is the one to be put right.
                    (_, Err(_)) => (first, asked, Err(error)),
                }
            }
            (tried, _) => (first, asked, tried),
        };
        self.publish(&pair, asked, result);
    }

    /// Asks a second time where the first answer is past its use when it comes: a
    /// clock that was put right meanwhile is no reason to fail those who wait.
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

    /// Publishes first, then counts the fetch as ended: who is woken sees the
    /// result.
    fn publish(
        &self,
        pair: &Arc<ClientPair>,
        asked: Moment,
        result: Result<Fetched, GatewayErrorKind>,
    ) {
        let mut status = self.status();
        // What a pair gave or got that was replaced meanwhile is nobody's; the
        // next fetch is wanted already, and who waits waits for that.
        if !status.pairs.has(pair) {
            status.fetching = false;
            return;
        }
        let issued = result.and_then(|fetched| self.issue(asked, fetched, status.issued + 1));
        let error = match issued {
            Ok((issued, lifetime)) => {
                observe::token_fetched(lifetime, status.pairs.is_next(pair));
                status.pairs.worked(pair);
                status.failures = Failures::default();
                status.last_error = None;
                status.issued = issued.number;
                self.current.store(Some(Arc::new(issued)));
                None
            }
            Err(error) => Some(error),
        };
        self.finish(&mut status, error);
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

    fn finish(&self, status: &mut Status, error: Option<GatewayErrorKind>) {
        status.fetching = false;
        if let Some(error) = error {
            observe::token_fetch_failed(&error);
            status.failures.add(self.now(), &error, fastrand::f64());
            status.last_error = Some(error);
        }
        self.ended.send_modify(|ended| *ended += 1);
    }
}

/// A token that can be sent, and for how long.
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
    /// What the last fetch failed with, as callers get it now.
    pub(super) fn last_failure(&self, now: Moment) -> GatewayError {
        let kind = self.last_error.clone();
        self.failure(kind.unwrap_or(GatewayErrorKind::Stopped), now)
    }

    pub(super) fn failure(&self, kind: GatewayErrorKind, now: Moment) -> GatewayError {
        GatewayError::new(kind, self.failures.cooling_down(now))
    }

    /// Gives the reminders that are due and were not given.
    pub(super) fn remind(&mut self, now: UnixTime) {
        let (current, next) = (self.pairs.end_of_current(), self.pairs.end_of_next());
        self.told_of_current
            .tell("current client pair", current, now);
        self.told_of_next.tell("next client pair", next, now);
    }
}

enum Step {
    Fetch {
        first: Arc<ClientPair>,
        second: Option<Arc<ClientPair>>,
    },
    /// A demand or this moment of elapsed time.
    WaitUntil(Duration),
}

/// Held by the keeper as long as it runs; told from here when it is stopped from
/// outside, so that nobody waits for a fetch that will not end.
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let Self(shared) = self;
        // All under the lock: the next keeper begins after this one's end.
        let mut status = shared.status();
        let stopped = [status.fetching, std::mem::take(&mut status.wanted)];
        for _ in stopped.into_iter().filter(|pending| *pending) {
            shared.finish(&mut status, Some(GatewayErrorKind::Stopped));
        }
        shared.running.store(false, Ordering::Release);
    }
}

pub(super) async fn keep(running: Running) {
    let shared = &running.0;
    loop {
        match shared.next_step() {
            Step::Fetch { first, second } => shared.fetch(first, second).await,
            Step::WaitUntil(moment) => {
                tokio::select! {
                    () = shared.wanted.notified() => {}
                    () = shared.clock.sleep_until(moment) => {}
                }
            }
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
