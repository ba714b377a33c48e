//! The names of the APIs that tokens belong to.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name. It becomes a metric label; GO's longest has 18.
const MAX_BYTES: usize = 64;

/// The API that an access token belongs to, by name.
///
/// A name has 1 to 64 lower-case letters and digits, in words joined by single hyphens,
/// and begins with a letter: `availability-peer`. Cloning copies a pointer.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use derbysoft_go_auth::access_token::Api;
///
/// assert_eq!(Api::AVAILABILITY_PEER.as_str(), "availability-peer");
/// let own = Api::new("content-push")?;
/// assert!(Api::new("Content Push").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Api(Name);

#[derive(Clone)]
enum Name {
    Known(&'static str),
    Own(Arc<str>),
}

impl Api {
    /// The API that a distributor of the push model serves and GO calls (V4).
    pub const AVAILABILITY_PEER: Self = Self(Name::Known("availability-peer"));
    /// V3: creating, cancelling and querying reservations.
    pub const V3_RESERVATION: Self = Self(Name::Known("v3-reservation"));
    /// V3: ping, single and multiple availability.
    pub const V3_NON_RESERVATION: Self = Self(Name::Known("v3-non-reservation"));

    /// The API with this name: one of the constants', or a custom one.
    ///
    /// # Errors
    /// If the name does not have the form described at [`Api`].
    pub fn new(name: &str) -> Result<Self, InvalidApi> {
        let is_word = |word: &str| {
            !word.is_empty()
                && (word.bytes()).all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let is_name = name.len() <= MAX_BYTES
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.split('-').all(is_word);
        if is_name {
            Ok(Self(Name::Own(name.into())))
        } else {
            Err(InvalidApi(()))
        }
    }

    /// The API's name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Own(name) => name,
        }
    }
}

impl PartialEq for Api {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Api {}

impl Hash for Api {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({})", self.as_str())
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Api {
    type Error = InvalidApi;

    fn try_from(name: String) -> Result<Self, InvalidApi> {
        Self::new(&name)
    }
}

impl Serialize for Api {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// This can't be the name of an [`Api`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an API's name is up to 64 lower-case letters, digits and single hyphens, and begins with a letter"
)]
pub struct InvalidApi(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_name_is_lower_case_words_and_digits() {
        let longest = "a".repeat(64);
        for good in [
            "availability-peer",
            "v3-reservation",
            "x",
            "a-1-b",
            &longest,
        ] {
            assert_eq!(
                Api::new(good).map(|api| api.to_string()).as_deref(),
                Ok(good)
            );
        }
        let too_long = "a".repeat(65);
        for bad in [
            "", "-", "a-", "-a", "a--b", "3v", "A", "aB", "a b", "a_b", "a.b", "ä", "a\n",
            &too_long,
        ] {
            assert!(Api::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_constant_equals_the_api_of_its_name() {
        for known in [
            Api::AVAILABILITY_PEER,
            Api::V3_RESERVATION,
            Api::V3_NON_RESERVATION,
        ] {
            assert_eq!(Api::new(known.as_str()), Ok(known));
        }
    }
}
