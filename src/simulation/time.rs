//! The clocks of one machine, by tokio's paused time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, UnixTime};

const START: u64 = 1_800_000_000;

/// What a machine reads on its two clocks at one moment, and what time it is really.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) wall: UnixTime,
    pub(super) elapsed: Duration,
    pub(super) true_time: UnixTime,
}

impl At {
    /// The time since `earlier`, on whichever clock it is longer.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let by_wall = self.wall.since_epoch();
        (by_wall.saturating_sub(earlier.wall.since_epoch()))
            .max(self.elapsed.saturating_sub(earlier.elapsed))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Time(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    origin: Instant,
    suspended: Duration,
    /// By how many seconds the wall clock is wrong.
    skew: i64,
    /// Elapsed time as long as another runtime is entered, whose time is its own.
    frozen: Option<Duration>,
}

impl Time {
    /// Within a runtime whose time is paused.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            origin: Instant::now(),
            suspended: Duration::ZERO,
            skew: 0,
            frozen: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> At {
        let state = self.state();
        let elapsed = state.elapsed();
        let true_time = UnixTime::from_secs(START).saturating_add(elapsed + state.suspended);
        let by = Duration::from_secs(state.skew.unsigned_abs());
        let wall = if state.skew < 0 {
            true_time.saturating_sub(by)
        } else {
            true_time.saturating_add(by)
        };
        At {
            wall,
            elapsed,
            true_time,
        }
    }

    pub(super) fn skew(&self) -> i64 {
        self.state().skew
    }

    /// Steps the wall clock, so that it is wrong by so many seconds.
    pub(super) fn set_skew(&self, skew: i64) {
        self.state().skew = skew;
    }

    /// The machine is suspended: elapsed time stands still.
    pub(super) fn suspend(&self, by: Duration) {
        self.state().suspended += by;
    }

    pub(super) fn freeze(&self) {
        let mut state = self.state();
        state.frozen = Some(state.elapsed());
    }

    pub(super) fn thaw(&self) {
        self.state().frozen = None;
    }

    pub(super) async fn until(&self, elapsed: Duration) {
        let origin = self.state().origin;
        tokio::time::sleep_until(origin + elapsed).await;
    }
}

impl State {
    fn elapsed(&self) -> Duration {
        self.frozen.unwrap_or_else(|| self.origin.elapsed())
    }
}

impl Clock for Time {
    fn now(&self) -> UnixTime {
        Time::now(self).wall
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed()
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let time = self.clone();
        Box::pin(async move { time.until(moment).await })
    }
}
