//! What GO's gateway says no with, and what fetching a token fails of.

use std::fmt;

use serde::Deserialize;

use crate::json;

/// The most of an answer's body that is kept for an error, in bytes: GO's own
/// failures take about 80.
const EXCERPT_BYTES: usize = 512;

/// A refusal as GO's gateway documents it ("Security Access with OAuth2.0 For
/// PUSH"): `{"message":"…","source":"Derbysoft DGateway2"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayRefusal {
    /// 401 `Missing JWT token in request`.
    #[error("Missing JWT token in request")]
    MissingToken,
    /// 401 `JWT token invalid`.
    #[error("JWT token invalid")]
    InvalidToken,
    /// 401 `missing user key in JWT token`.
    #[error("missing user key in JWT token")]
    MissingUserKey,
    /// 401 `Invalid user key in JWT token`.
    #[error("Invalid user key in JWT token")]
    InvalidUserKey,
    /// 401 `failed to verify jwt`.
    #[error("failed to verify jwt")]
    NotVerified,
    /// 403 `The consumer_name is forbidden`.
    #[error("The consumer_name is forbidden")]
    Forbidden,
}

impl GatewayRefusal {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::MissingToken,
        Self::InvalidToken,
        Self::MissingUserKey,
        Self::InvalidUserKey,
        Self::NotVerified,
        Self::Forbidden,
    ];

    /// The refusal that an answer of this status and body is, whether of the API
    /// or of the token endpoint; `None` where it is none of the six.
    ///
    /// ```
    /// use derbysoft_go_auth::outbound::GatewayRefusal;
    ///
    /// let body = br#"{"message":"failed to verify jwt","source":"Derbysoft DGateway2"}"#;
    /// assert_eq!(GatewayRefusal::read(401, body), Some(GatewayRefusal::NotVerified));
    /// assert_eq!(GatewayRefusal::read(200, body), None);
    /// ```
    pub fn read(status: u16, body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Failure {
            message: String,
        }
        if !json::is_object(body) {
            return None;
        }
        let Failure { message } = serde_json::from_slice(body).ok()?;
        (Self::ALL.into_iter())
            .find(|refusal| refusal.status() == status && refusal.to_string() == message)
    }

    /// 403 for [`Forbidden`](Self::Forbidden), 401 for the others.
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 401,
        }
    }
}

/// The beginning of an answer's body, at most 512 bytes, without what the client
/// had sent in confidence, and nothing of a body that may hold a token. It prints
/// with control characters escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// `secrets` are left out before anything is cut off: an answer may repeat
    /// what it was asked with.
    pub(super) fn of<'a>(body: &[u8], secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::from_utf8_lossy(body).into_owned();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "…");
        }
        if text.contains("access_token") {
            "…".clone_into(&mut text);
        }
        let mut end = text.len().min(EXCERPT_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        Self(text)
    }

    /// The text as it came. It may hold anything.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_debug(), f)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why there is no token from GO's gateway. One failure is told to all who waited
/// for the fetch.
///
/// Its text names the cause for an operator; text from the network in it is
/// escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// One of GO's documented refusals.
    #[error("GO's gateway gives no token: {0} (status {status})", status = .0.status())]
    Refused(GatewayRefusal),
    /// Another answer than 200.
    #[error("the token endpoint answered with status {status}: {body}")]
    #[non_exhaustive]
    Answer {
        /// The status.
        status: u16,
        /// What came with it.
        body: Excerpt,
    },
    /// The answer points elsewhere; it was not followed.
    #[error("the token endpoint answered with a redirect, which is not followed (status {0})")]
    Redirect(u16),
    /// The HTTP client could not be set up, or the request not be sent or
    /// answered: name, connection, TLS.
    #[error("the token endpoint could not be reached: {0}")]
    Unreachable(String),
    /// No complete answer within the time limit.
    #[error("the token endpoint did not answer in time")]
    Timeout,
    /// More bytes than the limit, decompressed.
    #[error("the token endpoint's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body ended early or could not be decompressed.
    #[error("the token endpoint's answer could not be read: {0}")]
    Body(String),
    /// Not an object with an `access_token`, a `token_type` and, if there is one,
    /// an `expires_in` of the right types; or a JWT whose claims are not well-formed.
    #[error("the token endpoint's answer is malformed: {0}")]
    Malformed(&'static str),
    /// `token_type` is not `Bearer`, in any case.
    #[error("the token endpoint gave a token of another type than Bearer")]
    OtherType,
    /// The token is empty, longer than 8 KiB or can't stand in a header.
    #[error("the token endpoint gave a token that can't be sent")]
    UnusableToken,
    /// Neither `expires_in` nor an `exp` of the token says how long it is good.
    #[error("the token endpoint does not say how long its token is good")]
    NoLifetime,
    /// The token has no time left, by `expires_in` or by its own `exp` and the
    /// clock here, which may be wrong.
    #[error("the token endpoint gave a token that has already expired, by the clock here")]
    Expired,
    /// The client ID or client secret can't stand in a header.
    #[error("the client ID or client secret can't be sent")]
    UnusableCredentials,
    /// The task that fetches was stopped.
    #[error("the runtime shut down during a fetch")]
    Stopped,
    /// There is no tokio runtime to fetch in.
    #[error("there is no tokio runtime to fetch a token in")]
    NoRuntime,
}

impl GatewayError {
    /// Whether the token endpoint refused the client ID and secret: 401 or 403.
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Answer { status, .. } => matches!(*status, 401 | 403),
            _ => false,
        }
    }

    /// Whether the other pair may fare better: not where nobody answered.
    pub(super) const fn may_be_the_pairs(&self) -> bool {
        !matches!(
            self,
            Self::Unreachable(_) | Self::Timeout | Self::Stopped | Self::NoRuntime
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_six_documented_refusals_are_read_with_their_status() {
        for (status, message) in [
            (401, "Missing JWT token in request"),
            (401, "JWT token invalid"),
            (401, "missing user key in JWT token"),
            (401, "Invalid user key in JWT token"),
            (401, "failed to verify jwt"),
            (403, "The consumer_name is forbidden"),
        ] {
            let body = format!(r#"{{"message":"{message}","source":"Derbysoft DGateway2"}}"#);
            let refusal = GatewayRefusal::read(status, body.as_bytes()).expect(message);
            assert_eq!((refusal.status(), &*refusal.to_string()), (status, message));
            assert_eq!(GatewayRefusal::read(500, body.as_bytes()), None);
        }
        for unknown in [
            r#"{"message":"Missing jwt token in request"}"#,
            r#"{"message":1}"#,
            r#"["JWT token invalid","Derbysoft DGateway2"]"#,
            r#"{"message":"JWT token invalid","message":"JWT token invalid"}"#,
            "JWT token invalid",
            "",
        ] {
            let read = GatewayRefusal::read(401, unknown.as_bytes());
            assert_eq!(read, None, "{unknown}");
        }
    }

    #[test]
    fn an_excerpt_is_short_escaped_and_without_secrets() {
        let body = format!("no such\r\n\u{1b}[31m client p;f)2 {}", "é".repeat(600));
        let excerpt = Excerpt::of(body.as_bytes(), ["p;f)2", ""]);
        assert!(excerpt.as_str().len() <= EXCERPT_BYTES);
        let printed = excerpt.to_string();
        assert!(
            printed.starts_with(r"no such\r\n\u{1b}[31m client … é"),
            "{printed}"
        );
        assert!(!format!("{excerpt:?}").contains('\u{1b}'));
        let token = br#"{"access_token":"eyJ","token_type":"Bearer"}"#;
        assert_eq!(Excerpt::of(token, []).as_str(), "…");
        assert_eq!(Excerpt::of(b"\xff\xfe", []).as_str(), "\u{fffd}\u{fffd}");
    }
}
