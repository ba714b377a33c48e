//! Time as a value, and the one place that reads it.
//!
//! Everything that decides takes the time as an argument; only the edge (the middleware
//! and the task that refreshes the keys) reads a [`Clock`]. There are two readings, which
//! are not interchangeable:
//!
//! - the *wall clock* ([`Clock::now`]) is what `exp` and `nbf` refer to; an operator or
//!   NTP may step it in either direction;
//! - *elapsed time* ([`Clock::monotonic`]) never goes back; it spaces out fetches, and
//!   limits how long they and the requests that wait for them may take.
//!
//! # What goes by the clock
//!
//! All that a handle decides or waits for goes by the clock that it was built with: the
//! life of tokens and keys, refreshes, cooldowns and retries,
//! [`key_wait`](crate::Config::key_wait) and
//! [`fetch_timeout`](crate::Config::fetch_timeout). So a test with a [`ManualClock`] lets
//! hours pass, or a fetch time out, in no time.
//!
//! Three things take real time whatever the clock: connecting, which the HTTP client
//! limits ([`connect_timeout`](crate::Config::connect_timeout), and what your own client
//! has set); reading a file from a disk that hangs; and noticing that nobody drives a
//! background task's runtime any more. Where a test pauses tokio's time, these limits are
//! over as soon as all tasks wait for a socket or a disk: use a [`ManualClock`] instead.

#[doc(hidden)]
pub mod rfc3339;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use tokio::sync::Notify;

/// The last second that a `NumericDate` may name: 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// A point on the wall clock: the time since 1970-01-01T00:00:00Z, without leap seconds
/// (RFC 7519, section 2, "`NumericDate`").
///
/// It ranges from 0 to the end of the year 9999, in steps of a nanosecond.
///
/// ```
/// use std::time::Duration;
///
/// use derbysoft_go_auth::clock::UnixTime;
///
/// let time = UnixTime::from_secs(1_703_560_990);
/// assert_eq!(time.to_string(), "2023-12-26T03:23:10Z");
/// assert_eq!(time.saturating_add(Duration::MAX), UnixTime::MAX);
/// assert_eq!(time.saturating_sub(Duration::MAX), UnixTime::EPOCH);
/// assert_eq!(UnixTime::checked_from_epoch(time.since_epoch()), Some(time));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(Duration::ZERO);
    /// The end of the year 9999.
    pub const MAX: Self = Self(Duration::new(LAST_SECOND, 999_999_999));

    /// The time `seconds` after the epoch, but at most [`UnixTime::MAX`].
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds > LAST_SECOND {
            Self::MAX
        } else {
            Self(Duration::from_secs(seconds))
        }
    }

    /// The time `since_epoch` after the epoch; `None` past the year 9999.
    pub fn checked_from_epoch(since_epoch: Duration) -> Option<Self> {
        (since_epoch <= Self::MAX.0).then_some(Self(since_epoch))
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// The time since the epoch.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// `self` moved forward, at most to [`UnixTime::MAX`].
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by).min(Self::MAX.0))
    }

    /// `self` moved back, at most to the epoch.
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 3339 in UTC, to the second: `2023-12-26T03:03:10Z`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(SystemTime::from(*self)).fmt(f)
    }
}

/// As displayed: RFC 3339.
impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A duration, which may be absent, as whole seconds: for `serialize_with`.
pub(crate) fn seconds<S: Serializer>(
    time: &(impl Copy + Into<Option<Duration>>),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let time: Option<Duration> = (*time).into();
    time.map(|time| time.as_secs()).serialize(serializer)
}

impl From<UnixTime> for SystemTime {
    fn from(time: UnixTime) -> Self {
        UNIX_EPOCH + time.0
    }
}

/// A time before 1970 becomes the epoch, which fails every `nbf`; one past 9999 becomes
/// [`UnixTime::MAX`], which fails every `exp`.
impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since_epoch.min(Self::MAX.0))
    }
}

/// The source of time. [`SystemClock`] except in tests.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock, read for `exp`, `nbf` and the age of keys.
    fn now(&self) -> UnixTime;

    /// Time elapsed since a fixed but arbitrary moment. Never goes back.
    fn monotonic(&self) -> Duration;

    /// Completes once [`monotonic`](Clock::monotonic) has reached `moment`, at once if it
    /// already has: so no time passes unnoticed between reading the clock and sleeping.
    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>>;
}

/// A moment on both of a clock's readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) wall: UnixTime,
    pub(crate) elapsed: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            elapsed: clock.monotonic(),
        }
    }

    /// The time since `earlier`, on whichever clock it is longer: elapsed time stands
    /// still while a machine is suspended, and the wall clock may be stepped back.
    /// Neither may prolong trust in a key or a token.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.elapsed
            .saturating_sub(earlier.elapsed)
            .max(self.wall.saturating_since(earlier.wall))
    }
}

/// The operating system's clock, and tokio's timers.
///
/// On Linux the wall clock is its coarse one (`CLOCK_REALTIME_COARSE`), which takes a third
/// of the time to read. It is some milliseconds behind (a tick or two of the kernel's
/// timer), and longer where a virtual machine is held up: what `leeway` is for.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: tokio::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[cfg(target_os = "linux")]
    fn now(&self) -> UnixTime {
        use rustix::time::{ClockId, clock_gettime};

        let now = clock_gettime(ClockId::RealtimeCoarse);
        let since_epoch = Duration::try_from(now).unwrap_or_default();
        UnixTime(since_epoch.min(UnixTime::MAX.0))
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> UnixTime {
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let deadline = self.origin.checked_add(moment);
        Box::pin(async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        })
    }
}

/// A clock that moves only when told to, for tests.
///
/// Clones share one time. Sleepers wake once [`advance`](ManualClock::advance) reaches
/// their moment.
///
/// ```
/// use std::time::Duration;
///
/// use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
///
/// let clock = ManualClock::new(UnixTime::from_secs(1_703_560_990));
/// clock.advance(Duration::from_secs(60));
/// clock.step_to(UnixTime::from_secs(0));
/// assert_eq!(clock.now().as_secs(), 0);
/// assert_eq!(clock.monotonic(), Duration::from_secs(60));
/// ```
///
/// # Advancing it while something waits
///
/// A clock that is advanced before a wait has begun does not end it. So a test first
/// [waits for the sleeper](Self::wait_for_sleepers):
///
/// ```
/// # use std::time::Duration;
/// # use derbysoft_go_auth::clock::{Clock, ManualClock};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = ManualClock::starting_now();
/// # async fn wait(clock: ManualClock) {
/// #     let moment = clock.monotonic() + Duration::from_secs(2);
/// #     clock.sleep_until(moment).await;
/// # }
/// let before = clock.sleepers();
/// let waiting = tokio::spawn(wait(clock.clone())); // for two seconds
/// clock.wait_for_sleepers(before + 1).await;
/// clock.advance(Duration::from_secs(2));
/// waiting.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Manual>);

#[derive(Debug)]
struct Manual {
    time: Mutex<ManualTime>,
    advanced: Notify,
    fell_asleep: Notify,
}

#[derive(Debug)]
struct ManualTime {
    wall: UnixTime,
    elapsed: Duration,
    /// The moments that sleepers wait for: all of them later than `elapsed`.
    awaited: Vec<Duration>,
}

impl ManualClock {
    /// A clock that stands still at `now`.
    pub fn new(now: UnixTime) -> Self {
        Self(Arc::new(Manual {
            time: Mutex::new(ManualTime {
                wall: now,
                elapsed: Duration::ZERO,
                awaited: Vec::new(),
            }),
            advanced: Notify::new(),
            fell_asleep: Notify::new(),
        }))
    }

    /// A clock that stands still at the system's current time.
    pub fn starting_now() -> Self {
        Self::new(SystemTime::now().into())
    }

    /// Lets `by` elapse: the wall clock and elapsed time both move.
    pub fn advance(&self, by: Duration) {
        {
            let mut time = self.lock();
            time.wall = time.wall.saturating_add(by);
            time.elapsed += by;
            let elapsed = time.elapsed;
            time.awaited.retain(|moment| *moment > elapsed);
        }
        self.0.advanced.notify_waiters();
    }

    /// Steps the wall clock to `now`, as an operator would; no time elapses.
    pub fn step_to(&self, now: UnixTime) {
        self.lock().wall = now;
    }

    /// How many sleepers wait for their moment. Those that [`advance`](Self::advance)
    /// wakes are not counted any more once it returns.
    ///
    /// All who share the clock count: requests that wait for keys, answers that a
    /// simulator delays, and background tasks. The task that refreshes an issuer's keys
    /// or a gateway's token counts as one, whether it waits for its next fetch or for an
    /// answer.
    pub fn sleepers(&self) -> usize {
        self.lock().awaited.len()
    }

    /// Waits until at least `n` [sleepers](Self::sleepers) wait for their moment.
    ///
    /// Before [`advance`](Self::advance) it shows that a wait has begun; after it, that a
    /// background task has done what was due and waits again.
    pub async fn wait_for_sleepers(&self, n: usize) {
        loop {
            let fell_asleep = self.0.fell_asleep.notified();
            if self.sleepers() >= n {
                return;
            }
            fell_asleep.await;
        }
    }

    fn read(&self) -> MutexGuard<'_, ManualTime> {
        #[cfg(shuttle)]
        crate::sync::step();
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, ManualTime> {
        (self.0.time.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        self.read().wall
    }

    fn monotonic(&self) -> Duration {
        self.read().elapsed
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let sleeper = Sleeper::new(self.clone(), moment);
        Box::pin(async move { sleeper.wakes().await })
    }
}

/// Counted until its moment is reached or it is dropped.
struct Sleeper {
    clock: ManualClock,
    moment: Duration,
}

impl Sleeper {
    fn new(clock: ManualClock, moment: Duration) -> Self {
        {
            let mut time = clock.lock();
            if time.elapsed < moment {
                time.awaited.push(moment);
            }
        }
        clock.0.fell_asleep.notify_waiters();
        Self { clock, moment }
    }

    async fn wakes(&self) {
        loop {
            let advanced = self.clock.0.advanced.notified();
            if self.clock.monotonic() >= self.moment {
                return;
            }
            advanced.await;
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let awaited = &mut self.clock.lock().awaited;
        // Sleepers of one moment are interchangeable.
        if let Some(at) = awaited.iter().position(|moment| *moment == self.moment) {
            awaited.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_the_systems() {
        let before = UnixTime::from(SystemTime::now());
        let now = SystemClock::default().now();
        let after = UnixTime::from(SystemTime::now());
        assert!(now <= after, "{now:?}, {after:?}");
        assert!(before.saturating_since(now) < Duration::from_secs(1));
    }

    #[test]
    fn unix_time_ranges_from_1970_to_9999() {
        assert_eq!(UnixTime::from_secs(u64::MAX), UnixTime::MAX);
        assert_eq!(UnixTime::checked_from_epoch(Duration::MAX), None);
        assert_eq!(UnixTime::MAX.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(
            UnixTime::from(UNIX_EPOCH - Duration::from_secs(1)),
            UnixTime::EPOCH
        );
    }

    #[test]
    fn a_time_is_printed_as_rfc_3339() {
        assert_eq!(
            UnixTime::from_secs(1_703_559_790).to_string(),
            "2023-12-26T03:03:10Z"
        );
    }

    #[tokio::test]
    async fn a_manual_sleeper_wakes_at_its_moment() {
        let clock = ManualClock::new(UnixTime::from_secs(100));
        let sleeper = tokio::spawn(clock.sleep_until(Duration::from_secs(10)));

        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());

        clock.advance(Duration::from_secs(1));
        sleeper.await.expect("the sleeper wakes");
        assert_eq!(clock.now(), UnixTime::from_secs(110));
    }

    #[tokio::test]
    async fn a_sleeper_counts_until_it_is_woken_or_dropped() {
        let clock = ManualClock::new(UnixTime::from_secs(100));
        let sleep = |seconds| clock.sleep_until(Duration::from_secs(seconds));
        let (first, second, dropped) = (sleep(5), sleep(9), sleep(9));
        drop(sleep(0));
        assert_eq!(clock.sleepers(), 3);
        drop(dropped);
        assert_eq!(clock.sleepers(), 2);

        clock.advance(Duration::from_secs(5));
        // Though nobody has polled it.
        assert_eq!(clock.sleepers(), 1);
        first.await;
        assert_eq!(clock.sleepers(), 1);
        drop(second);
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn a_test_can_wait_for_sleepers() {
        let clock = ManualClock::new(UnixTime::from_secs(100));
        clock.wait_for_sleepers(0).await;
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.wait_for_sleepers(2).await }
        });
        let first = clock.sleep_until(Duration::from_secs(5));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let second = clock.sleep_until(Duration::from_secs(5));
        waiting.await.expect("both sleep");
        clock.wait_for_sleepers(1).await;
        clock.advance(Duration::from_secs(5));
        first.await;
        second.await;
    }

    #[test]
    fn stepping_the_wall_clock_elapses_no_time() {
        let clock = ManualClock::new(UnixTime::from_secs(100));
        clock.step_to(UnixTime::from_secs(5));
        assert_eq!(clock.now(), UnixTime::from_secs(5));
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }
}
