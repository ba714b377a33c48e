//! The control room: over HTTP, what a test in the same process does by methods of [`Simulator`].
//!
//! It is apart from GO's own addresses, under `/simulator`, where no fault reaches it, and what is
//! asked there is not among the [requests](Simulator::requests). `docs/guide/cli.md` lists its routes.
//!
//! Answers are JSON but for the tokens, which a shell takes as they are. A fault of the caller's is
//! `{"error": "…"}` under a 4xx status, and changes nothing.

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

use super::Simulator;
use super::body::Script;
use super::shared::Shared;
use crate::bounded_tcp::HEAD_WAIT;

const ROOM: &str = "/simulator";

/// The longest body that is read: claims for the longest token that this crate's gate can be set
/// to take.
const MAX_BODY: usize = 64 * 1024;

/// How long a body may take, as long as a head.
const BODY_WAIT: Duration = HEAD_WAIT;

/// How much of a text of the caller's is repeated to him, in characters.
const MAX_REPEATED: usize = 200;

/// How many of the last requests are told.
const MAX_REQUESTS: usize = 100;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What is said to a request that could be done.
enum Said {
    Json(Value),
    Text(String),
}

/// Why a request could not be done.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    why: Cow<'static, str>,
    allow: Option<&'static str>,
}

type Result<T = Said> = std::result::Result<T, Refusal>;

impl Refusal {
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

/// Whether the request is for this room.
pub(super) fn is_asked(head: &Parts) -> bool {
    let rest = head.uri.path().strip_prefix(ROOM);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) async fn respond(
    shared: Arc<Shared>,
    head: Parts,
    mut body: Incoming,
) -> Response<Script> {
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let read = tokio::time::timeout(BODY_WAIT, read(&head, &mut body)).await;
    let said = match read.unwrap_or_else(|_| Err(late())) {
        Ok(body) => {
            // One at a time, so that what is counted stays within its limit.
            let _turn = shared.control_turn.lock().await;
            let shared = Arc::clone(&shared);
            // It may make a key, which takes a while.
            let work = tokio::task::spawn_blocking(move || answer(&shared, &head, &body));
            work.await.unwrap_or_else(|_| {
                let why = "the simulator failed at this";
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why))
            })
        }
        Err(refusal) => Err(refusal),
    };
    let response = rendered(said);
    let status = response.status().as_u16();
    tracing::debug!(%method, ?path, status, "asked of the simulator");
    response
}

/// What a page in somebody's browser asks, or what is too long, is not read.
async fn read(head: &Parts, body: &mut Incoming) -> Result<Vec<u8>> {
    if head.headers.contains_key(ORIGIN) {
        let why = "web pages have no business here";
        return Err(Refusal::new(StatusCode::FORBIDDEN, why));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Refusal::bad("the body broke off"))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BODY {
            let why = "the body is longer than 64 KiB";
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn late() -> Refusal {
    let why = "the body did not come within 10 s";
    Refusal::new(StatusCode::REQUEST_TIMEOUT, why)
}

fn answer(shared: &Arc<Shared>, head: &Parts, body: &[u8]) -> Result {
    let go = &Simulator {
        shared: Arc::clone(shared),
        running: None,
    };
    if head.uri.query().is_some() {
        return Err(Refusal::bad(
            "nothing here takes a query: say it in the body",
        ));
    }
    let path = head.uri.path().strip_prefix(ROOM).unwrap_or_default();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    let asked = Asked { head, body };
    match &*segments {
        [] => {
            asked.gets()?;
            Ok(Said::Json(overview(go)))
        }
        ["requests"] => {
            asked.gets()?;
            Ok(Said::Json(requests(go)))
        }
        ["tokens", rest @ ..] => tokens::answer(go, rest, &asked),
        ["keys", rest @ ..] => keys::answer(go, rest, &asked),
        ["faults", rest @ ..] => faults::answer(go, rest, &asked),
        ["access-tokens", rest @ ..] => credentials::access_tokens(go, rest, &asked),
        ["client", rest @ ..] => credentials::client(go, rest, &asked),
        _ => Err(nowhere()),
    }
}

fn nowhere() -> Refusal {
    Refusal::unknown(
        "there is nothing here; there are /simulator, and in it /tokens, /keys, /faults, \
         /access-tokens, /client and /requests",
    )
}

/// A request, its body read.
struct Asked<'a> {
    head: &'a Parts,
    body: &'a [u8],
}

impl Asked<'_> {
    /// A wish to know.
    fn gets(&self) -> Result<()> {
        self.is(&[Method::GET, Method::HEAD], "GET, HEAD")?;
        self.has_no_body()
    }

    /// A wish that something be done, with no more to say about it.
    fn posts(&self) -> Result<()> {
        self.is(&[Method::POST], "POST")?;
        self.has_no_body()
    }

    fn is(&self, methods: &[Method], allow: &'static str) -> Result<()> {
        if methods.contains(&self.head.method) {
            return Ok(());
        }
        Err(Refusal {
            allow: Some(allow),
            ..Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("this takes {allow}"),
            )
        })
    }

    fn has_no_body(&self) -> Result<()> {
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(Refusal::bad("this takes no body"))
        }
    }

    /// The body as JSON, whatever its content type; nothing said where there is none.
    fn says<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        // An array could stand for an object's values.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::bad("the body is no JSON object"));
        }
        serde_json::from_slice(self.body).map_err(|error| {
            let error = error
                .to_string()
                .chars()
                .take(MAX_REPEATED)
                .collect::<String>();
            Refusal::bad(format!("the body can't be used: {error}"))
        })
    }
}

/// What there is to know of this GO.
fn overview(go: &Simulator) -> Value {
    json!({
        "issuer": go.issuer(),
        "audience": go.audience(),
        "jwks_url": go.jwks_url(),
        "discovery_url": go.discovery_url(),
        "token_url": go.token_url(),
        "gateway_url": go.gateway_url(),
        "booking_usb_url": go.api_url(super::PartnerApi::BookingUsb),
        "shopping_engine_url": go.api_url(super::PartnerApi::ShoppingEngine),
        "signing_kid": go.signing_kid(),
        "faults": faults::in_force(go),
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
            "path": request.path.chars().take(MAX_REPEATED).collect::<String>(),
            "status": request.status,
        })
    });
    json!({ "total": go.total_requests(), "requests": last.collect::<Vec<_>>() })
}

fn rendered(said: Result) -> Response<Script> {
    let (status, content_type, text, allow) = match said {
        Ok(Said::Json(value)) => (StatusCode::OK, JSON, format!("{value}\n"), None),
        Ok(Said::Text(text)) => (StatusCode::OK, TEXT, text, None),
        Err(Refusal { status, why, allow }) => {
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
