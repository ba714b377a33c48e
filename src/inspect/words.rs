//! Times in human words: "expired 3 minutes ago".

use std::cmp::Ordering;
use std::time::Duration;

use crate::clock::UnixTime;

/// The units of a duration, in seconds. Months vary in length and are left out.
const UNITS: [(u64, &str); 5] = [
    (365 * 86_400, "year"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
];

/// A duration in its largest unit and the next: `4 minutes 12 seconds`. Smaller units are
/// left out.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let Some(largest) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return match duration.subsec_millis() {
            0 => "0 seconds".to_owned(),
            _ => "less than a second".to_owned(),
        };
    };
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit, name) in UNITS.iter().skip(largest).take(2) {
        let number = left / unit;
        left %= unit;
        match number {
            0 => {}
            1 => words.push(format!("1 {name}")),
            _ => words.push(format!("{number} {name}s")),
        }
    }
    words.join(" ")
}

/// `moment` as seen at `now`: `3 minutes ago`, `in 3 minutes`.
pub fn relative(moment: UnixTime, now: UnixTime) -> String {
    match moment.cmp(&now) {
        Ordering::Less => format!("{} ago", duration(now.saturating_since(moment))),
        Ordering::Equal => "now".to_owned(),
        Ordering::Greater => format!("in {}", duration(moment.saturating_since(now))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_its_two_largest_units() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (61, "1 minute 1 second"),
            (252, "4 minutes 12 seconds"),
            (3600, "1 hour"),
            (3659, "1 hour"),
            (7260, "2 hours 1 minute"),
            (86_400, "1 day"),
            (90_061, "1 day 1 hour"),
            (180 * 86_400, "180 days"),
            (400 * 86_400, "1 year 35 days"),
            (UnixTime::MAX.as_secs(), "8035 years 121 days"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), words, "{seconds}");
        }
        assert_eq!(duration(Duration::from_millis(12)), "less than a second");
        assert_eq!(duration(Duration::from_millis(1999)), "1 second");
    }

    #[test]
    fn a_moment_is_past_present_or_future() {
        let at = UnixTime::from_secs;
        assert_eq!(relative(at(100), at(280)), "3 minutes ago");
        assert_eq!(relative(at(280), at(100)), "in 3 minutes");
        assert_eq!(relative(at(100), at(100)), "now");
    }
}
