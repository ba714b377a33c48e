//! The clock that the contenders read.

use std::pin::Pin;
use std::time::{Duration, Instant};

use derbysoft_go_auth::clock::{Clock, SystemClock, UnixTime};

/// [`SystemClock`] as it is in production: in a build with tokio's `test-util`, such as
/// this one, its elapsed time takes a lock.
#[derive(Debug)]
pub(crate) struct PlainClock {
    system: SystemClock,
    start: Instant,
}

impl Default for PlainClock {
    fn default() -> Self {
        Self {
            system: SystemClock::default(),
            start: Instant::now(),
        }
    }
}

impl Clock for PlainClock {
    fn now(&self) -> UnixTime {
        self.system.now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        Box::pin(tokio::time::sleep_until((self.start + moment).into()))
    }
}
