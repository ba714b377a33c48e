//! Why a token was rejected.

use std::fmt;
use std::time::Duration;

use serde::{Serialize as _, Serializer};

/// Every kind of rejection of a token, with its stable name.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// Why a token was rejected, as a stable name.
        ///
        /// The names are a contract: [`as_str`](VerifyErrorKind::as_str) gives the word
        /// that appears in logs, metric labels and JSON.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum VerifyErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl VerifyErrorKind {
            /// The stable name, in `snake_case`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// Longer than the configured limit; nothing of it was decoded.
    TooLong = "too_long",
    /// Not three segments of canonical base64url, or a credential with more around it
    /// than the token: its scheme, white space.
    Malformed = "malformed",
    /// The header is not strict JSON, or has members that are not allowed.
    Header = "header",
    /// `alg` is not the string `RS256`.
    Algorithm = "algorithm",
    /// The issuer publishes no key with this `kid`.
    UnknownKey = "unknown_key",
    /// The signature is not the named key's over this token.
    Signature = "signature",
    /// The claims are not a JSON object, contain a duplicate, or one has the wrong type
    /// or range.
    Claims = "claims",
    /// `iss` is not the configured issuer.
    Issuer = "issuer",
    /// `aud` contains none of the configured audiences.
    Audience = "audience",
    /// `exp` has passed.
    Expired = "expired",
    /// `nbf` has not come yet; or an access token's issue is dated more than 24 h ahead.
    NotYetValid = "not_yet_valid",
    /// A required claim is absent.
    MissingClaim = "missing_claim",
    /// The token's lifetime, from `iat` to `exp`, is longer than allowed.
    Lifetime = "lifetime",
    /// `sub` is not on the allow-list.
    Subject = "subject",
    /// `iss` belongs to another environment than the one served here, such as
    /// certification instead of production. Nothing else of the token was checked.
    WrongEnvironment = "wrong_environment",
    /// The issuer's keys are unavailable: the token was neither accepted nor found
    /// invalid.
    KeysUnavailable = "keys_unavailable",
    /// The token's key is unknown, and no fetch has looked for it since the token was
    /// issued: the token was neither accepted nor found invalid.
    KeyPending = "key_pending",
    /// An access token that is not configured.
    UnknownAccessToken = "unknown_access_token",
    /// An access token past its 180 days, or past the 7 days after its successor's issue.
    AccessTokenExpired = "access_token_expired",
    /// An access token that is configured as revoked.
    AccessTokenRevoked = "access_token_revoked",
    /// An access token that is valid, but for another API.
    WrongApi = "wrong_api",
}

impl VerifyErrorKind {
    /// Whether it is not a verdict on the token, so that a retry may succeed: 503.
    pub(crate) const fn says_nothing(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::KeyPending)
    }
}

impl fmt::Display for VerifyErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The last error as text, if there is one: for `serialize_with`.
// The signature that serde requires.
#[expect(clippy::ref_option)]
pub(crate) fn text<S: Serializer>(
    error: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = error.as_ref().map(ToString::to_string);
    text.serialize(serializer)
}

/// Every reason why a token is rejected, with its kind and its text: all that a rejected
/// caller can ever learn.
macro_rules! reasons {
    ($($reason:ident => $kind:ident, $text:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason {
            $($reason,)*
        }

        impl Reason {
            pub(crate) const ALL: &[Self] = &[$(Self::$reason,)*];

            pub(crate) const fn kind(self) -> VerifyErrorKind {
                match self {
                    $(Self::$reason => VerifyErrorKind::$kind,)*
                }
            }

            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)*
                }
            }
        }
    };
}

reasons! {
    TooLong => TooLong, "the token is too long";
    NotThreeSegments => Malformed, "the token does not have three segments";
    NotBase64url => Malformed, "a segment is not canonical base64url";
    SchemeBefore => Malformed, "the token begins with the scheme Bearer";
    WhiteSpaceAround => Malformed, "the token begins or ends with white space";

    HeaderNotUtf8 => Header, "the header is not UTF-8";
    HeaderNotObject => Header, "the header is not a JSON object";
    HeaderDuplicate => Header, "the header has a duplicate member";
    HeaderExcess => Header, "the header is nested too deeply or has too many members";
    HeaderMemberType => Header, "the header has a member of a wrong type";
    Critical => Header, "the header has critical extensions";
    UnencodedPayload => Header, "the header has an unencoded payload";
    Encrypted => Header, "the header is that of an encrypted token";
    OtherType => Header, "the token is of another type";
    Nested => Header, "the token holds another token";
    NoKeyId => Header, "the header has no key id";
    KeyIdType => Header, "the key id is not a string";
    KeyIdLength => Header, "the key id is empty or too long";
    NotRs256 => Algorithm, "the token is not signed with RS256";

    UnknownKey => UnknownKey, "the key is not one of the issuer's";
    DistrustedKey => UnknownKey, "the key is not trusted here";
    BadSignature => Signature, "the signature is not valid";

    ClaimsNotUtf8 => Claims, "the claims are not UTF-8";
    ClaimsNotObject => Claims, "the claims are not a JSON object";
    ClaimsDuplicate => Claims, "the claims have a duplicate";
    ClaimsExcess => Claims, "the claims are nested too deeply or are too many";
    IssType => Claims, "iss is not a string";
    SubType => Claims, "sub is not a string";
    JtiType => Claims, "jti is not a string";
    AudType => Claims, "aud is neither a string nor an array of strings";
    ExpType => Claims, "exp is not a NumericDate";
    NbfType => Claims, "nbf is not a NumericDate";
    IatType => Claims, "iat is not a NumericDate";

    NoIss => MissingClaim, "the token has no iss";
    NoAud => MissingClaim, "the token has no aud";
    NoExp => MissingClaim, "the token has no exp";
    NoNbf => MissingClaim, "the token has no nbf";
    NoIat => MissingClaim, "the token has no iat";
    NoJti => MissingClaim, "the token has no jti";
    NoSub => MissingClaim, "the token has no sub";

    UntrustedIssuer => Issuer, "the issuer is not trusted";
    OtherEnvironment => WrongEnvironment, "the token is of another environment";
    OtherAudience => Audience, "the token is for another audience";
    Expired => Expired, "the token has expired";
    NotYetValid => NotYetValid, "the token is not valid yet";
    TooLongLived => Lifetime, "the token lives longer than is allowed";
    SubjectNotAllowed => Subject, "the subject is not allowed";

    KeysUnavailable => KeysUnavailable, "the keys are not available";
    KeyPending => KeyPending, "the key was not looked for yet";

    TooLongForAccessToken => TooLong, "the token is too long for an access token";
    UnknownAccessToken => UnknownAccessToken, "the token is not known";
    AccessTokenAhead => NotYetValid, "the access token is not valid yet";
    AccessTokenExpired => AccessTokenExpired, "the access token has expired";
    AccessTokenRevoked => AccessTokenRevoked, "the access token has been revoked";
    OtherApi => WrongApi, "the token is for another API";
}

/// A token was rejected.
///
/// Its text is fixed and never contains anything from the token, which an attacker
/// controls. So it is safe in a header, a body or a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyError {
    reason: Reason,
    retry_after: Duration,
}

impl VerifyError {
    pub(crate) const fn new(reason: Reason) -> Self {
        Self {
            reason,
            retry_after: Duration::ZERO,
        }
    }

    pub(crate) const fn keys_unavailable(retry_after: Duration) -> Self {
        Self {
            reason: Reason::KeysUnavailable,
            retry_after,
        }
    }

    pub(crate) const fn key_pending(retry_after: Duration) -> Self {
        Self {
            reason: Reason::KeyPending,
            retry_after,
        }
    }

    pub(crate) const fn reason(&self) -> Reason {
        self.reason
    }

    /// Why, as a stable name.
    pub const fn kind(&self) -> VerifyErrorKind {
        self.reason.kind()
    }

    /// Why, as one fixed English phrase of printable ASCII without quotes.
    pub const fn detail(&self) -> &'static str {
        self.reason.text()
    }

    /// When keys may next be fetched, if the error is no verdict on the token
    /// ([`KeysUnavailable`](VerifyErrorKind::KeysUnavailable),
    /// [`KeyPending`](VerifyErrorKind::KeyPending)).
    pub const fn retry_after(&self) -> Option<Duration> {
        if self.kind().says_nothing() {
            Some(self.retry_after)
        } else {
            None
        }
    }
}

impl From<Reason> for VerifyError {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for VerifyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_text_fits_headers_and_json_unescaped() {
        for reason in Reason::ALL {
            let text = reason.text();
            let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
            assert!(text.bytes().all(plain), "{text}");
        }
    }
}
