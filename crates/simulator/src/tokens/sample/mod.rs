//! Named sample tokens: GO's own, and one for each way in which a token can be bad.
//!
//! The expected verdicts follow RFC 7515 (JWS), RFC 7519 (JWT) and RFC 8725 (best
//! practices), and GO's documentation, which asks for the issuer, the audience and the
//! validity to be checked. Where these leave a choice, so does the list.

mod list;

use self::list::{SAMPLES, Sample};
use super::Mint;
use crate::keys::SigningKey;

/// A named sample token.
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

/// What a verifier that accepts only GO must do with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// It accepts the token.
    LetIn,
    /// It rejects the token, whatever its settings: otherwise an attacker gets in.
    Refused,
    /// It may accept or reject the token: GO made it, and rules or settings decide.
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

    /// All samples, beginning with the good one.
    pub fn all() -> impl Iterator<Item = Self> {
        SAMPLES.iter().map(Self)
    }

    /// The sample of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|sample| sample.name() == name)
    }

    /// Its name, which is stable: `other-key`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Its description.
    pub const fn about(self) -> &'static str {
        self.0.about
    }

    /// What a verifier must do with it.
    pub const fn expected(self) -> Expected {
        self.0.expected
    }

    /// The kind with which `derbysoft-go-auth` rejects it if only issuer, audience and
    /// key address are configured; `None` if it accepts it.
    pub const fn refused_as(self) -> Option<&'static str> {
        self.0.refused_as
    }

    /// Makes the token from `mint`. `stranger` is a key that isn't GO's, to sign with.
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
