//! The task that refreshes one thing for all who need it: on demand and ahead of time,
//! one fetch at a time, so that a late answer cannot replace a newer one, and no waiting
//! caller can cancel it.
//!
//! What a fetch changes, it changes together, under one lock; only after that, without
//! the lock, is anything logged or counted.

use std::future::{Future, pending};
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::single_flight::Flight;
use super::task::{Background, Due, Pulse};
use crate::clock::{Clock, Moment};
use crate::sync::{Mutex, MutexGuard};

/// The task checks both clocks at least this often: its timers stand still while a
/// machine is suspended, but what was fetched still ages.
pub(crate) const LONGEST_NAP: Duration = Duration::from_secs(60);

/// What is refreshed. The task and its handle share it.
pub(crate) trait Refresh: Send + Sync + 'static {
    /// What a fetch changes.
    type Status: Send;
    /// What a fetch is wanted for; the greater wins.
    type Wanted: Ord;
    type Fetch: Send;

    /// How long the task may take before its first step.
    const BEGINS_WITHIN: Duration;
    /// What a fetch is wanted for if the task that began it was replaced.
    const AGAIN: Self::Wanted;

    fn core(&self) -> &Core<Self::Status>;

    fn flight(status: &mut Self::Status) -> &mut Flight<Self::Wanted>;

    /// Runs once, before the first step of the task with this number.
    fn begin(&self, number: u64) -> impl Future<Output = ()> + Send;

    /// Also states when the task must report next. `None` if another has replaced it.
    fn next_step(&self, number: u64) -> Option<Step<Self::Fetch>>;

    /// Fetches and publishes.
    fn fetch(self: &Arc<Self>, number: u64, fetch: Self::Fetch) -> impl Future<Output = ()> + Send;

    /// The fetch will not end, since its task was stopped: it has failed.
    fn stopped(&self, status: &mut Self::Status, now: Moment);

    /// Reports that, and calls no foreign code itself.
    fn report_stopped(&self);
}

pub(crate) enum Step<F> {
    Fetch(F),
    /// Until a demand or this moment of elapsed time.
    WaitUntil(Option<Duration>),
}

/// What all that is refreshed has.
#[derive(Debug)]
pub(crate) struct Core<S> {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pulse: Pulse,
    status: Mutex<S>,
}

impl<S> Core<S> {
    pub(crate) fn new(clock: Arc<dyn Clock>, status: S) -> Self {
        Self {
            clock,
            pulse: Pulse::default(),
            status: Mutex::new(status),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, S> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the task with this number. `None` if another has replaced it: what it found is
    /// discarded.
    pub(crate) fn status_of(&self, number: u64) -> Option<MutexGuard<'_, S>> {
        let status = self.status();
        self.pulse.is_current(number).then_some(status)
    }
}

/// The handle on the task; dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Refresher<R: Refresh> {
    shared: Arc<R>,
    task: Background,
}

impl<R: Refresh> Refresher<R> {
    pub(crate) fn new(shared: R) -> Self {
        Self {
            shared: Arc::new(shared),
            task: Background::default(),
        }
    }

    /// Makes sure that the task is running: the first call starts it, and a later one
    /// restarts it if its runtime was shut down. Otherwise costs one load. `false` if
    /// there is no runtime.
    pub(crate) fn keep_running(&self) -> bool {
        self.core().pulse.is_running() || self.start()
    }

    /// Like [`keep_running`](Self::keep_running), but also replaces a task whose runtime
    /// is no longer driven. Call it when a fetch is overdue.
    #[cold]
    pub(crate) fn keep_driven(&self) -> bool {
        let core = self.core();
        core.pulse.is_driven(core.now()) || self.start()
    }

    fn start(&self) -> bool {
        (self.task).start(|| Running::begin(&self.shared).map(Running::run))
    }
}

/// Nobody waits any more, and a fetch that ends with its handle has not failed.
impl<R: Refresh> Drop for Refresher<R> {
    fn drop(&mut self) {
        self.core().pulse.retire();
    }
}

impl<R: Refresh> Deref for Refresher<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.shared
    }
}

/// Owned by the task while it runs. If it is stopped from outside, its unfinished fetch
/// counts as failed, so that nobody waits for it.
struct Running<R: Refresh> {
    shared: Arc<R>,
    number: u64,
    wake: Arc<Notify>,
}

impl<R: Refresh> Running<R> {
    /// Takes over the pending work of an earlier task; `None` if one is running and
    /// driven.
    fn begin(shared: &Arc<R>) -> Option<Self> {
        let core = shared.core();
        let now = core.now();
        // Under the lock, like everything that a task changes.
        let mut status = core.status();
        let number = core.pulse.begin(now, Due::within(R::BEGINS_WITHIN))?;
        Some(Self {
            shared: Arc::clone(shared),
            number,
            wake: R::flight(&mut status).take_over(R::AGAIN),
        })
    }

    async fn run(self) {
        self.shared.begin(self.number).await;
        while let Some(step) = self.shared.next_step(self.number) {
            match step {
                Step::Fetch(fetch) => self.shared.fetch(self.number, fetch).await,
                Step::WaitUntil(moment) => {
                    let clock = &self.shared.core().clock;
                    let time = moment.map(|moment| clock.sleep_until(moment));
                    tokio::select! {
                        biased;
                        () = self.wake.notified() => {}
                        () = time.unwrap_or_else(|| Box::pin(pending())) => {}
                    }
                }
            }
        }
    }
}

impl<R: Refresh> Drop for Running<R> {
    fn drop(&mut self) {
        let core = self.shared.core();
        let now = core.now();
        // All under the lock: the next task begins after this one's end.
        let Some(mut status) = core.status_of(self.number) else {
            return;
        };
        let has_stopped_one = R::flight(&mut status).abandon();
        if has_stopped_one {
            self.shared.stopped(&mut status, now);
            R::flight(&mut status).end();
        }
        core.pulse.end(self.number);
        drop(status);
        if has_stopped_one {
            self.shared.report_stopped();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::clock::SystemClock;

    /// Fetches at once, and for ever.
    struct Hanging {
        core: Core<Flight<()>>,
        is_reported: Arc<AtomicBool>,
    }

    impl Refresh for Hanging {
        type Status = Flight<()>;
        type Wanted = ();
        type Fetch = ();

        const BEGINS_WITHIN: Duration = Duration::ZERO;
        const AGAIN: () = ();

        fn core(&self) -> &Core<Flight<()>> {
            &self.core
        }

        fn flight(status: &mut Flight<()>) -> &mut Flight<()> {
            status
        }

        async fn begin(&self, _: u64) {}

        fn next_step(&self, number: u64) -> Option<Step<()>> {
            let mut flight = self.core.status_of(number)?;
            flight.begin(Some(())).map(Step::Fetch)
        }

        async fn fetch(self: &Arc<Self>, _: u64, (): ()) {
            pending::<()>().await;
        }

        fn stopped(&self, _: &mut Flight<()>, _: Moment) {}

        fn report_stopped(&self) {
            self.is_reported.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_fetch_that_ends_with_its_handle_has_not_failed() {
        for ends_with_handle in [true, false] {
            let is_reported = Arc::new(AtomicBool::new(false));
            let refresher = Refresher::new(Hanging {
                core: Core::new(Arc::new(SystemClock::default()), Flight::default()),
                is_reported: Arc::clone(&is_reported),
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                assert!(refresher.keep_running());
                while !refresher.core.status().is_under_way() {
                    tokio::task::yield_now().await;
                }
            });
            if ends_with_handle {
                drop(refresher);
                drop(runtime);
            } else {
                drop(runtime);
                drop(refresher);
            }
            assert_ne!(is_reported.load(Ordering::Relaxed), ends_with_handle);
        }
    }
}
