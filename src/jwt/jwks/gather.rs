//! Arrays of JSON, read without a list of their elements.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The result of reading an array element by element: a document has room for a hundred
/// thousand, and a list of all would take many times its size.
pub(super) trait Gather: Default {
    fn add(&mut self, element: &RawValue);
}

/// A JSON array, gathered.
pub(super) struct Gathered<G>(pub(super) G);

impl<'de, G: Gather> Deserialize<'de> for Gathered<G> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<G>(G);

        impl<'de, G: Gather> Visitor<'de> for Elements<G> {
            type Value = G;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<G, A::Error> {
                while let Some(element) = array.next_element()? {
                    self.0.add(element);
                }
                Ok(self.0)
            }
        }

        deserializer
            .deserialize_seq(Elements(G::default()))
            .map(Self)
    }
}
