//! Tokens by name: GO's own, and one for each way in which a token can be bad.
//!
//! What is expected of a gate is from RFC 7515 (JWS), RFC 7519 (JWT) and RFC 8725 (best practices),
//! and from GO's documentation, which has the issuer, the audience and the validity checked. Where
//! these leave a choice, so does the list.

mod list;

use self::list::{SAMPLES, Sample};
use super::Mint;
use crate::keys::SigningKey;

/// A token of the list of samples.
///
/// ```
/// use derbysoft_go_simulator::{Expected, SampleToken, Simulator};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let go = Simulator::start().await?;
/// let auth = derbysoft_go_auth::GoAuth::builder()
///     .issuer(go.issuer())
///     .audience(go.audience())
///     .jwks_url(go.jwks_url())
///     .build()?;
/// for sample in SampleToken::all() {
///     let verdict = auth.verify(&go.sample_token(sample)).await;
///     match sample.expected() {
///         Expected::LetIn => assert!(verdict.is_ok()),
///         Expected::Refused => assert!(verdict.is_err(), "{}", sample.name()),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SampleToken(&'static Sample);

/// What a gate that guards an API against all but GO does with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// Lets it in.
    LetIn,
    /// Refuses it, whatever its settings: otherwise somebody gets in who should not.
    Refused,
    /// Refuses it or not: it is of GO's own making, and rules or settings decide.
    Either,
}

impl Expected {
    /// `let_in`, `refused` or `either`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LetIn => "let_in",
            Self::Refused => "refused",
            Self::Either => "either",
        }
    }
}

impl SampleToken {
    /// The token that GO sends.
    pub const GOOD: Self = Self(&SAMPLES[0]);

    /// All of the list; first the good one.
    pub fn all() -> impl Iterator<Item = Self> {
        SAMPLES.iter().map(Self)
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|sample| sample.name() == name)
    }

    /// Its name, which stays: `other-key`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// What it is, in words.
    pub const fn about(self) -> &'static str {
        self.0.about
    }

    /// What a gate does with it.
    pub const fn expected(self) -> Expected {
        self.0.expected
    }

    /// The kind by which this crate's gate refuses it where nothing but issuer, audience and key
    /// address is set; none where it lets it in.
    pub const fn refused_as(self) -> Option<&'static str> {
        self.0.refused_as
    }

    /// Makes one of what `mint` would make. `stranger` is a key that is not GO's, to sign with.
    #[must_use]
    pub fn of(self, mint: Mint, stranger: &SigningKey) -> String {
        (self.0.make)(mint, stranger)
    }
}

impl PartialEq for SampleToken {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for SampleToken {}
