//! The answer to a rejected caller: say why ([`Reject`]) or say nothing ([`Ignore`]).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::credentials::RequestHead;
use super::rejection::Rejection;

/// Makes the answer to a rejected request, of which it sees the head: its path, a request
/// id, what it accepts.
///
/// Closures of the same shape are `Respond` too:
///
/// ```
/// use bytes::Bytes;
/// use derbysoft_go_auth::inbound::RequestHead;
/// use derbysoft_go_auth::{GoAuthLayer, Rejection};
/// use http::Response;
///
/// fn with_request_id(layer: GoAuthLayer) -> GoAuthLayer {
///     layer.respond_with(|request: RequestHead<'_>, rejection: &Rejection| {
///         let id = request.headers.get("x-request-id");
///         let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
///         let body = serde_json::json!({ "error": rejection.detail(), "request": id });
///         let mut response = Response::new(Bytes::from(body.to_string()));
///         *response.status_mut() = rejection.status();
///         response
///     })
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer to rejected requests",
    label = "not a `Respond`",
    note = "a `Fn(RequestHead<'_>, &Rejection) -> http::Response<Bytes>` is one, and so are `Reject` and `Ignore`"
)]
pub trait Respond: Send + Sync + 'static {
    /// The whole answer; nothing is added to it but the [`Rejection`] in its extensions.
    ///
    /// What it takes from the request is a stranger's text: escape it.
    fn respond(&self, request: RequestHead<'_>, rejection: &Rejection) -> Response<Bytes>;
}

impl<F> Respond for F
where
    F: Fn(RequestHead<'_>, &Rejection) -> Response<Bytes> + Send + Sync + 'static,
{
    fn respond(&self, request: RequestHead<'_>, rejection: &Rejection) -> Response<Bytes> {
        self(request, rejection)
    }
}

impl fmt::Debug for dyn Respond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Respond")
    }
}

/// The whole answer to a rejected request: the rejection is in the extensions, whichever
/// part of the middleware rejects.
pub(crate) fn respond_to(
    respond: &dyn Respond,
    request: RequestHead<'_>,
    rejection: Rejection,
) -> Response<Bytes> {
    let mut response = respond.respond(request, &rejection);
    response.extensions_mut().insert(rejection);
    response
}

/// The realm of the challenge if none is configured.
pub(crate) const DEFAULT_REALM: &str = "derbysoft-go";

/// Whether `realm` can stand in a quoted string of a header unescaped.
pub(crate) fn is_realm(realm: &str) -> bool {
    (1..=128).contains(&realm.len())
        && realm
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// The bodies with which GO's own APIs report a rejected credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BodyShape {
    /// `{"message":"…","source":"derbysoft-go-auth"}`, as GO's gateway writes it.
    #[default]
    Gateway,
    /// `{"error":"Key not authorised"}`, as the AvailabilityPeer and BookingUSB pings of
    /// GO do.
    KeyNotAuthorised,
    /// `{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}`, as
    /// BookingUSB does since 2025.
    ErrorCode,
}

impl BodyShape {
    /// Every text is fixed plain ASCII and needs no escaping.
    fn body(self, rejection: &Rejection) -> String {
        let detail = rejection.detail();
        let credential_refused = matches!(
            rejection.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        match self {
            Self::Gateway => {
                format!(r#"{{"message":"{detail}","source":"derbysoft-go-auth"}}"#)
            }
            Self::KeyNotAuthorised if credential_refused => {
                r#"{"error":"Key not authorised"}"#.to_owned()
            }
            Self::KeyNotAuthorised => format!(r#"{{"error":"{detail}"}}"#),
            Self::ErrorCode if credential_refused => {
                r#"{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}"#.to_owned()
            }
            Self::ErrorCode => {
                let code = match rejection.status() {
                    StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
                    _ => "InvalidField",
                };
                format!(r#"{{"errorCode":"{code}","errorMessage":"{detail}"}}"#)
            }
        }
    }
}

/// Answers with the status and challenge of RFC 6750 and a JSON body in one of GO's
/// shapes. The default.
///
/// | rejected for | status | `WWW-Authenticate` |
/// |---|---|---|
/// | no credentials, or another scheme | 401 | `Bearer realm="…"` |
/// | an unusable header | 400 | `error="invalid_request"` |
/// | the token | 401 | `error="invalid_token"` and why |
/// | the subject, the API, or a custom check | 403 | `error="insufficient_scope"` |
/// | keys that are not available | 503 | none, but `Retry-After` |
/// | a handler's type of claims, which a genuine token's do not fit | 500 | none |
#[derive(Debug, Clone)]
pub struct Reject {
    /// By the index of the rejection. All answers are known beforehand, and writing one
    /// takes longer than rejecting a request.
    prepared: Arc<[Prepared]>,
}

#[derive(Debug)]
struct Prepared {
    headers: HeaderMap,
    body: Bytes,
}

impl Reject {
    /// With a body of this shape.
    pub fn new(shape: BodyShape) -> Self {
        Self::with_realm(shape, DEFAULT_REALM)
    }

    pub(crate) fn with_realm(shape: BodyShape, realm: &str) -> Self {
        Self {
            prepared: Rejection::all()
                .map(|rejection| Prepared {
                    headers: headers(&rejection, realm),
                    body: shape.body(&rejection).into(),
                })
                .collect(),
        }
    }
}

fn headers(rejection: &Rejection, realm: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(challenge) = rejection.challenge(realm) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    headers
}

impl Default for Reject {
    fn default() -> Self {
        Self::new(BodyShape::default())
    }
}

impl Respond for Reject {
    fn respond(&self, _: RequestHead<'_>, rejection: &Rejection) -> Response<Bytes> {
        let Prepared { headers, body } = &self.prepared[rejection.index()];
        let mut response = Response::new(body.clone());
        *response.status_mut() = rejection.status();
        response.headers_mut().clone_from(headers);
        if let Some(seconds) = retry_after(rejection) {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// Answers every rejected request alike: one status, no body, no challenge, no reason.
///
/// The exceptions are unavailable keys, with 503 and `Retry-After`, and a handler that
/// expects other claims, with 500: the push may be genuine, and an answer that seems final
/// would lose it. For the same reason think twice about a 2xx here: GO would take each
/// rejected push for delivered.
#[derive(Debug, Clone, Copy)]
pub struct Ignore {
    status: StatusCode,
}

impl Ignore {
    /// With this status instead of 404. One below 200 is no final answer; 404 is used
    /// instead.
    pub const fn with_status(status: StatusCode) -> Self {
        Self {
            status: if status.as_u16() < 200 {
                StatusCode::NOT_FOUND
            } else {
                status
            },
        }
    }
}

impl Default for Ignore {
    fn default() -> Self {
        Self::with_status(StatusCode::NOT_FOUND)
    }
}

impl Respond for Ignore {
    fn respond(&self, _: RequestHead<'_>, rejection: &Rejection) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = match rejection.status() {
            status if status.is_server_error() => status,
            _ => self.status,
        };
        if let Some(seconds) = retry_after(rejection) {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// Whole seconds, rounded up.
fn retry_after(rejection: &Rejection) -> Option<HeaderValue> {
    rejection.retry_after().map(|wait| {
        HeaderValue::from(
            wait.as_millis()
                .div_ceil(1000)
                .try_into()
                .unwrap_or(u64::MAX),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{Reason, VerifyError};
    use crate::inbound::credentials::InvalidCredential;
    use crate::inbound::{NoToken, RejectionKind};

    fn expired() -> Rejection {
        VerifyError::new(Reason::Expired).into()
    }

    fn unavailable() -> Rejection {
        VerifyError::keys_unavailable(Duration::from_millis(2500)).into()
    }

    /// The answer to any request at all.
    fn answer(respond: &impl Respond, rejection: &Rejection) -> Response<Bytes> {
        respond.respond(RequestHead::from(&http::Request::new(())), rejection)
    }

    fn header(response: &Response<Bytes>, name: http::HeaderName) -> Option<&str> {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().expect("ASCII"))
    }

    #[test]
    fn each_row_of_the_answers_table_holds() {
        let subject = VerifyError::new(Reason::SubjectNotAllowed).into();
        for (rejection, status, challenge) in [
            (
                NoToken::Missing.into(),
                401,
                Some(r#"Bearer realm="derbysoft-go""#),
            ),
            (
                NoToken::Invalid(InvalidCredential::Empty).into(),
                400,
                Some(r#"Bearer realm="derbysoft-go", error="invalid_request""#),
            ),
            (
                expired(),
                401,
                Some(
                    r#"Bearer realm="derbysoft-go", error="invalid_token", error_description="the token has expired""#,
                ),
            ),
            (
                subject,
                403,
                Some(r#"Bearer realm="derbysoft-go", error="insufficient_scope""#),
            ),
            (
                Rejection::FORBIDDEN,
                403,
                Some(r#"Bearer realm="derbysoft-go", error="insufficient_scope""#),
            ),
            (unavailable(), 503, None),
        ] {
            let response = answer(&Reject::default(), &rejection);
            assert_eq!(response.status(), status, "{rejection:?}");
            assert_eq!(
                header(&response, WWW_AUTHENTICATE),
                challenge,
                "{rejection:?}"
            );
            assert_eq!(
                header(&response, RETRY_AFTER),
                (status == 503).then_some("3")
            );
            assert_eq!(header(&response, CONTENT_TYPE), Some("application/json"));
        }
    }

    #[test]
    fn the_bodies_are_those_of_gos_apis() {
        for (shape, refused, down) in [
            (
                BodyShape::Gateway,
                r#"{"message":"the token has expired","source":"derbysoft-go-auth"}"#,
                r#"{"message":"the keys are not available","source":"derbysoft-go-auth"}"#,
            ),
            (
                BodyShape::KeyNotAuthorised,
                r#"{"error":"Key not authorised"}"#,
                r#"{"error":"the keys are not available"}"#,
            ),
            (
                BodyShape::ErrorCode,
                r#"{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}"#,
                r#"{"errorCode":"ServiceUnavailable","errorMessage":"the keys are not available"}"#,
            ),
        ] {
            assert_eq!(answer(&Reject::new(shape), &expired()).body(), refused);
            assert_eq!(answer(&Reject::new(shape), &unavailable()).body(), down);
        }
    }

    #[test]
    fn ignoring_says_nothing_but_keeps_503() {
        for rejection in [
            NoToken::Missing.into(),
            NoToken::Invalid(InvalidCredential::Empty).into(),
            Rejection::FORBIDDEN,
            expired(),
        ] {
            let response = answer(&Ignore::default(), &rejection);
            assert_eq!(response.status(), 404);
            assert!(response.headers().is_empty());
            assert!(response.body().is_empty());
        }
        for (set, answered) in [
            (StatusCode::OK, 200),
            (StatusCode::NO_CONTENT, 204),
            (StatusCode::CONTINUE, 404),
        ] {
            let response = answer(&Ignore::with_status(set), &expired());
            assert_eq!(response.status(), answered);
        }

        let mismatch = Rejection::all().find(|it| it.kind() == RejectionKind::ClaimsMismatch);
        let response = answer(&Ignore::default(), &mismatch.expect("a kind"));
        assert_eq!(response.status(), 500);
        assert!(response.headers().is_empty() && response.body().is_empty());

        let response = answer(&Ignore::default(), &unavailable());
        assert_eq!(response.status(), 503);
        assert_eq!(header(&response, RETRY_AFTER), Some("3"));
        assert!(response.body().is_empty());
    }
}
