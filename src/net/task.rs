//! Tasks in the background that belong to a handle.
//!
//! Each starts with the first use within a runtime and ends with its handle. Where
//! its runtime was shut down, or is there and nobody drives it any more, the next use
//! of keys, Access Tokens or a gateway's token has another take its place.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::clock::Moment;

/// How late a task may be: later than that, nobody drives the runtime that it runs
/// in. One that is merely busy answers requests again sooner.
const LATE: Duration = Duration::from_secs(10);

/// The task of a handle: dropping it ends the task.
#[derive(Debug, Default)]
pub(crate) struct Background(Mutex<Option<AbortHandle>>);

impl Background {
    /// Starts what `begin` gives, on the current runtime; nothing where it gives
    /// `None`, since the task runs already. `false` where there is no runtime to
    /// run in.
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
            // One that has ended, or that nobody drives.
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

/// Which task runs, if any, and when it is to be heard of again.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The number of the task; 0 where none runs.
    running: AtomicU64,
    begun: AtomicU64,
    due: Mutex<Due>,
}

/// When a task is to be heard of again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Due {
    /// When somebody wants something of it.
    #[default]
    Never,
    At(Instant),
    /// At this moment of the clock's elapsed time. It began to wait for it then.
    Nap {
        until: Duration,
        since: Instant,
    },
}

impl Due {
    /// Within this time, whatever the clock.
    pub(crate) fn within(time: Duration) -> Self {
        Self::At(Instant::now() + time)
    }

    pub(crate) fn nap(until: Duration) -> Self {
        Self::Nap {
            until,
            since: Instant::now(),
        }
    }

    fn is_past(self, elapsed: Duration) -> bool {
        let late = |instant: Instant| instant.elapsed() > LATE;
        match self {
            Self::Never => false,
            Self::At(instant) => late(instant),
            // A clock that a test has set ahead is no task that is late.
            Self::Nap { until, since } => elapsed > until + LATE && late(since),
        }
    }
}

impl Pulse {
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) != 0
    }

    /// Whether the task of this number runs, and no other has taken its place.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.running.load(Ordering::Acquire) == number
    }

    /// Whether a task runs, and somebody drives it.
    pub(crate) fn is_driven(&self, now: Moment) -> bool {
        self.is_running() && !self.due().is_past(now.elapsed)
    }

    /// The number of a task that begins now, and is to be heard of again when it is
    /// `due`. `None` where one runs and is driven.
    pub(crate) fn begin(&self, now: Moment, due: Due) -> Option<u64> {
        let before = self.running.load(Ordering::Acquire);
        if before != 0 && self.is_driven(now) {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        (self.running)
            .compare_exchange(before, number, success, failure)
            .ok()?;
        self.expect(due);
        Some(number)
    }

    /// The task is to be heard of again when it is `due`.
    pub(crate) fn expect(&self, due: Due) {
        *self.due_mut() = due;
    }

    /// No task is wanted any more: the one that runs has nothing to settle.
    pub(crate) fn retire(&self) {
        self.running.store(u64::MAX, Ordering::Release);
    }

    /// The task of this number has ended. `false` where another has taken its place.
    pub(crate) fn end(&self, number: u64) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        (self.running)
            .compare_exchange(number, 0, success, failure)
            .is_ok()
    }

    fn due(&self) -> Due {
        *self.due_mut()
    }

    fn due_mut(&self) -> std::sync::MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
