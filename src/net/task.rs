//! Background tasks that belong to a handle.
//!
//! Each starts with the first use within a runtime and ends with its handle. If its
//! runtime was shut down, or exists but is no longer driven, the next use of keys, Access
//! Tokens or a gateway's token replaces it with another.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use crate::clock::Moment;
use crate::sync::{AbortHandle, AtomicU64, Handle, Instant, Mutex, MutexGuard};

/// How late a task may be: if later, its runtime counts as no longer driven. A runtime
/// that is merely busy answers requests again sooner.
const LATE: Duration = Duration::from_secs(10);

/// A handle's task: dropping this ends the task.
#[derive(Debug, Default)]
pub(crate) struct Background(Mutex<Option<AbortHandle>>);

impl Background {
    /// Spawns what `begin` returns on the current runtime; does nothing if it returns
    /// `None`, since the task is already running. `false` if there is no runtime.
    #[cold]
    pub(crate) fn start<F>(&self, begin: impl FnOnce() -> Option<F>) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(future) = begin() {
            let before = task.replace(runtime.spawn(future).abort_handle());
            // The previous one has ended, or is no longer driven.
            if let Some(before) = before {
                before.abort();
            }
        }
        true
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

/// Which task is running, if any, and when it must report next.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The number of the task; 0 if none is running.
    running: AtomicU64,
    begun: AtomicU64,
    due: Mutex<Due>,
}

/// When a task must report next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Due {
    /// When it is needed next.
    #[default]
    Never,
    Within(Instant),
    /// At this moment of the clock's elapsed time; and when the wait for it began.
    At {
        moment: Duration,
        since: Instant,
    },
}

impl Due {
    /// Within this time, whatever the clock.
    pub(crate) fn within(time: Duration) -> Self {
        Self::Within(Instant::now() + time)
    }

    /// At this moment of the clock's elapsed time.
    pub(crate) fn at(moment: Duration) -> Self {
        Self::At {
            moment,
            since: Instant::now(),
        }
    }

    fn is_past(self, elapsed: Duration) -> bool {
        let late = |instant: Instant| instant.elapsed() > LATE;
        match self {
            Self::Never => false,
            Self::Within(instant) => late(instant),
            // A test's clock that was set ahead does not make the task late.
            Self::At { moment, since } => elapsed > moment.saturating_add(LATE) && late(since),
        }
    }
}

impl Pulse {
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) != 0
    }

    /// Whether the task with this number is running and was not replaced.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.running.load(Ordering::Acquire) == number
    }

    /// Whether a task is running and its runtime is driven.
    pub(crate) fn is_driven(&self, now: Moment) -> bool {
        self.is_running() && !self.due().is_past(now.elapsed)
    }

    /// The number of a task that begins now and must report by `due`. `None` if one is
    /// running and driven. Called within [`Background::start`], so once at a time.
    pub(crate) fn begin(&self, now: Moment, due: Due) -> Option<u64> {
        if self.is_driven(now) {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        self.running.store(number, Ordering::Release);
        self.expect(due);
        Some(number)
    }

    /// The task must report by `due`.
    pub(crate) fn expect(&self, due: Due) {
        *self.due_mut() = due;
    }

    /// No task is needed any more: the running one has nothing to settle.
    pub(crate) fn retire(&self) {
        self.running.store(u64::MAX, Ordering::Release);
    }

    /// The task with this number has ended, unless another has replaced it.
    pub(crate) fn end(&self, number: u64) {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let _ = (self.running).compare_exchange(number, 0, success, failure);
    }

    fn due(&self) -> Due {
        *self.due_mut()
    }

    fn due_mut(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The output of `future`; `None` if it panics.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let output = poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(payload) => {
                forget(payload);
                Poll::Ready(None)
            }
        },
    )
    .await;
    forget(future);
    output
}

/// Drops what may panic once more, such as a panic's payload.
pub(crate) fn forget<T>(value: T) {
    if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        std::mem::forget(worse);
    }
}

#[cfg(shuttle)]
mod models;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    #[tokio::test(start_paused = true)]
    async fn a_task_is_late_by_the_clock_and_in_real_time() {
        let clock = ManualClock::starting_now();
        let is_driven = |pulse: &Pulse| pulse.is_driven(Moment::now(&clock));
        let second = Duration::from_secs(1);
        let pulse = Pulse::default();
        pulse.begin(Moment::now(&clock), Due::at(5 * second));
        // A clock that stands still makes no task late,
        tokio::time::advance(3600 * second).await;
        assert!(is_driven(&pulse));
        clock.advance(5 * second + LATE);
        assert!(is_driven(&pulse));
        clock.advance(second);
        assert!(!is_driven(&pulse));
        // nor does one that is set ahead.
        pulse.expect(Due::at(clock.monotonic()));
        clock.advance(3600 * second);
        assert!(is_driven(&pulse));
        tokio::time::advance(LATE + second).await;
        assert!(!is_driven(&pulse));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_late_ten_seconds_after_the_time_it_has() {
        let clock = ManualClock::starting_now();
        let is_driven = |pulse: &Pulse| pulse.is_driven(Moment::now(&clock));
        let time = Duration::from_secs(5);
        let pulse = Pulse::default();
        pulse.begin(Moment::now(&clock), Due::within(time));
        tokio::time::advance(time + LATE).await;
        assert!(is_driven(&pulse));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!is_driven(&pulse));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_current_task_counts() {
        let now = Moment::now(&ManualClock::starting_now());
        let pulse = Pulse::default();
        let replaced = pulse.begin(now, Due::within(Duration::ZERO)).expect("none");
        assert!(pulse.is_current(replaced));
        tokio::time::advance(2 * LATE).await;
        let current = pulse.begin(now, Due::Never).expect("it is late");
        assert!(pulse.is_current(current) && !pulse.is_current(replaced));
        pulse.end(replaced);
        assert!(pulse.is_running());
        pulse.end(current);
        assert!(!pulse.is_running());
    }

    #[test]
    fn a_retired_task_is_neither_current_nor_begun_again() {
        let now = Moment::now(&ManualClock::starting_now());
        let pulse = Pulse::default();
        let number = pulse.begin(now, Due::Never).expect("none");
        pulse.retire();
        assert!(!pulse.is_current(number));
        pulse.end(number);
        assert_eq!(pulse.begin(now, Due::Never), None);
    }
}
