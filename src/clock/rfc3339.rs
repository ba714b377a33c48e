//! Times with an offset, as people write them: `2026-11-01T08:00:00+08:00`.

use std::time::Duration;

use toml::value::{Datetime, Offset};

use crate::clock::UnixTime;

/// Parses RFC 3339 text.
pub fn parse(text: &str) -> Option<UnixTime> {
    text.parse().ok().and_then(|time| unix_time(&time))
}

/// Requires a date, a time and an offset: without an offset the time is ambiguous.
pub(crate) fn unix_time(time: &Datetime) -> Option<UnixTime> {
    let Datetime {
        date: Some(date),
        time: Some(time),
        offset: Some(offset),
    } = time
    else {
        return None;
    };
    let local = humantime::parse_rfc3339(&format!("{date}T{time}Z")).ok()?;
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => *minutes,
    };
    let offset = Duration::from_secs(60 * u64::from(minutes.unsigned_abs()));
    Some(if minutes < 0 {
        UnixTime::saturating_add(local.into(), offset)
    } else {
        UnixTime::saturating_sub(local.into(), offset)
    })
}

#[cfg(test)]
mod tests {
    use super::{UnixTime, parse};

    #[test]
    fn a_time_is_parsed_only_with_an_offset() {
        let seconds = |text| parse(text).map(UnixTime::as_secs);
        for (text, expected) in [
            ("2026-11-01T00:00:00Z", Some(1_793_491_200)),
            ("2026-11-01T08:00:00+08:00", Some(1_793_491_200)),
            ("2026-10-31T19:30:00-04:30", Some(1_793_491_200)),
            ("2026-11-01T00:00:00.9Z", Some(1_793_491_200)),
            ("2026-11-01T00:00:00", None),
            ("2026-11-01", None),
            ("2026-13-01T00:00:00Z", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
