//! The control room: the methods of [`Simulator`] over HTTP.
//!
//! It lives under `/simulator`, apart from GO's own addresses: no fault applies there,
//! and its requests are not among [`Simulator::requests`]. `cli.md`, the guide to
//! `go-auth`, lists its routes.
//!
//! Answers are JSON, except for tokens, which a shell can use as they are. An invalid
//! request gets `{"error": "…"}` with a 4xx status and changes nothing.

mod credentials;
mod faults;
mod keys;
mod tokens;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bounded_streams::HEAD_WAIT;
use crate::simulator::Simulator;
use crate::state::Shared;
use crate::state::partner_apis::PartnerApi;

const PREFIX: &str = "/simulator";

/// The longest body that is read: enough claims for the longest token that `go-auth` can
/// be configured to read.
const MAX_BODY: usize = 64 * 1024;

/// How long a body may take: as long as a head.
const BODY_WAIT: Duration = HEAD_WAIT;

/// How many characters of a client's text an answer may repeat: enough to recognise it.
const MAX_REPEATED: usize = 200;

/// How many of the last requests are listed: a page or two.
const MAX_REQUESTS: usize = 100;

/// Why a request is rejected.
#[derive(Debug)]
struct Rejection {
    status: StatusCode,
    why: Cow<'static, str>,
    allow: Option<&'static str>,
}

type Result<T = Response> = std::result::Result<T, Rejection>;

impl Rejection {
    fn new(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            why: why.into(),
            allow: None,
        }
    }

    fn bad(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    fn unknown(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let allow = self.allow.map(|methods| [(ALLOW, methods)]);
        (self.status, allow, reply(&json!({ "error": self.why }))).into_response()
    }
}

fn reply(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

/// Whether the request is for the control room.
pub(crate) fn is_for(head: &Parts) -> bool {
    let rest = head.uri.path().strip_prefix(PREFIX);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(crate) async fn respond(shared: Arc<Shared>, head: Parts, body: Incoming) -> Response {
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let mut response = carried_out(shared, head, body).await.into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    let status = response.status().as_u16();
    tracing::debug!(%method, ?path, status, "request to the control room");
    response
}

async fn carried_out(shared: Arc<Shared>, head: Parts, body: Incoming) -> Result {
    let body = tokio::time::timeout(BODY_WAIT, read(&head, body)).await;
    let body = body.map_err(|_| {
        let why = "the body did not arrive within 10 s";
        Rejection::new(StatusCode::REQUEST_TIMEOUT, why)
    })??;
    // One at a time, so that no limit on a number is exceeded by two at once.
    let _turn = shared.control_turn.lock().await;
    let handle = Arc::clone(&shared);
    // It may generate a key, which takes a while.
    let work = tokio::task::spawn_blocking(move || answer(handle, &head, &body));
    work.await.unwrap_or_else(|_| {
        let why = "internal error of the simulator";
        Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, why))
    })
}

/// Reads the body, unless it is too long or the request comes from a page in a browser.
async fn read(head: &Parts, body: Incoming) -> Result<Bytes> {
    if head.headers.contains_key(ORIGIN) {
        let why = "requests from web pages are rejected";
        return Err(Rejection::new(StatusCode::FORBIDDEN, why));
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let why = "the body is longer than 64 KiB";
            Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, why))
        }
        Err(_) => Err(Rejection::bad("the body ended early")),
    }
}

fn answer(shared: Arc<Shared>, head: &Parts, body: &[u8]) -> Result {
    let running = None;
    let go = &Simulator { shared, running };
    if head.uri.query().is_some() {
        return Err(Rejection::bad("no query is accepted here: use the body"));
    }
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    let request = Request { head, body };
    match &*segments {
        [] => request.get(|| overview(go)),
        ["requests"] => request.get(|| requests(go)),
        ["tokens", rest @ ..] => tokens::answer(go, rest, &request),
        ["keys", rest @ ..] => keys::answer(go, rest, &request),
        ["faults", rest @ ..] => faults::answer(go, rest, &request),
        ["access-tokens", rest @ ..] => credentials::access_tokens(go, rest, &request),
        ["client", rest @ ..] => credentials::client(go, rest, &request),
        _ => Err(unknown_path()),
    }
}

fn unknown_path() -> Rejection {
    Rejection::unknown(
        "unknown path; there are /simulator and, below it, /tokens, /keys, /faults, \
         /access-tokens, /client and /requests",
    )
}

/// A request whose body has been read.
struct Request<'a> {
    head: &'a Parts,
    body: &'a [u8],
}

impl Request<'_> {
    /// Answers a GET without a body.
    fn get(&self, value: impl FnOnce() -> Value) -> Result {
        self.is_bare("GET, HEAD")?;
        Ok(reply(&value()))
    }

    /// Requires one of these methods, and no body.
    fn is_bare(&self, methods: &'static str) -> Result<()> {
        self.is(methods)?;
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(Rejection::bad("no body is accepted here"))
        }
    }

    /// Requires one of these methods, as `Allow` lists them.
    fn is(&self, methods: &'static str) -> Result<()> {
        if methods.split(", ").any(|method| self.head.method == method) {
            return Ok(());
        }
        let why = format!("accepted methods: {methods}");
        Err(Rejection {
            allow: Some(methods),
            ..Rejection::new(StatusCode::METHOD_NOT_ALLOWED, why)
        })
    }

    /// The body as JSON, whatever its content type; the default for an empty body.
    fn json<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        // serde would accept an array as the values of a struct.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Rejection::bad("the body is not a JSON object"));
        }
        serde_json::from_slice(self.body).map_err(|error| {
            let why = cut(&error.to_string());
            Rejection::bad(format!("invalid body: {why}"))
        })
    }
}

/// Addresses, counts and active faults.
fn overview(go: &Simulator) -> Value {
    json!({
        "issuer": go.issuer(),
        "audience": go.audience(),
        "jwks_url": go.jwks_url(),
        "discovery_url": go.discovery_url(),
        "token_url": go.token_url(),
        "gateway_url": go.gateway_url(),
        "booking_usb_url": go.api_url(PartnerApi::BookingUsb),
        "shopping_engine_url": go.api_url(PartnerApi::ShoppingEngine),
        "signing_kid": go.signing_kid(),
        "faults": faults::active(go),
        "fetches": go.fetches(),
        "token_fetches": go.token_fetches(),
        "pushes": go.pushes(),
        "requests": go.total_requests(),
    })
}

/// The last requests to GO's own addresses, oldest first.
fn requests(go: &Simulator) -> Value {
    let requests = go.requests();
    let last = &requests[requests.len().saturating_sub(MAX_REQUESTS)..];
    let last = last.iter().map(|request| {
        json!({
            "at": humantime::format_rfc3339_millis(request.time.into()).to_string(),
            "method": request.method.as_str(),
            "path": cut(&request.path),
            "status": request.status,
        })
    });
    json!({ "total": go.total_requests(), "requests": last.collect::<Vec<_>>() })
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_REPEATED).collect()
}
