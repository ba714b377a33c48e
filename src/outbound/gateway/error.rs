//! What GO's gateway answers instead of a token, and what fetching one can fail with.

use std::time::Duration;

use serde::Deserialize;

use super::excerpt::Excerpt;
use crate::fault::debug_is_text;
use crate::jwt::json;
use crate::net::bounded_http::Fault;

/// An error answer as GO's gateway documents it ("Security Access with OAuth2.0 For
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
    const ALL: [Self; 6] = [
        Self::MissingToken,
        Self::InvalidToken,
        Self::MissingUserKey,
        Self::InvalidUserKey,
        Self::NotVerified,
        Self::Forbidden,
    ];

    /// The documented answer with this status and body, from the API or the token
    /// endpoint; `None` if it is none of the six.
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

/// There is no token from GO's gateway: why, and when to ask again. One failure is
/// reported to all who waited for the fetch.
///
/// ```
/// use derbysoft_go_auth::outbound::{BoxError, GatewayError};
/// use std::time::Duration;
///
/// /// How long a caller's retry policy waits before the call is repeated.
/// fn wait(error: &BoxError) -> Option<Duration> {
///     error.downcast_ref::<GatewayError>()?.retry_after()
/// }
/// # assert_eq!(wait(&"another".into()), None);
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct GatewayError {
    kind: GatewayErrorKind,
    cooldown: Duration,
}

debug_is_text!(GatewayError);

impl GatewayError {
    /// `cooldown` as from
    /// [`Failures::cooling_down`](super::renewal::Failures::cooling_down).
    pub(super) const fn new(kind: GatewayErrorKind, cooldown: Duration) -> Self {
        Self { kind, cooldown }
    }

    /// The kind of the error.
    pub const fn kind(&self) -> &GatewayErrorKind {
        &self.kind
    }

    /// Whether the token endpoint rejected the client ID and secret: 401 or 403.
    pub const fn is_refusal(&self) -> bool {
        self.kind.is_refusal()
    }

    /// Whether it may pass by itself: the endpoint or the proxy can't be reached, does not
    /// answer in time or in full, has a fault of its own (status 500 and above) or is asked too
    /// often (408, 425, 429), or the clocks differ. Otherwise someone has to change
    /// something first.
    pub const fn is_transient(&self) -> bool {
        match self.kind {
            GatewayErrorKind::Unreachable(_)
            | GatewayErrorKind::Proxy(_)
            | GatewayErrorKind::Timeout
            | GatewayErrorKind::Body(_)
            | GatewayErrorKind::Expired
            | GatewayErrorKind::Stopped => true,
            GatewayErrorKind::Answer { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500..)
            }
            _ => false,
        }
    }

    /// If it [may pass](Self::is_transient), how long until a call causes another fetch,
    /// counted from when this error was returned: zero to 90 s. A call before that gets
    /// the same failure at once.
    pub const fn retry_after(&self) -> Option<Duration> {
        if self.is_transient() {
            Some(self.cooldown)
        } else {
            None
        }
    }
}

/// Why there is no token from GO's gateway.
///
/// Its text names the cause for an operator; text from the network in it is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayErrorKind {
    /// One of GO's documented error answers.
    #[error("GO's gateway gives no token: {0} (status {status})", status = .0.status())]
    Refused(GatewayRefusal),
    /// An answer other than 200.
    #[error("the token endpoint answered with status {status}: {body}")]
    #[non_exhaustive]
    Answer {
        /// The status.
        status: u16,
        /// The plain words in it.
        body: Excerpt,
        /// How long a 429 or 503 asks to wait with `Retry-After`; at most 60 s.
        retry_after: Option<Duration>,
    },
    /// The answer redirects elsewhere; it was not followed.
    #[error("the token endpoint answered with a redirect, which is not followed (status {0})")]
    Redirect(u16),
    /// The HTTP client could not be set up or panicked, or the request not sent or
    /// answered: name, connection, TLS.
    #[error("the token endpoint could not be reached: {0}")]
    Unreachable(String),
    /// The proxy can't be reached, or makes no connection to the token endpoint. The text
    /// begins with its host and port.
    #[error("the proxy {0}")]
    Proxy(String),
    /// This proxy requires a user name and password, or rejects those in its address (407).
    #[error(
        "the proxy {0} requires a user name and password, or rejects those in its address (407)"
    )]
    ProxyCredentials(String),
    /// No complete answer within the time limit.
    #[error("the token endpoint did not answer in time")]
    Timeout,
    /// More bytes than the limit, decompressed.
    #[error("the token endpoint's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body ended early or could not be decompressed.
    #[error("the token endpoint's answer could not be read: {0}")]
    Body(String),
    /// Not a JSON object that has an `access_token` and a `token_type`, both strings, and
    /// no member twice.
    #[error("the token endpoint's answer is malformed: {0}")]
    Malformed(&'static str),
    /// `token_type` is not `Bearer`, in any case.
    #[error("the token endpoint gave a token of another type than Bearer")]
    OtherType,
    /// The token is empty, longer than 8 KiB or can't stand in a header.
    #[error("the token endpoint gave a token that can't be sent")]
    UnusableToken,
    /// Neither `expires_in` nor the token's `exp` can be read, so its lifetime is
    /// unknown.
    #[error("the token endpoint does not say how long its token is good")]
    NoLifetime,
    /// The token has no time left, by `expires_in` or by its own `exp` and the local
    /// clock, which may be wrong.
    #[error("the token endpoint gave a token that has already expired, by the clock here")]
    Expired,
    /// The client ID or client secret can't stand in a header.
    #[error("the client ID or client secret can't be sent")]
    UnusableCredentials,
    /// The fetching task was stopped.
    #[error("the runtime shut down during a fetch")]
    Stopped,
    /// There is no tokio runtime to fetch in.
    #[error("there is no tokio runtime to fetch a token in")]
    NoRuntime,
}

impl From<Fault> for GatewayErrorKind {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Timeout => Self::Timeout,
            Fault::Unreachable(why) => Self::Unreachable(why),
            Fault::Proxy(why) => Self::Proxy(why),
            Fault::ProxyCredentials(proxy) => Self::ProxyCredentials(proxy),
            Fault::Broken(why) => Self::Body(why),
            Fault::TooLarge(limit) => Self::TooLarge(limit),
        }
    }
}

impl GatewayErrorKind {
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Answer { status, .. } => matches!(*status, 401 | 403),
            _ => false,
        }
    }

    /// How long the endpoint asks to wait.
    pub(super) fn asks_to_wait(&self) -> Duration {
        match self {
            Self::Answer { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Whether the other pair may succeed: not if nobody answered, nor if we are asked to
    /// wait.
    pub(super) const fn may_be_the_pairs(&self) -> bool {
        !matches!(
            self,
            Self::Unreachable(_)
                | Self::Proxy(_)
                | Self::ProxyCredentials(_)
                | Self::Timeout
                | Self::Stopped
                | Self::NoRuntime
                | Self::Answer {
                    retry_after: Some(_),
                    ..
                }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answers_are_read_by_status() {
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
    fn the_endpoint_refuses_by_401_and_403() {
        let answer = |status| GatewayErrorKind::Answer {
            status,
            body: Excerpt::of(status, b"", []),
            retry_after: None,
        };
        for (kind, is_refusal) in [
            (GatewayErrorKind::Refused(GatewayRefusal::Forbidden), true),
            (answer(401), true),
            (answer(403), true),
            (answer(400), false),
            (GatewayErrorKind::Timeout, false),
        ] {
            let error = GatewayError::new(kind, Duration::ZERO);
            assert_eq!(error.is_refusal(), is_refusal, "{error}");
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_tried_again() {
        let answer = |status| GatewayErrorKind::Answer {
            status,
            body: Excerpt::of(status, b"", []),
            retry_after: None,
        };
        let second = Duration::from_secs(1);
        for kind in [
            GatewayErrorKind::Timeout,
            GatewayErrorKind::Unreachable(String::new()),
            GatewayErrorKind::Proxy(String::new()),
            GatewayErrorKind::Body(String::new()),
            GatewayErrorKind::Stopped,
            GatewayErrorKind::Expired,
            answer(429),
            answer(500),
            answer(503),
        ] {
            let error = GatewayError::new(kind, second);
            assert!(error.is_transient(), "{error}");
            assert_eq!(error.retry_after(), Some(second), "{error}");
        }
        for kind in [
            GatewayErrorKind::Refused(GatewayRefusal::Forbidden),
            GatewayErrorKind::Redirect(302),
            GatewayErrorKind::ProxyCredentials(String::new()),
            GatewayErrorKind::Malformed(""),
            GatewayErrorKind::UnusableCredentials,
            GatewayErrorKind::NoRuntime,
            answer(401),
            answer(404),
        ] {
            let error = GatewayError::new(kind, second);
            assert!(!error.is_transient(), "{error}");
            assert_eq!(error.retry_after(), None, "{error}");
        }
    }
}
