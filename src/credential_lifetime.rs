//! When a credential with an end should be spoken of: GO's own rhythm, for what
//! GO issues.
//!
//! Access tokens and client pairs live for 180 days, and for 7 more days beside
//! their successor. GO reminds their owner by mail every 10 days from 30 days
//! before the end, and daily in the last 72 hours ("Security Access with OAuth2.0
//! For PUSH", *Rotate*). The logs of both sides keep to the same days.

use std::time::Duration;

use crate::clock::UnixTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From the issue of an access token or a client pair to its end: 180 days.
pub(crate) const LIFETIME: Duration = Duration::from_secs(180 * DAY.as_secs());

/// From the issue of a successor to the end of what it succeeds, where that is
/// not earlier anyway: 7 days.
pub(crate) const OVERLAP: Duration = Duration::from_secs(7 * DAY.as_secs());

/// The days left at each reminder of the series.
const DAYS_LEFT: [u32; 6] = [30, 20, 10, 3, 2, 1];

/// One reminder of the series for one expiry. A later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reminder(u8);

/// The latest reminder that is due at `now`; `None` more than 30 days before
/// `expires_at`. From a day before the end it is the last, also past the end.
///
/// Who keeps the last one given, and speaks only where a greater one is due,
/// says each once, and after a pause only the latest. Another expiry begins
/// another series.
pub(crate) fn due(expires_at: UnixTime, now: UnixTime) -> Option<Reminder> {
    let left = expires_at.saturating_since(now);
    let past = |days: &u32| left <= DAY * *days;
    (1..)
        .zip(DAYS_LEFT)
        .take_while(|(_, days)| past(days))
        .map(|(number, _)| Reminder(number))
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const SECOND: Duration = Duration::from_secs(1);

    fn expiry() -> UnixTime {
        UnixTime::from_secs(1_700_000_000)
    }

    fn left(left: Duration) -> Option<u8> {
        due(expiry(), expiry().saturating_sub(left)).map(|Reminder(number)| number)
    }

    #[test]
    fn reminders_come_at_thirty_twenty_and_ten_days_and_daily_in_the_last_72_hours() {
        let table = [
            (LIFETIME, None),
            (DAY * 30 + SECOND, None),
            (DAY * 30, Some(1)),
            (DAY * 20 + SECOND, Some(1)),
            (DAY * 20, Some(2)),
            (DAY * 10 + SECOND, Some(2)),
            (DAY * 10, Some(3)),
            (HOUR * 72 + SECOND, Some(3)),
            (HOUR * 72, Some(4)),
            (HOUR * 48, Some(5)),
            (HOUR * 24 + SECOND, Some(5)),
            (HOUR * 24, Some(6)),
            (Duration::ZERO, Some(6)),
        ];
        for (time_left, expected) in table {
            assert_eq!(left(time_left), expected, "{time_left:?} left");
        }
        let past = expiry().saturating_add(LIFETIME);
        assert_eq!(due(expiry(), past), Some(Reminder(6)));
    }

    #[test]
    fn who_remembers_the_last_one_is_reminded_six_times_in_180_days() {
        let mut given = None;
        let mut days = Vec::new();
        for hours_left in (0..=180 * 24).rev() {
            let now = due(expiry(), expiry().saturating_sub(HOUR * hours_left));
            if now > given {
                given = now;
                days.push(hours_left / 24);
            }
        }
        assert_eq!(days, DAYS_LEFT);
    }

    #[test]
    fn after_a_pause_only_the_latest_is_due() {
        assert_eq!(left(DAY * 25), Some(1));
        assert_eq!(left(DAY * 5), Some(3));
        assert!(left(DAY * 25) < left(DAY * 5));
    }
}
