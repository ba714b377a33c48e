//! Why a token was refused.

use std::fmt;
use std::time::Duration;

/// Why a token was refused, as a stable name.
///
/// The names are a contract: [`as_str`](VerifyErrorKind::as_str) gives the same
/// word that stands in logs, metric labels and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// Longer than the configured limit; nothing of it was decoded.
    TooLong,
    /// Not three segments of canonical base64url.
    Malformed,
    /// The header is not strict JSON, or has members that may not be there.
    Header,
    /// `alg` is not the string `RS256`.
    Algorithm,
    /// The issuer publishes no key of this `kid`.
    UnknownKey,
    /// The signature is not one of the named key over this token.
    Signature,
    /// The claims are not a JSON object, have a duplicate, or one of a wrong
    /// type or range.
    Claims,
    /// `iss` is not the configured issuer.
    Issuer,
    /// `aud` holds none of the configured audiences.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come yet.
    NotYetValid,
    /// A required claim is absent.
    MissingClaim,
    /// The token lives longer, from `iat` to `exp`, than is allowed.
    Lifetime,
    /// `sub` is not on the allow-list.
    Subject,
    /// `iss` is that of another environment than the one served here, such as
    /// certification where production is: the token was not looked at further.
    WrongEnvironment,
    /// The issuer's keys could not be had: nothing is said about the token.
    KeysUnavailable,
}

impl VerifyErrorKind {
    /// The stable name, in `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::MissingClaim => "missing_claim",
            Self::Lifetime => "lifetime",
            Self::Subject => "subject",
            Self::WrongEnvironment => "wrong_environment",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }
}

impl fmt::Display for VerifyErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token was refused.
///
/// Its text is fixed: nothing of the token, which is whatever an attacker made
/// it, is ever part of it, so that it can go into a header, a body or a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    detail: &'static str,
    retry_after: Option<Duration>,
}

impl VerifyError {
    pub(crate) const fn new(kind: VerifyErrorKind, detail: &'static str) -> Self {
        Self {
            kind,
            detail,
            retry_after: None,
        }
    }

    pub(crate) const fn keys_unavailable(detail: &'static str, retry_after: Duration) -> Self {
        Self {
            kind: VerifyErrorKind::KeysUnavailable,
            detail,
            retry_after: Some(retry_after),
        }
    }

    /// Why, as a stable name.
    pub const fn kind(&self) -> VerifyErrorKind {
        self.kind
    }

    /// Why, in one fixed English sentence fragment of printable ASCII without
    /// quotes.
    pub const fn detail(&self) -> &'static str {
        self.detail
    }

    /// For [`VerifyErrorKind::KeysUnavailable`]: when a fetch of the keys may
    /// next be tried.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail)
    }
}

impl std::error::Error for VerifyError {}
