//! When to fetch keys, and how long to trust them: a pure state machine.
//!
//! ```text
//!             success                70–90 % of the lifetime        lifetime
//!   Empty ──────────────► Fresh ───────────────────────────► Due ─────────────► Stale
//!     ▲                     ▲                                 │                  │
//!     │                     └───────────── success ───────────┴──────────────────┤
//!     └──────────────────────────── maximum staleness ───────────────────────────┘
//! ```
//!
//! `Due` is when the background refresh runs. A `Stale` set has missed every refresh
//! since and is still used; past the maximum staleness nothing is used.

use std::time::Duration;

use crate::clock::{Moment, UnixTime};
use crate::net::retry::{self, ahead_of, as_asked, back_off};

/// The minimum for `Cache-Control: max-age`: a key address that forbids caching would
/// otherwise be fetched from continuously.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(30);

/// The settings, all checked by the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// How long a set is fresh.
    pub(crate) interval: Duration,
    /// The minimum time between the starts of two fetches caused by requests.
    pub(crate) cooldown: Duration,
    /// How long a set may be used after it was fetched.
    pub(crate) max_stale: Duration,
    /// The longest wait after a failure.
    pub(crate) longest_retry: Duration,
}

/// The history of fetches so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Freshness {
    success: Option<Success>,
    /// When the last good set was requested that came neither from a cache nor by `304`.
    looked: Option<Looked>,
    attempt: Option<Attempt>,
    failures: u32,
    /// The last good set was evicted.
    has_expired: bool,
}

#[derive(Debug, Clone, Copy)]
struct Looked {
    at: Moment,
    /// How long ago that already was: zero unless handed over by a predecessor.
    ago: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Success {
    /// When it was requested, by the clock of the handle that did so: tells one fetch from
    /// another.
    origin: Moment,
    at: Moment,
    /// The age of the set at that time: zero unless from a snapshot.
    age_then: Duration,
    lifetime: Duration,
    refresh_after: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    /// When the cooldown since its start ends.
    cooled: Duration,
    ended: Duration,
    /// From its end, how long until the background refresh tries again.
    retry_after: Duration,
    /// From its end, how long to leave the address alone, since it asked for that.
    asked_to_wait: Duration,
}

impl Success {
    /// A set that is so old already, and whose refresh is due at once.
    fn aged(schedule: &Schedule, now: Moment, age: Duration, origin: Moment) -> Self {
        Self {
            origin,
            at: now,
            age_then: age,
            lifetime: schedule.interval,
            refresh_after: Duration::ZERO,
        }
    }

    fn age(&self, now: Moment) -> Duration {
        self.age_then.saturating_add(now.since(self.at))
    }
}

/// How far a set may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing was fetched yet.
    Empty,
    /// Within its lifetime, and no refresh is due yet.
    Fresh,
    /// Within its lifetime; the background refresh is due.
    Due,
    /// Past its lifetime, within the maximum staleness.
    Stale,
    /// Past the maximum staleness: must not be used.
    Expired,
}

impl Trust {
    pub(crate) const fn is_usable(self) -> bool {
        !matches!(self, Self::Empty | Self::Expired)
    }
}

impl Freshness {
    /// Records a fetch that returned a good set: when it started and when it ended.
    /// `fresh`: the answer came neither from a cache nor as a `304`. `jitter` is uniform
    /// in 0…1.
    pub(crate) fn succeeded(
        &mut self,
        schedule: &Schedule,
        (started, ended): (Moment, Moment),
        fresh: bool,
        max_age: Option<Duration>,
        jitter: f64,
    ) {
        let lifetime = lifetime(schedule, max_age);
        self.success = Some(Success {
            origin: started,
            // The document may be as old as the request for it.
            at: started,
            age_then: Duration::ZERO,
            lifetime,
            refresh_after: ahead_of(lifetime, jitter),
        });
        if fresh {
            self.looked = Some(Looked {
                at: started,
                ago: Duration::ZERO,
            });
        }
        self.attempt = Some(Attempt {
            cooled: started.elapsed + schedule.cooldown,
            ended: ended.elapsed,
            retry_after: Duration::ZERO,
            asked_to_wait: Duration::ZERO,
        });
        self.failures = 0;
        self.has_expired = false;
    }

    /// Records a set from a snapshot, fetched `age` before `now`. Its refresh is due at
    /// once.
    pub(crate) fn restored(&mut self, schedule: &Schedule, now: Moment, age: Duration) {
        self.success = Some(Success::aged(schedule, now, age, now));
    }

    /// Records a fetch that failed, and how long its answer asked to wait
    /// (`Retry-After`), which is respected up to our own longest wait, and spread beyond
    /// it. `jitter` is uniform in 0…1.
    pub(crate) fn failed(
        &mut self,
        schedule: &Schedule,
        (started, ended): (Moment, Moment),
        retry_after: Option<Duration>,
        jitter: f64,
    ) {
        self.failures = self.failures.saturating_add(1);
        let asked = retry_after.unwrap_or_default().min(retry::LONGEST);
        let asked_to_wait = as_asked(asked, jitter);
        self.attempt = Some(Attempt {
            cooled: started.elapsed + schedule.cooldown,
            ended: ended.elapsed,
            retry_after: back_off(self.failures, Duration::ZERO, jitter)
                .min(schedule.longest_retry)
                .max(asked_to_wait),
            asked_to_wait,
        });
    }

    /// The same history for a successor, whose clock reads `now` where this one's reads
    /// `then`. Its refresh is due at once, or after the wait that failures require.
    pub(crate) fn handed_over(&self, schedule: &Schedule, then: Moment, now: Moment) -> Self {
        Self {
            success: (self.success).map(|it| Success::aged(schedule, now, it.age(then), it.origin)),
            looked: self.looked.map(|looked| Looked {
                at: now,
                ago: looked.ago.saturating_add(then.since(looked.at)),
            }),
            // A clock that has just started has no earlier moment.
            attempt: self.attempt.map(|attempt| {
                let passed = then.elapsed.saturating_sub(attempt.ended);
                Attempt {
                    cooled: now.elapsed + attempt.cooled.saturating_sub(then.elapsed),
                    ended: now.elapsed,
                    retry_after: attempt.retry_after.saturating_sub(passed),
                    asked_to_wait: attempt.asked_to_wait.saturating_sub(passed),
                }
            }),
            failures: self.failures,
            has_expired: self.has_expired,
        }
    }

    /// When, by the present clock, the last good set was requested that came neither from
    /// a cache nor by `304`; the epoch if there was none.
    pub(crate) fn looked_at(&self, now: Moment) -> UnixTime {
        self.looked.map_or(UnixTime::EPOCH, |looked| {
            let ago = looked.ago.saturating_add(now.since(looked.at));
            now.wall.saturating_sub(ago)
        })
    }

    /// When, by the present clock, the last good set was requested.
    pub(crate) fn fetched_at(&self, now: Moment) -> UnixTime {
        now.wall.saturating_sub(self.age(now).unwrap_or_default())
    }

    /// Forgets an evicted set: no clock step brings it back.
    pub(crate) fn expired(&mut self) {
        self.success = None;
        self.has_expired = true;
    }

    /// The last good set becomes that of `other`; what came of our own attempts stays.
    pub(crate) fn take_keys_of(&mut self, other: Self) {
        (self.success, self.looked) = (other.success, other.looked);
    }

    /// Whether a set of this age is newer than the last good one, and no set has been
    /// evicted.
    pub(crate) fn would_gain(&self, age: Duration, now: Moment) -> bool {
        !self.has_expired && self.age(now).is_none_or(|ours| age < ours)
    }

    /// Whether what was [handed over](Self::handed_over) has a newer set, by another fetch.
    pub(crate) fn would_gain_from(&self, other: &Self, now: Moment) -> bool {
        (other.success).is_some_and(|theirs| {
            let is_same = self
                .success
                .is_some_and(|ours| ours.origin == theirs.origin);
            !is_same && self.would_gain(theirs.age(now), now)
        })
    }

    pub(crate) fn trust(&self, schedule: &Schedule, now: Moment) -> Trust {
        let Some(success) = self.success else {
            return Trust::Empty;
        };
        let age = success.age(now);
        if age >= schedule.max_stale {
            Trust::Expired
        } else if age >= success.lifetime {
            Trust::Stale
        } else if age >= success.refresh_after {
            Trust::Due
        } else {
            Trust::Fresh
        }
    }

    /// The age of the last good set.
    pub(crate) fn age(&self, now: Moment) -> Option<Duration> {
        self.success.map(|success| success.age(now))
    }

    /// The wall-clock time from which the last good set must not be used.
    pub(crate) fn deadline(&self, schedule: &Schedule) -> Option<UnixTime> {
        self.success.map(|success| {
            let left = schedule.max_stale.saturating_sub(success.age_then);
            success.at.wall.saturating_add(left)
        })
    }

    /// The wall-clock time from which the last good set is stale.
    pub(crate) fn stale_from(&self) -> Option<UnixTime> {
        self.success.map(|success| {
            let left = success.lifetime.saturating_sub(success.age_then);
            success.at.wall.saturating_add(left)
        })
    }

    /// Whether the last attempt returned a good set.
    pub(crate) fn last_attempt_succeeded(&self) -> bool {
        self.attempt.is_some() && self.failures == 0
    }

    /// How long until requests may cause a fetch; zero if one may now.
    pub(crate) fn cooling_down(&self, now: Moment) -> Duration {
        let cooled = self
            .attempt
            .map_or(Duration::ZERO, |attempt| attempt.cooled);
        (cooled.saturating_sub(now.elapsed)).max(self.asked_to_wait(now))
    }

    /// How long the address asked to be left alone, from now on.
    pub(crate) fn asked_to_wait(&self, now: Moment) -> Duration {
        self.attempt.map_or(Duration::ZERO, |attempt| {
            (attempt.ended + attempt.asked_to_wait).saturating_sub(now.elapsed)
        })
    }

    /// How long until the background refresh runs: zero if it is due or the keys have
    /// expired, `None` before keys were first requested.
    pub(crate) fn until_refresh(&self, now: Moment) -> Option<Duration> {
        match (self.attempt, self.success) {
            (Some(attempt), _) if self.failures > 0 => {
                let retry_at = attempt.ended + attempt.retry_after;
                Some(retry_at.saturating_sub(now.elapsed))
            }
            (_, Some(success)) => Some(success.refresh_after.saturating_sub(success.age(now))),
            (_, None) => self.has_expired.then_some(Duration::ZERO),
        }
    }

    /// If the last attempt failed or there are no usable keys: how long until the next,
    /// whether a request causes it or the background refresh.
    pub(crate) fn outage(&self, schedule: &Schedule, now: Moment) -> Option<Duration> {
        let reachable = self.trust(schedule, now).is_usable() && self.last_attempt_succeeded();
        (!reachable).then(|| {
            let cooling_down = self.cooling_down(now);
            (self.until_refresh(now)).map_or(cooling_down, |wait| wait.min(cooling_down))
        })
    }

    /// Whether nothing was ever fetched, attempted or restored.
    pub(crate) fn is_untouched(&self) -> bool {
        self.attempt.is_none() && self.success.is_none() && !self.has_expired
    }

    /// Whether there is a good set, which may have expired.
    pub(crate) fn has_set(&self) -> bool {
        self.success.is_some()
    }

    /// How long until the last good set must not be used any more.
    pub(crate) fn until_expiry(&self, schedule: &Schedule, now: Moment) -> Option<Duration> {
        self.success
            .map(|success| schedule.max_stale.saturating_sub(success.age(now)))
    }
}

/// `max-age` may shorten the interval, within limits, and never lengthens it.
fn lifetime(schedule: &Schedule, max_age: Option<Duration>) -> Duration {
    max_age.map_or(schedule.interval, |max_age| {
        max_age.max(SHORTEST_MAX_AGE).min(schedule.interval)
    })
}

/// How long a set is fresh whose answer has this `max-age`, and between which ages it is
/// refreshed.
pub(crate) fn plan(
    schedule: &Schedule,
    max_age: Option<Duration>,
) -> (Duration, std::ops::RangeInclusive<Duration>) {
    let lifetime = lifetime(schedule, max_age);
    let window = ahead_of(lifetime, 0.0)..=ahead_of(lifetime, 1.0);
    (lifetime, window)
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_waits_no_longer_than_the_schedule_says() {
        let schedule = Schedule {
            longest_retry: Duration::from_secs(9),
            ..SCHEDULE
        };
        let mut freshness = Freshness::default();
        let waits = [1, 2, 4, 8, 9, 9].map(Duration::from_secs);
        for wait in waits {
            freshness.failed(&schedule, (at(1), at(1)), None, 1.0);
            assert_eq!(freshness.until_refresh(at(1)), Some(wait));
        }
    }

    const SCHEDULE: Schedule = Schedule {
        interval: Duration::from_secs(300),
        cooldown: Duration::from_secs(10),
        max_stale: Duration::from_secs(86_400),
        longest_retry: retry::LONGEST,
    };

    fn at(seconds: u64) -> Moment {
        Moment {
            wall: UnixTime::from_secs(1_000_000 + seconds),
            elapsed: Duration::from_secs(seconds),
        }
    }

    fn fetched_at(seconds: u64) -> Freshness {
        let mut freshness = Freshness::default();
        freshness.succeeded(&SCHEDULE, (at(seconds), at(seconds)), true, None, 0.5);
        freshness
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn before_the_first_fetch_nothing_is_scheduled() {
        let freshness = Freshness::default();
        assert_eq!(freshness.trust(&SCHEDULE, at(0)), Trust::Empty);
        assert_eq!(freshness.cooling_down(at(0)), Duration::ZERO);
        assert_eq!(freshness.until_refresh(at(0)), None);
        assert_eq!(freshness.until_expiry(&SCHEDULE, at(0)), None);
        assert!(!freshness.last_attempt_succeeded());
        assert_eq!(freshness.stale_from(), None);
        assert_eq!(freshness.outage(&SCHEDULE, at(0)), Some(Duration::ZERO));
    }

    #[test]
    fn an_outage_lasts_from_a_failure_to_a_success() {
        let mut freshness = fetched_at(100);
        assert_eq!(freshness.outage(&SCHEDULE, at(100)), None);
        freshness.failed(&SCHEDULE, (at(240), at(245)), None, 1.0);
        // The retry comes before the end of the cooldown.
        assert_eq!(freshness.outage(&SCHEDULE, at(245)), Some(secs(1)));
        freshness.succeeded(&SCHEDULE, (at(250), at(251)), true, None, 0.5);
        assert_eq!(freshness.outage(&SCHEDULE, at(251)), None);
        // Keys past their end are of no use, however they were fetched.
        let end = at(250 + 86_400);
        assert_eq!(freshness.outage(&SCHEDULE, end), Some(Duration::ZERO));
    }

    #[test]
    fn keys_are_usable_from_the_first_fetch_to_their_end() {
        for (trust, is_usable) in [
            (Trust::Empty, false),
            (Trust::Fresh, true),
            (Trust::Due, true),
            (Trust::Stale, true),
            (Trust::Expired, false),
        ] {
            assert_eq!(trust.is_usable(), is_usable, "{trust:?}");
        }
    }

    #[test]
    fn whatever_was_fetched_or_tried_leaves_a_trace() {
        assert!(Freshness::default().is_untouched());
        let mut tried = Freshness::default();
        tried.failed(&SCHEDULE, (at(1), at(1)), None, 1.0);
        let mut restored = Freshness::default();
        restored.restored(&SCHEDULE, at(1), secs(1));
        assert!(!tried.is_untouched() && !restored.is_untouched());
    }

    #[test]
    fn trust_goes_from_fresh_to_expired() {
        let freshness = fetched_at(100);
        for (age, trust) in [
            (0, Trust::Fresh),
            (239, Trust::Fresh),
            (240, Trust::Due),
            (299, Trust::Due),
            (300, Trust::Stale),
            (86_399, Trust::Stale),
            (86_400, Trust::Expired),
        ] {
            assert_eq!(
                freshness.trust(&SCHEDULE, at(100 + age)),
                trust,
                "at age {age}"
            );
        }
        assert_eq!(freshness.stale_from(), Some(at(400).wall));
        assert_eq!(freshness.deadline(&SCHEDULE), Some(at(86_500).wall));
        assert_eq!(
            freshness.until_expiry(&SCHEDULE, at(200)),
            Some(secs(86_300))
        );
    }

    #[test]
    fn the_refresh_is_due_at_70_to_90_percent() {
        for (jitter, due) in [(0.0, 210), (0.5, 240), (1.0, 270)] {
            let mut freshness = Freshness::default();
            freshness.succeeded(&SCHEDULE, (at(0), at(0)), true, None, jitter);
            let wait = freshness
                .until_refresh(at(0))
                .expect("a refresh is planned");
            assert!(
                wait.abs_diff(secs(due)) < Duration::from_millis(1),
                "{wait:?}"
            );
        }
    }

    #[test]
    fn max_age_only_ever_shortens_the_interval() {
        for (interval, max_age, expected) in [
            (300, None, 300),
            (300, Some(60), 60),
            (300, Some(30), 30),
            (300, Some(29), 30),
            (300, Some(0), 30),
            (300, Some(315_360_000), 300),
            (10, Some(0), 10),
            (10, Some(5), 10),
            (10, Some(60), 10),
        ] {
            let schedule = Schedule {
                interval: secs(interval),
                ..SCHEDULE
            };
            assert_eq!(
                lifetime(&schedule, max_age.map(secs)),
                secs(expected),
                "interval {interval}, max-age {max_age:?}"
            );
        }
    }

    #[test]
    fn retries_back_off_from_1_to_60_seconds() {
        let mut freshness = fetched_at(0);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            freshness.failed(&SCHEDULE, (at(240), at(245)), None, 1.0);
            assert_eq!(freshness.until_refresh(at(245)), Some(secs(expected)));
            assert!(!freshness.last_attempt_succeeded());
        }
        freshness.failed(&SCHEDULE, (at(240), at(245)), None, 0.0);
        assert_eq!(freshness.until_refresh(at(245)), Some(secs(30)));
        assert_eq!(freshness.trust(&SCHEDULE, at(299)), Trust::Due);

        freshness.succeeded(&SCHEDULE, (at(400), at(401)), true, None, 0.5);
        assert_eq!(freshness.until_refresh(at(400)), Some(secs(240)));
        assert!(freshness.last_attempt_succeeded());
    }

    #[test]
    fn the_cooldown_counts_from_an_attempts_start() {
        let mut freshness = fetched_at(100);
        assert_eq!(freshness.cooling_down(at(101)), secs(9));
        assert_eq!(freshness.cooling_down(at(110)), Duration::ZERO);
        freshness.failed(&SCHEDULE, (at(120), at(125)), None, 0.5);
        assert_eq!(freshness.cooling_down(at(125)), secs(5));
        assert_eq!(freshness.cooling_down(at(130)), Duration::ZERO);
    }

    #[test]
    fn retry_after_is_respected_up_to_a_minute_and_spread() {
        for (asked, shortest, longest) in [
            (0, 500, 1000),
            (1, 1000, 1500),
            (30, 30_000, 45_000),
            (60, 60_000, 90_000),
            (3600, 60_000, 90_000),
        ] {
            for (jitter, waited) in [(0.0, shortest), (1.0, longest)] {
                let mut freshness = fetched_at(0);
                let asked = Some(secs(asked));
                freshness.failed(&SCHEDULE, (at(240), at(245)), asked, jitter);
                let waited = Duration::from_millis(waited);
                assert_eq!(freshness.until_refresh(at(245)), Some(waited));
                // Requests cause no fetch meanwhile, nor within the cooldown.
                let cooling_down = freshness.cooling_down(at(245));
                assert_eq!(cooling_down, waited.max(secs(5)), "asked for {asked:?}");
            }
        }
    }

    #[test]
    fn looked_at_is_the_start_of_a_fresh_fetch() {
        assert_eq!(Freshness::default().looked_at(at(7)), UnixTime::EPOCH);
        let mut freshness = Freshness::default();
        freshness.succeeded(&SCHEDULE, (at(100), at(105)), true, None, 0.5);
        assert_eq!(freshness.looked_at(at(130)), at(100).wall);
        // By the clock after it was corrected meanwhile.
        let set_back = Moment {
            wall: at(30).wall,
            ..at(130)
        };
        assert_eq!(freshness.looked_at(set_back), at(0).wall);
        let set_ahead = Moment {
            wall: at(5000).wall,
            ..at(130)
        };
        assert_eq!(freshness.looked_at(set_ahead), at(100).wall);
        // An answer that may come from a cache is newer, but does not count as a look.
        freshness.succeeded(&SCHEDULE, (at(300), at(301)), false, None, 0.5);
        assert_eq!(freshness.looked_at(at(310)), at(100).wall);
        assert_eq!(freshness.fetched_at(at(310)), at(300).wall);
        let now = Moment {
            wall: at(310).wall,
            elapsed: secs(1),
        };
        let successor = freshness.handed_over(&SCHEDULE, at(310), now);
        assert_eq!(successor.looked_at(now), at(100).wall);
    }

    #[test]
    fn an_evicted_set_does_not_come_back() {
        let mut freshness = fetched_at(100);
        assert!(freshness.would_gain(secs(10), at(200)));
        assert!(!freshness.would_gain(secs(100), at(200)));
        freshness.expired();
        assert!(!freshness.would_gain(secs(10), at(200)));
        let successor = freshness.handed_over(&SCHEDULE, at(200), at(1));
        assert!(!successor.would_gain(secs(10), at(2)));
        freshness.succeeded(&SCHEDULE, (at(300), at(300)), true, None, 0.5);
        assert!(freshness.would_gain(secs(10), at(320)));
    }

    #[test]
    fn a_successor_inherits_age_failures_and_cooldown() {
        // Its clock has just started.
        let now = Moment {
            wall: at(250).wall,
            elapsed: secs(1),
        };
        let good = fetched_at(100).handed_over(&SCHEDULE, at(250), now);
        assert_eq!(good.age(now), Some(secs(150)));
        assert_eq!(good.trust(&SCHEDULE, now), Trust::Due);
        assert_eq!(good.until_refresh(now), Some(Duration::ZERO));
        assert_eq!(good.deadline(&SCHEDULE), Some(at(100 + 86_400).wall));
        assert_eq!(good.cooling_down(now), Duration::ZERO);

        let mut failing = fetched_at(100);
        failing.failed(&SCHEDULE, (at(246), at(248)), Some(secs(30)), 0.0);
        let failing = failing.handed_over(&SCHEDULE, at(250), now);
        assert_eq!(failing.until_refresh(now), Some(secs(28)));
        assert_eq!(failing.cooling_down(now), secs(28));
        assert!(failing.outage(&SCHEDULE, now).is_some());

        let untouched = Freshness::default().handed_over(&SCHEDULE, at(250), now);
        assert!(untouched.is_untouched());
    }

    #[test]
    fn the_age_of_a_snapshot_counts_from_its_fetch() {
        for (age, trust) in [
            (0, Trust::Due),
            (299, Trust::Due),
            (300, Trust::Stale),
            (86_399, Trust::Stale),
        ] {
            let mut freshness = Freshness::default();
            freshness.restored(&SCHEDULE, at(7), secs(age));
            assert_eq!(freshness.trust(&SCHEDULE, at(7)), trust, "age {age}");
            assert_eq!(freshness.until_refresh(at(7)), Some(Duration::ZERO));
            assert_eq!(
                freshness.deadline(&SCHEDULE),
                Some(at(7 + 86_400 - age).wall)
            );
            assert_eq!(
                freshness.trust(&SCHEDULE, at(7 + 86_400 - age)),
                Trust::Expired
            );
        }
    }

    #[test]
    fn no_step_of_the_wall_clock_prolongs_trust() {
        let freshness = fetched_at(100);
        let stepped_back = Moment {
            wall: UnixTime::from_secs(5),
            elapsed: secs(100 + 86_400),
        };
        assert_eq!(freshness.trust(&SCHEDULE, stepped_back), Trust::Expired);
        let slept = Moment {
            wall: at(100 + 86_400).wall,
            elapsed: secs(101),
        };
        assert_eq!(freshness.trust(&SCHEDULE, slept), Trust::Expired);
        let both = Moment {
            wall: UnixTime::from_secs(5),
            elapsed: secs(101),
        };
        assert_eq!(freshness.trust(&SCHEDULE, both), Trust::Fresh);
    }
}
