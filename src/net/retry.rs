//! When to try again: after failures, and ahead of an expiry. Pure; `jitter` is uniform
//! in 0…1, and makes a fleet that was started or turned away at once drift apart.

use std::time::Duration;

/// The first wait after a failure; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait of our own after a failure, and the longest that is heeded if an
/// answer asks for it: the end of an outage is noticed within a minute (90 s if it asked
/// for one), and a fleet of a hundred sends about two requests a second.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// How long to wait after another failure, the latest of so many in a row: at least half
/// of the doubled wait, and at least `least`.
pub(crate) fn back_off(failures: u32, least: Duration, jitter: f64) -> Duration {
    let doubled = FIRST * 2_u32.pow(failures.saturating_sub(1).min(6));
    let jittered = doubled.min(LONGEST).mul_f64(0.5 + 0.5 * jitter);
    jittered.max(least)
}

/// How long to wait if an answer asks for `wait`: that long, and up to half as long
/// again. A server that is overloaded asks a whole fleet at one moment.
pub(crate) fn as_asked(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(1.0 + 0.5 * jitter)
}

/// When to replace what is valid for `lifetime`: at 80 % ± 10 %.
pub(crate) fn ahead_of(lifetime: Duration, jitter: f64) -> Duration {
    lifetime.mul_f64(0.7 + 0.2 * jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_second_to_a_minute() {
        let waits = |least, jitter| {
            let wait = |failures| back_off(failures, Duration::from_secs(least), jitter);
            (1..=9)
                .map(wait)
                .map(|wait| wait.as_secs_f64())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            waits(0, 1.0),
            [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
        );
        assert_eq!(waits(0, 0.0)[..3], [0.5, 1.0, 2.0]);
        assert_eq!(waits(10, 1.0)[..5], [10.0, 10.0, 10.0, 10.0, 16.0]);
        assert_eq!(waits(10, 0.0)[4..7], [10.0, 16.0, 30.0]);
        assert_eq!(back_off(u32::MAX, Duration::ZERO, 1.0), LONGEST);
    }
}
