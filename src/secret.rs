//! Secret values: they do not print, and are wiped when dropped.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

/// A shared secret: an access token, or a client's secret.
///
/// `Debug` shows none of it, and its memory is wiped when it is dropped. Its source (a
/// file's text, an environment variable) is the caller's to wipe. It has no `PartialEq`:
/// secrets are compared as digests, in constant time.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        secret.to_owned().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_output_shows_nothing_of_a_secret() {
        let secret = Secret::from("53ac0777");
        assert_eq!(secret.expose(), "53ac0777");
        for printed in [format!("{secret:?}"), format!("{secret:#?}")] {
            assert!(!printed.contains("53ac"), "{printed}");
        }
    }
}
