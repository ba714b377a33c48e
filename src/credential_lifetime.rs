//! How long GO's credentials are valid, and when their expiry is reported: on GO's own
//! schedule.
//!
//! Access Tokens and client pairs are valid for 180 days, and for 7 more days beside
//! their successor. GO reminds their owner by mail every 10 days from 30 days before
//! expiry, and daily in the last 72 hours ("Security Access with OAuth2.0 For PUSH",
//! *Rotate*). The logs of both sides follow the same days.

use std::time::Duration;

use crate::clock::UnixTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From the issue of an Access Token or a client pair to its expiry: 180 days.
pub(crate) const LIFETIME: Duration = Duration::from_secs(180 * DAY.as_secs());

/// From the issue of a successor to the expiry of its predecessor, unless that expires
/// sooner anyway: 7 days.
pub(crate) const OVERLAP: Duration = Duration::from_secs(7 * DAY.as_secs());

/// The days left at each reminder. One more follows at expiry itself.
const DAYS_LEFT: [u32; 6] = [30, 20, 10, 3, 2, 1];

/// When a credential issued then expires.
pub(crate) fn end_of(issued_at: UnixTime) -> UnixTime {
    issued_at.saturating_add(LIFETIME)
}

/// One reminder of one expiry. A later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reminder(usize);

/// The latest reminder due at `now`; `None` more than 30 days before expiry.
fn latest(expires_at: UnixTime, now: UnixTime) -> Option<Reminder> {
    let left = expires_at.saturating_since(now);
    let near = DAYS_LEFT.iter().filter(|days| left <= DAY * **days).count();
    let is_past = usize::from(now >= expires_at);
    (near > 0).then_some(Reminder(near + is_past))
}

/// The reminders of one credential's expiry: each once; after a pause only the latest;
/// and a new series for a new expiry.
#[derive(Debug, Default)]
pub(crate) struct Reminders {
    given: Option<(UnixTime, Reminder)>,
}

/// An expiry is near, or has come: then nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) expires_at: UnixTime,
    pub(crate) left: Duration,
}

impl Reminders {
    /// The reminder due at `now`, which then counts as reported.
    pub(crate) fn due(&mut self, expires_at: UnixTime, now: UnixTime) -> Option<Notice> {
        let latest = latest(expires_at, now)?;
        if (self.given).is_some_and(|(end, given)| end == expires_at && given >= latest) {
            return None;
        }
        self.given = Some((expires_at, latest));
        Some(Notice {
            expires_at,
            left: expires_at.saturating_since(now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const SECOND: Duration = Duration::from_secs(1);

    fn expiry() -> UnixTime {
        UnixTime::from_secs(1_700_000_000)
    }

    fn left(left: Duration) -> Option<usize> {
        latest(expiry(), expiry().saturating_sub(left)).map(|Reminder(number)| number)
    }

    #[test]
    fn reminders_are_due_on_gos_days_and_at_expiry() {
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
            (SECOND, Some(6)),
            (Duration::ZERO, Some(7)),
        ];
        for (time_left, expected) in table {
            assert_eq!(left(time_left), expected, "{time_left:?} left");
        }
        let past = expiry().saturating_add(LIFETIME);
        assert_eq!(latest(expiry(), past), Some(Reminder(7)));
    }

    /// The days left at each report, asking every hour, and twice.
    fn reported(reminders: &mut Reminders, end: UnixTime, hours_left: &[u32]) -> Vec<u64> {
        (hours_left.iter())
            .flat_map(|hours| [hours, hours])
            .filter_map(|hours| reminders.due(end, end.saturating_sub(HOUR * *hours)))
            .map(|notice| notice.left.as_secs() / DAY.as_secs())
            .collect()
    }

    #[test]
    fn each_reminder_is_reported_once() {
        let mut reminders = Reminders::default();
        let life: Vec<_> = (0..=180 * 24).rev().collect();
        let days = reported(&mut reminders, expiry(), &life);
        assert_eq!(days, [30, 20, 10, 3, 2, 1, 0]);
        // Setting the clock back repeats nothing.
        assert!(reported(&mut reminders, expiry(), &life).is_empty());
    }

    #[test]
    fn after_a_pause_only_the_latest_is_reported() {
        let mut reminders = Reminders::default();
        let days = reported(&mut reminders, expiry(), &[25 * 24, 5 * 24]);
        assert_eq!(days, [25, 5]);
    }

    #[test]
    fn a_new_expiry_starts_a_new_series() {
        let mut reminders = Reminders::default();
        let other = expiry().saturating_sub(DAY);
        assert_eq!(reported(&mut reminders, expiry(), &[25 * 24]), [25]);
        assert_eq!(reported(&mut reminders, other, &[25 * 24]), [25]);
    }
}
