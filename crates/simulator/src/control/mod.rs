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
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Script;
use crate::bounded_tcp::HEAD_WAIT;
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

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The answer to a valid request.
enum Reply {
    Json(Value),
    Text(String),
}

/// Why a request is rejected.
#[derive(Debug)]
struct Rejection {
    status: StatusCode,
    why: Cow<'static, str>,
    allow: Option<&'static str>,
}

type Result<T = Reply> = std::result::Result<T, Rejection>;

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

/// Whether the request is for the control room.
pub(crate) fn is_for(head: &Parts) -> bool {
    let rest = head.uri.path().strip_prefix(PREFIX);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(crate) async fn respond(
    shared: Arc<Shared>,
    head: Parts,
    mut body: Incoming,
) -> Response<Script> {
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let read = tokio::time::timeout(BODY_WAIT, read(&head, &mut body)).await;
    let late = |_| {
        let why = "the body did not arrive within 10 s";
        Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, why))
    };
    let reply = match read.unwrap_or_else(late) {
        Ok(body) => {
            // One at a time, so that no limit on a number is exceeded by two at once.
            let _turn = shared.control_turn.lock().await;
            let shared = Arc::clone(&shared);
            // It may generate a key, which takes a while.
            let work = tokio::task::spawn_blocking(move || answer(&shared, &head, &body));
            work.await.unwrap_or_else(|_| {
                let why = "internal error of the simulator";
                Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, why))
            })
        }
        Err(rejection) => Err(rejection),
    };
    let response = render(reply);
    let status = response.status().as_u16();
    tracing::debug!(%method, ?path, status, "request to the control room");
    response
}

/// Reads the body, unless it is too long or the request comes from a page in a browser.
async fn read(head: &Parts, body: &mut Incoming) -> Result<Vec<u8>> {
    if head.headers.contains_key(ORIGIN) {
        let why = "requests from web pages are rejected";
        return Err(Rejection::new(StatusCode::FORBIDDEN, why));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Rejection::bad("the body ended early"))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BODY {
            let why = "the body is longer than 64 KiB";
            return Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, why));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn answer(shared: &Arc<Shared>, head: &Parts, body: &[u8]) -> Result {
    let go = &Simulator {
        shared: Arc::clone(shared),
        running: None,
    };
    if head.uri.query().is_some() {
        return Err(Rejection::bad("no query is accepted here: use the body"));
    }
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    let request = Request { head, body };
    match &*segments {
        [] => request.is_get().map(|()| Reply::Json(overview(go))),
        ["requests"] => request.is_get().map(|()| Reply::Json(requests(go))),
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
    /// Requires a GET without a body.
    fn is_get(&self) -> Result<()> {
        self.is(&[Method::GET, Method::HEAD], "GET, HEAD")?;
        self.has_no_body()
    }

    /// Requires a POST without a body.
    fn is_post(&self) -> Result<()> {
        self.is(&[Method::POST], "POST")?;
        self.has_no_body()
    }

    fn is(&self, methods: &[Method], allow: &'static str) -> Result<()> {
        if methods.contains(&self.head.method) {
            return Ok(());
        }
        let why = format!("accepted methods: {allow}");
        Err(Rejection {
            allow: Some(allow),
            ..Rejection::new(StatusCode::METHOD_NOT_ALLOWED, why)
        })
    }

    fn has_no_body(&self) -> Result<()> {
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(Rejection::bad("no body is accepted here"))
        }
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
            "at": humantime::format_rfc3339_millis(request.time).to_string(),
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

fn render(reply: Result) -> Response<Script> {
    let (status, content_type, text, allow) = match reply {
        Ok(Reply::Json(value)) => (StatusCode::OK, JSON, format!("{value}\n"), None),
        Ok(Reply::Text(text)) => (StatusCode::OK, TEXT, text, None),
        Err(Rejection { status, why, allow }) => {
            let error = json!({ "error": why });
            (status, JSON, format!("{error}\n"), allow)
        }
    };
    let mut response = Response::new(Script::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Some(allow) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}
