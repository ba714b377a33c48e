//! How a token is written in the `Authorization` header.

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The longest token that is sent, in bytes: 8 KiB, what common servers allow for a
/// header line.
pub(super) const MAX_TOKEN_BYTES: usize = 8192;

/// How a token is written in the `Authorization` header. GO's documents show both forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HeaderForm {
    /// `Bearer TOKEN` (RFC 6750, section 2.1).
    #[default]
    Bearer,
    /// `TOKEN` alone.
    Bare,
}

impl HeaderForm {
    /// The header's value, marked sensitive; `None` if the token is not 1 to
    /// [`MAX_TOKEN_BYTES`] of visible ASCII without a comma, which would join two tokens
    /// (RFC 9110, section 5.3).
    pub(super) fn value(self, token: &str) -> Option<HeaderValue> {
        let is_clean = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b',';
        if !(1..=MAX_TOKEN_BYTES).contains(&token.len()) || !token.bytes().all(is_clean) {
            return None;
        }
        let mut value = match self {
            Self::Bearer => {
                let text = Zeroizing::new(format!("Bearer {token}"));
                HeaderValue::from_str(&text)
            }
            Self::Bare => HeaderValue::from_str(token),
        }
        .ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_gos_forms_are_made_and_not_printed() {
        for (form, text) in [
            (HeaderForm::Bearer, "Bearer 53ac0777"),
            (HeaderForm::Bare, "53ac0777"),
        ] {
            let value = form.value("53ac0777").expect("a token");
            assert_eq!(value, text);
            assert!(value.is_sensitive());
            assert!(!format!("{value:?}").contains("53ac"));
        }
    }

    #[test]
    fn only_one_token_fit_for_a_header_is_accepted() {
        let long = "x".repeat(MAX_TOKEN_BYTES);
        assert!(HeaderForm::Bearer.value(&long).is_some());
        let longer = "x".repeat(MAX_TOKEN_BYTES + 1);
        for token in ["", "a b", "a,b", "a\nb", "a\tb", "é", "a\u{7f}", &longer] {
            assert_eq!(HeaderForm::Bare.value(token), None, "{token:.20}");
        }
    }
}
