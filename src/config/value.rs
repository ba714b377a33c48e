//! Values as they were given, which settings are read from.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::DeValue;

/// The most characters of a value that a message repeats: more than any valid one has,
/// except an address.
const MAX_SHOWN: usize = 64;

/// A value as it was given.
#[derive(Clone)]
pub(super) enum Value<'a> {
    /// From a variable or a flag. The setting determines its type.
    Text(String),
    /// The same for a list, whose entries are separated by commas.
    Texts(String),
    Toml(DeValue<'a>),
    /// An entry in a TOML list.
    Entry(DeValue<'a>),
}

/// Why a value can't be used.
///
/// It repeats the text of a variable or a flag, but nothing from a file: that could be
/// the wrong one, with secrets in it.
#[derive(Debug)]
pub(super) enum Wrong {
    /// There is no such field; these are the known ones.
    Unknown(&'static [&'static str]),
    /// It is not of the expected form.
    Not(String, What),
}

/// What is not of the expected form.
#[derive(Debug)]
pub(super) enum What {
    Value,
    Entry,
    Text(String),
}

impl Wrong {
    fn not(expected: impl Into<String>) -> Self {
        Self::Not(expected.into(), What::Value)
    }

    fn not_as(expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        Self::not(match &*expected {
            "u16" => "a whole number from 0 to 65535",
            "u64" | "usize" => "a whole number from 0",
            "a sequence" => "a list",
            "a boolean" => "true or false",
            "path string" => "a string",
            "struct IssuerConfig" => "a table",
            _ => &expected,
        })
    }

    /// Adds what the fault refers to, unless that is already known.
    fn of(self, what: impl FnOnce() -> What) -> Self {
        match self {
            Self::Not(expected, What::Value) => Self::Not(expected, what()),
            other => other,
        }
    }

    fn of_text(self, text: &str) -> Self {
        self.of(|| What::Text(text.chars().take(MAX_SHOWN).collect()))
    }
}

/// The text after the setting's name in a message.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str("is not a setting"),
            Self::Not(expected, What::Value) => write!(f, "is not {expected}"),
            Self::Not(expected, What::Entry) => {
                write!(f, "has an entry that is not {expected}")
            }
            Self::Not(expected, What::Text(text)) => {
                write!(f, "is \"{}\", not {expected}", text.escape_debug())
            }
        }
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::not("usable")
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::not_as(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::not_as(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::not(any_of(expected))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown(expected)
    }
}

/// `nbf, iat or sub`
fn any_of(words: &[&str]) -> String {
    match words {
        [words @ .., one, last] => {
            let words: String = words.iter().map(|word| format!("{word}, ")).collect();
            format!("{words}{one} or {last}")
        }
        words => words.concat(),
    }
}

impl<'de> Value<'de> {
    pub(super) fn is_empty_list(&self) -> bool {
        matches!(self, Self::Toml(DeValue::Array(entries)) if entries.is_empty())
    }

    fn visit_toml<V: Visitor<'de>>(value: DeValue<'de>, visitor: V) -> Result<V::Value, Wrong> {
        match value {
            DeValue::String(text) => visitor.visit_str(&text),
            DeValue::Boolean(value) => visitor.visit_bool(value),
            DeValue::Integer(number) => {
                // No setting is negative.
                match u64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_u64(number),
                    Err(_) => Err(Wrong::not_as(&visitor)),
                }
            }
            DeValue::Float(_) | DeValue::Datetime(_) => Err(Wrong::not_as(&visitor)),
            DeValue::Array(entries) => {
                let entries = entries.into_iter().map(|it| Value::Entry(it.into_inner()));
                visitor.visit_seq(SeqDeserializer::new(entries))
            }
            DeValue::Table(table) => {
                let members = (table.into_iter())
                    .map(|(name, value)| (name.into_inner(), Value::Toml(value.into_inner())));
                visitor.visit_map(MapDeserializer::new(members))
            }
        }
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Self::Text(text) => {
                (visitor.visit_str(&text)).map_err(|wrong: Wrong| wrong.of_text(&text))
            }
            Self::Texts(text) => {
                let entries = text.split(',').map(|it| Value::Text(it.trim().to_owned()));
                visitor.visit_seq(SeqDeserializer::new(entries))
            }
            Self::Toml(value) => Self::visit_toml(value, visitor),
            Self::Entry(value) => {
                Self::visit_toml(value, visitor).map_err(|wrong| wrong.of(|| What::Entry))
            }
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Self::Text(text) = self else {
            return self.deserialize_any(visitor);
        };
        let value = match text.parse() {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => Err(Wrong::not_as(&visitor)),
        };
        value.map_err(|wrong: Wrong| wrong.of_text(&text))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Self::Text(text) => match text.parse() {
                Ok(value) => visitor.visit_bool(value),
                Err(_) => Err(Wrong::not_as(&visitor).of_text(&text)),
            },
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let word = |word: &str| visitor.visit_enum(word.into_deserializer());
        match self {
            Self::Text(text) => word(&text).map_err(|wrong: Wrong| wrong.of_text(&text)),
            Self::Toml(DeValue::String(text)) => word(&text),
            Self::Entry(DeValue::String(text)) => {
                word(&text).map_err(|wrong: Wrong| wrong.of(|| What::Entry))
            }
            Self::Toml(_) | Self::Texts(_) => Err(Wrong::not(any_of(variants))),
            Self::Entry(_) => Err(Wrong::not(any_of(variants)).of(|| What::Entry)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        u8 u32 u128 i8 i16 i32 i64 i128 f32 f64 char str string bytes byte_buf map seq unit
        struct identifier ignored_any unit_struct tuple_struct tuple
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
