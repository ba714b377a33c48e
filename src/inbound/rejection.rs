//! Why a request was rejected, with the matching status and challenge.

use std::fmt;
use std::time::Duration;

use http::{HeaderValue, StatusCode};

use super::credentials::{InvalidCredential, NoToken};
use crate::error::{Reason, VerifyError, VerifyErrorKind};

/// Why a request was rejected, as a stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// No credential, or one of another scheme: 401.
    MissingCredentials,
    /// A credential that cannot be read: 400.
    InvalidRequest,
    /// A token that was rejected: 401; 403 for [`Subject`](VerifyErrorKind::Subject) and
    /// [`WrongApi`](VerifyErrorKind::WrongApi), 503 for
    /// [`KeysUnavailable`](VerifyErrorKind::KeysUnavailable) and
    /// [`KeyPending`](VerifyErrorKind::KeyPending).
    Token(VerifyErrorKind),
    /// A good token that a custom [check](super::GoAuthLayer::check) turned down: 403.
    Forbidden,
    /// A good token whose claims do not fit the type that a handler expects: 500.
    ClaimsMismatch,
}

impl RejectionKind {
    /// The names of all kinds, each in its [place](Self::place).
    pub(crate) fn names() -> Vec<&'static str> {
        let mut kinds: Vec<_> = Rejection::all().map(|rejection| rejection.kind()).collect();
        kinds.sort_by_key(|kind| kind.place());
        kinds.dedup();
        kinds.into_iter().map(Self::as_str).collect()
    }

    /// A number for each kind, from 0.
    pub(super) const fn place(self) -> usize {
        match self {
            Self::MissingCredentials => 0,
            Self::InvalidRequest => 1,
            Self::Forbidden => 2,
            Self::ClaimsMismatch => 3,
            Self::Token(kind) => 4 + kind as usize,
        }
    }

    /// The stable name, in `snake_case`: the same in logs, metric labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingCredentials => "missing_credentials",
            Self::InvalidRequest => "invalid_request",
            Self::Token(kind) => kind.as_str(),
            Self::Forbidden => "forbidden",
            Self::ClaimsMismatch => "claims_mismatch",
        }
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request was rejected.
///
/// It is in the extensions of the response, so that an outer layer can count or log it.
/// Like [`VerifyError`], it holds fixed text only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    cause: Cause,
    retry_after: Duration,
}

/// The cause of a rejection: there are few, and all are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NoToken(NoToken),
    Forbidden,
    /// A handler's type of claims does not fit a genuine token's.
    ClaimsMismatch,
    /// The same, since an Access Token has none.
    NoClaims,
    Token(Reason),
}

impl Cause {
    /// All but those of [`Reason`], each at its index.
    const OWN: [Self; 11] = [
        Self::NoToken(NoToken::Missing),
        Self::NoToken(NoToken::OtherScheme),
        Self::NoToken(NoToken::Invalid(InvalidCredential::Several)),
        Self::NoToken(NoToken::Invalid(InvalidCredential::Comma)),
        Self::NoToken(NoToken::Invalid(InvalidCredential::Empty)),
        Self::NoToken(NoToken::Invalid(InvalidCredential::Space)),
        Self::NoToken(NoToken::Invalid(InvalidCredential::Tab)),
        Self::NoToken(NoToken::Invalid(InvalidCredential::NotAscii)),
        Self::Forbidden,
        Self::ClaimsMismatch,
        Self::NoClaims,
    ];

    const fn index(self) -> usize {
        match self {
            Self::NoToken(NoToken::Missing) => 0,
            Self::NoToken(NoToken::OtherScheme) => 1,
            Self::NoToken(NoToken::Invalid(why)) => 2 + why as usize,
            Self::Forbidden => 8,
            Self::ClaimsMismatch => 9,
            Self::NoClaims => 10,
            Self::Token(reason) => Self::OWN.len() + reason as usize,
        }
    }
}

impl Rejection {
    pub(super) const FORBIDDEN: Self = Self::new(Cause::Forbidden);
    #[cfg(feature = "axum")]
    pub(super) const CLAIMS_MISMATCH: Self = Self::new(Cause::ClaimsMismatch);
    #[cfg(feature = "axum")]
    pub(super) const NO_CLAIMS: Self = Self::new(Cause::NoClaims);

    const fn new(cause: Cause) -> Self {
        Self {
            cause,
            retry_after: Duration::ZERO,
        }
    }

    /// Every rejection there is, in the order of their [`index`](Self::index).
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (Cause::OWN.into_iter())
            .chain(Reason::ALL.iter().copied().map(Cause::Token))
            .map(Self::new)
    }

    pub(super) const fn index(&self) -> usize {
        self.cause.index()
    }

    /// The reason, as a stable name.
    pub const fn kind(&self) -> RejectionKind {
        match self.cause {
            Cause::NoToken(NoToken::Invalid(_)) => RejectionKind::InvalidRequest,
            Cause::NoToken(_) => RejectionKind::MissingCredentials,
            Cause::Forbidden => RejectionKind::Forbidden,
            Cause::ClaimsMismatch | Cause::NoClaims => RejectionKind::ClaimsMismatch,
            Cause::Token(reason) => RejectionKind::Token(reason.kind()),
        }
    }

    /// The reason in fixed English words: printable ASCII without quotes.
    pub const fn detail(&self) -> &'static str {
        match self.cause {
            Cause::NoToken(NoToken::Missing) => "the request has no credentials",
            Cause::NoToken(NoToken::OtherScheme) => "the credentials are of another scheme",
            Cause::NoToken(NoToken::Invalid(why)) => match why {
                InvalidCredential::Several => "the request has several credentials",
                InvalidCredential::Comma => "the credentials contain a comma",
                InvalidCredential::Empty => "the credentials are empty",
                InvalidCredential::Space => "the credentials contain a space too many",
                InvalidCredential::Tab => "the credentials contain a tab",
                InvalidCredential::NotAscii => "the credentials are not plain ASCII",
            },
            Cause::Forbidden => "the caller is not allowed",
            Cause::ClaimsMismatch => "the claims are not those that the handler expects",
            Cause::NoClaims => "the handler expects claims, and an access token has none",
            Cause::Token(reason) => reason.text(),
        }
    }

    /// Whether it concerns an Access Token that was not even looked up.
    pub(crate) fn is_of_access_token(&self) -> bool {
        matches!(
            self.cause,
            Cause::Token(Reason::TooLongForAccessToken | Reason::AccessTokenAhead)
        )
    }

    /// The status that tells a client what to do.
    pub const fn status(&self) -> StatusCode {
        self.answer().0
    }

    /// The error code of RFC 6750, section 3.1, if there is one.
    pub const fn error_code(&self) -> Option<&'static str> {
        self.answer().1
    }

    const fn answer(&self) -> (StatusCode, Option<&'static str>) {
        use VerifyErrorKind::{Subject, WrongApi};

        match self.kind() {
            RejectionKind::MissingCredentials => (StatusCode::UNAUTHORIZED, None),
            RejectionKind::InvalidRequest => (StatusCode::BAD_REQUEST, Some("invalid_request")),
            RejectionKind::Forbidden | RejectionKind::Token(Subject | WrongApi) => {
                (StatusCode::FORBIDDEN, Some("insufficient_scope"))
            }
            RejectionKind::ClaimsMismatch => (StatusCode::INTERNAL_SERVER_ERROR, None),
            RejectionKind::Token(kind) if kind.says_nothing() => {
                (StatusCode::SERVICE_UNAVAILABLE, None)
            }
            RejectionKind::Token(_) => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, section 3) for a `realm` of printable
    /// ASCII without quotes and backslashes. `None` where the caller is not to blame.
    pub fn challenge(&self, realm: &str) -> Option<HeaderValue> {
        let challenge = match (self.kind(), self.error_code()) {
            (RejectionKind::MissingCredentials, _) => format!("Bearer realm=\"{realm}\""),
            (RejectionKind::Token(_), Some(code @ "invalid_token")) => format!(
                "Bearer realm=\"{realm}\", error=\"{code}\", error_description=\"{}\"",
                self.detail()
            ),
            (_, Some(code)) => format!("Bearer realm=\"{realm}\", error=\"{code}\""),
            (_, None) => return None,
        };
        HeaderValue::try_from(challenge).ok()
    }

    /// When to try again, at least a second from now, if the keys are unavailable or not
    /// fetched yet.
    pub fn retry_after(&self) -> Option<Duration> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE)
            .then(|| self.retry_after.max(Duration::from_secs(1)))
    }
}

impl From<NoToken> for Rejection {
    fn from(none: NoToken) -> Self {
        Self::new(Cause::NoToken(none))
    }
}

impl From<VerifyError> for Rejection {
    fn from(error: VerifyError) -> Self {
        Self {
            cause: Cause::Token(error.reason()),
            retry_after: error.retry_after().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_its_own_place() {
        for (index, rejection) in Rejection::all().enumerate() {
            assert_eq!(rejection.index(), index);
        }
    }

    #[test]
    fn two_kinds_have_another_cause_with_access_tokens() {
        let of_access_tokens = Rejection::all().filter(Rejection::is_of_access_token);
        let kinds = of_access_tokens.map(|rejection| rejection.kind().as_str());
        assert_eq!(kinds.collect::<Vec<_>>(), ["too_long", "not_yet_valid"]);
    }

    #[test]
    fn every_kind_has_its_own_place_and_name() {
        let names = RejectionKind::names();
        for rejection in Rejection::all() {
            let kind = rejection.kind();
            assert_eq!(names.get(kind.place()), Some(&kind.as_str()));
        }
        let of_the_contract = "missing_credentials invalid_request forbidden claims_mismatch too_long malformed \
            header algorithm unknown_key signature claims issuer audience expired not_yet_valid \
            missing_claim lifetime subject wrong_environment keys_unavailable key_pending \
            unknown_access_token access_token_expired access_token_revoked wrong_api";
        assert!(names.into_iter().eq(of_the_contract.split_whitespace()));
    }
}
