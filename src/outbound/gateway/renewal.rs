//! When a token may be sent, when to fetch another, and when not to: pure.
//!
//! ```text
//!  fetched            70–90 % of the time        time − margin          time
//!     ├──── usable ────────┼──── usable, renewed ──────┼──── last resort ──┤ dead
//! ```

use std::time::Duration;

use super::error::GatewayErrorKind;
use crate::clock::Moment;
use crate::net::retry::{ahead_of, as_asked, back_off};

/// How soon after the first failure a call may cause another fetch. Doubled with each
/// further one, so that three tries of a call, 100 ms apart, are three fetches.
const FIRST_COOLDOWN: Duration = Duration::from_millis(50);

/// The longest: a gateway that recovers is noticed with the next call, and one that is
/// down is asked once a second, whatever the number of calls, and five times more at the
/// beginning.
const COOLDOWN: Duration = Duration::from_secs(1);

/// The same where the gateway rejected the client pair, which seldom resolves itself and,
/// asked often, looks like guessing. Also how old a token must be for a 401 of the API to
/// cause a fetch: a younger one was rejected for a reason other than its age.
pub(super) const LONG_COOLDOWN: Duration = Duration::from_secs(10);

/// The times of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    asked: Moment,
    pub(super) lifetime: Duration,
    usable: Duration,
    renew_after: Duration,
}

impl Life {
    /// For a token that was requested at `asked` and is valid for `lifetime`. The margin
    /// is at most half of that. `jitter` is uniform in 0…1.
    pub(super) fn new(asked: Moment, lifetime: Duration, margin: Duration, jitter: f64) -> Self {
        let usable = lifetime.saturating_sub(margin.min(lifetime / 2));
        Self {
            asked,
            lifetime,
            usable,
            renew_after: ahead_of(usable, jitter),
        }
    }

    /// Outside the margin: sent as it is.
    pub(super) fn is_usable(&self, now: Moment) -> bool {
        now.since(self.asked) < self.usable
    }

    /// Within the margin: sent if no other can be fetched.
    pub(super) fn is_alive(&self, now: Moment) -> bool {
        now.since(self.asked) < self.lifetime
    }

    /// Too young to be rejected for its age.
    pub(super) fn is_young(&self, now: Moment) -> bool {
        now.since(self.asked) < LONG_COOLDOWN
    }

    pub(super) fn until_renewal(&self, now: Moment) -> Duration {
        self.renew_after.saturating_sub(now.since(self.asked))
    }

    /// The time to its end, zero past it.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.lifetime.saturating_sub(now.since(self.asked))
    }
}

/// The failures since the last fetch that succeeded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    count: u32,
    /// By elapsed time.
    last: Duration,
    retry_after: Duration,
    cooldown: Duration,
}

impl Failures {
    /// `errors`: those of one fetch, by each client pair that was tried. `jitter` is uniform
    /// in 0…1.
    pub(super) fn add<'a>(
        &mut self,
        now: Moment,
        errors: impl Iterator<Item = &'a GatewayErrorKind> + Clone,
        jitter: f64,
    ) {
        let count = self.count.saturating_add(1);
        let cooldown = if errors.clone().any(GatewayErrorKind::is_refusal) {
            LONG_COOLDOWN
        } else {
            let doubled = FIRST_COOLDOWN.saturating_mul(2_u32.saturating_pow(self.count));
            doubled.min(COOLDOWN)
        };
        let asked = errors.map(GatewayErrorKind::asks_to_wait).max();
        let asked = as_asked(asked.unwrap_or_default(), jitter);
        *self = Self {
            count,
            last: now.elapsed,
            retry_after: back_off(count, cooldown.max(COOLDOWN), jitter).max(asked),
            cooldown: cooldown.max(asked),
        };
    }

    /// How long until the next automatic fetch; `None` if there was no failure.
    pub(super) fn until_retry(&self, now: Moment) -> Option<Duration> {
        let since = now.elapsed.saturating_sub(self.last);
        (self.count > 0).then(|| self.retry_after.saturating_sub(since))
    }

    /// How long until a call may cause a fetch; zero if one may now.
    pub(super) fn cooling_down(&self, now: Moment) -> Duration {
        let since = now.elapsed.saturating_sub(self.last);
        self.cooldown.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use crate::clock::UnixTime;
    use crate::outbound::gateway::error::GatewayRefusal;
    use crate::outbound::gateway::excerpt::Excerpt;

    fn at(seconds: u64) -> Moment {
        Moment {
            wall: UnixTime::from_secs(1_700_000_000 + seconds),
            elapsed: Duration::from_secs(seconds),
        }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_renewed_early_and_usable_to_its_end() {
        let early = Life::new(at(0), secs(3600), secs(120), 0.0);
        let late = Life::new(at(0), secs(3600), secs(120), 1.0);
        assert_eq!(early.until_renewal(at(0)), secs(3480).mul_f64(0.7));
        assert_eq!(late.until_renewal(at(0)), secs(3480).mul_f64(0.7 + 0.2));
        assert_eq!(early.until_renewal(at(3480)), Duration::ZERO);
        for (now, usable, alive, left) in [
            (0, true, true, 3600),
            (3479, true, true, 121),
            (3480, false, true, 120),
            (3599, false, true, 1),
            (3600, false, false, 0),
        ] {
            assert_eq!(early.is_usable(at(now)), usable, "{now}");
            assert_eq!(early.is_alive(at(now)), alive, "{now}");
            assert_eq!(early.left(at(now)), secs(left), "{now}");
        }
    }

    #[test]
    fn a_token_is_young_for_ten_seconds() {
        let life = Life::new(at(5), secs(3600), secs(120), 0.0);
        for (now, is_young) in [(5, true), (14, true), (15, false), (100, false)] {
            assert_eq!(life.is_young(at(now)), is_young, "{now}");
        }
    }

    #[test]
    fn the_margin_is_at_most_half_of_a_short_life() {
        let life = Life::new(at(0), secs(60), secs(120), 0.0);
        assert!(life.is_usable(at(29)));
        assert!(!life.is_usable(at(30)));
    }

    #[test]
    fn neither_clock_extends_a_tokens_life() {
        let life = Life::new(at(0), secs(100), secs(0), 0.0);
        let set_back = Moment {
            wall: UnixTime::EPOCH,
            ..at(100)
        };
        let suspended = Moment {
            elapsed: secs(1),
            ..at(100)
        };
        assert!(!life.is_alive(set_back));
        assert!(!life.is_alive(suspended));
    }

    #[test]
    fn failures_back_off_and_rejections_wait_10_seconds() {
        let mut failures = Failures::default();
        assert_eq!(failures.until_retry(at(0)), None);
        assert_eq!(failures.cooling_down(at(0)), secs(0));
        for (retry, cooldown) in [
            (1, 50),
            (2, 100),
            (4, 200),
            (8, 400),
            (16, 800),
            (32, 1000),
            (60, 1000),
            (60, 1000),
        ] {
            failures.add(at(5), once(&GatewayErrorKind::Timeout), 1.0);
            assert_eq!(failures.until_retry(at(5)), Some(secs(retry)));
            let cooldown = Duration::from_millis(cooldown);
            assert_eq!(failures.cooling_down(at(5)), cooldown);
            assert_eq!(failures.cooling_down(at(6)), secs(0));
        }
        failures.count = u32::MAX;
        failures.add(at(5), once(&GatewayErrorKind::Timeout), 0.0);
        assert_eq!(failures.until_retry(at(5)), Some(secs(30)));

        let mut refused = Failures::default();
        refused.add(
            at(5),
            once(&GatewayErrorKind::Refused(GatewayRefusal::Forbidden)),
            0.0,
        );
        assert_eq!(refused.until_retry(at(5)), Some(secs(10)));
        assert_eq!(refused.cooling_down(at(14)), secs(1));
        assert_eq!(refused.cooling_down(at(15)), secs(0));
    }

    #[test]
    fn the_endpoints_retry_after_is_the_least_wait_and_spread() {
        let asking = |seconds| GatewayErrorKind::Answer {
            status: 429,
            body: Excerpt::of(429, b"", []),
            retry_after: Some(secs(seconds)),
        };
        let mut failures = Failures::default();
        failures.add(at(5), once(&asking(30)), 0.0);
        assert_eq!(failures.until_retry(at(5)), Some(secs(30)));
        assert_eq!(failures.cooling_down(at(5)), secs(30));
        failures.add(at(5), once(&asking(30)), 1.0);
        assert_eq!(failures.until_retry(at(5)), Some(secs(45)));
        assert_eq!(failures.cooling_down(at(5)), secs(45));
        for _ in 0..8 {
            failures.add(at(5), once(&asking(0)), 1.0);
        }
        assert_eq!(failures.until_retry(at(5)), Some(secs(60)));
        assert_eq!(failures.cooling_down(at(5)), secs(1));
    }
}
