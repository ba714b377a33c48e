//! Durations as words, `30s` or `5m`, in serde formats.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn parse(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*value))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    read(&String::deserialize(deserializer)?)
}

fn read<E: serde::de::Error>(text: &str) -> Result<Duration, E> {
    parse(text).map_err(|_| {
        E::invalid_value(
            serde::de::Unexpected::Str(text),
            &"a duration such as 30s or 5m",
        )
    })
}

/// The same, where there may be none.
pub(super) mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    // The shape that serde's `with` asks for.
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
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::read(&text)).transpose()
    }
}
