//! Durations as text, `30s` or `5m`, in serde formats.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// Part by part: `humantime` panics when the seconds are already at their maximum and
/// smaller units add another second.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    loop {
        let (part, next) = rest.split_at(end_of_part(rest));
        // It needs no unit, but only on its own.
        if part == "0" && text != "0" {
            return None;
        }
        sum = sum.checked_add(humantime::parse_duration(part).ok()?)?;
        if next.is_empty() {
            return Some(sum);
        }
        rest = next;
    }
}

/// Where the first part of `1h 30m` ends: at the next digit after its unit.
fn end_of_part(text: &str) -> usize {
    let unit = text.find(char::is_alphabetic).unwrap_or(text.len());
    let next = text[unit..].find(|c: char| c.is_ascii_digit());
    next.map_or(text.len(), |next| unit + next)
}

pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*value))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Words)
}

struct Words;

impl Visitor<'_> for Words {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 30s or 5m")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The same for an optional duration.
pub(super) mod option {
    use serde::Deserialize;

    use super::{Deserializer, Duration, Serializer};

    #[derive(Deserialize)]
    struct Words(#[serde(with = "super")] Duration);

    // The signature that serde's `with` requires.
    #[expect(clippy::ref_option)]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => {
                serializer.serialize_some(&format_args!("{}", humantime::format_duration(*value)))
            }
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let words = Option::<Words>::deserialize(deserializer)?;
        Ok(words.map(|Words(duration)| duration))
    }
}
