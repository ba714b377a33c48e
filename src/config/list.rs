//! Lists of texts in serde formats, where one text stands for a list of one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(OneOrMany(PhantomData))
    } else {
        // Such a format may not know what comes next, and nobody writes it by hand.
        Vec::deserialize(deserializer)
    }
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    /// Not with a comma in it: the environment separates entries by commas, and a rule of
    /// two entries must not become a rule of another one.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        const EXPECTED: &str = "a list, as text with a comma has to be: [\"a\", \"b\"]";
        if text.contains(',') {
            let found = Unexpected::Other("a string with a comma");
            return Err(E::invalid_value(found, &EXPECTED));
        }
        T::deserialize(text.into_deserializer()).map(|entry| vec![entry])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, entries: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(entries))
    }
}
