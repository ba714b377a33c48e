//! The answer to a request: the good document, or what a fault makes of it.

mod body;

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use self::body::Step;
use crate::fault::{Fault, SAMPLE_LOCATION};
use crate::hex::hex;

pub(crate) use self::body::Script;

/// The media type that GO's documentation shows with the key address.
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const HTML: HeaderValue = HeaderValue::from_static("text/html;charset=utf-8");
const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><form method=\"post\"><input name=\"user\"></form></body></html>\n";

/// What the connection does with a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Response<Script>),
    Late(Duration, Response<Script>),
    Never,
    Cut,
    Raw(Vec<u8>),
}

/// How good documents are served.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    pub(crate) etag: bool,
    pub(crate) gzip: bool,
    pub(crate) cache_control: Option<HeaderValue>,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            etag: true,
            gzip: true,
            cache_control: None,
        }
    }
}

impl Answer {
    /// The status on the wire, if there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Reply(response) | Self::Late(_, response) => Some(response.status().as_u16()),
            Self::Never | Self::Cut | Self::Raw(_) => None,
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::Reply(reply(StatusCode::NOT_FOUND, Script::empty()))
    }

    pub(crate) fn method_not_allowed() -> Self {
        let response = reply(StatusCode::METHOD_NOT_ALLOWED, Script::empty());
        let get = HeaderValue::from_static("GET, HEAD");
        Self::Reply(with(response, ALLOW, get))
    }

    /// A JSON body with this status, as GO's APIs answer.
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        let body = Script::whole(body);
        Self::Reply(with(reply(code(status), body), CONTENT_TYPE, JSON))
    }

    pub(crate) fn good(document: Vec<u8>, serving: &Serving, request: &HeaderMap) -> Self {
        Self::Reply(serve(document, serving, request))
    }

    /// `strangers` gives a key set that isn't GO's.
    pub(crate) fn faulty(
        fault: Fault,
        document: Vec<u8>,
        strangers: impl FnOnce() -> Vec<u8>,
        serving: &Serving,
        request: &HeaderMap,
    ) -> Self {
        let serve = |document| serve(document, serving, request);
        let length = document.len();
        Self::Reply(match fault {
            Fault::Hang => return Self::Never,
            Fault::Cut => return Self::Cut,
            Fault::Raw(bytes) => return Self::Raw(bytes),
            Fault::Delay(time) => return Self::Late(time, serve(document)),
            Fault::RedirectNotFound => {
                let mut response = redirect(StatusCode::NOT_FOUND, SAMPLE_LOCATION);
                let found = ReasonPhrase::from_static(b"Found");
                response.extensions_mut().insert(found);
                response
            }
            Fault::Redirect { location, status } => redirect(code(status), &location),
            Fault::Status(status) => under_status(code(status), document),
            Fault::HangBody => {
                let half = Bytes::from(document).slice(..length / 2);
                sized(Script::of([Step::Send(half), Step::Stall]), length)
            }
            Fault::Drip { bytes, every } => {
                let pieces = document.chunks(bytes.max(1));
                let steps =
                    pieces.flat_map(|piece| [Step::Wait(every), Step::Send(piece.to_vec().into())]);
                sized(Script::of(steps), length)
            }
            Fault::Truncated => {
                let steps = [Step::Send(document.into()), Step::Flush, Step::Break];
                sized(Script::of(steps), length + 1)
            }
            Fault::Html => {
                let page = reply(StatusCode::OK, Script::whole(LOGIN_PAGE));
                with(page, CONTENT_TYPE, HTML)
            }
            Fault::EmptySet => serve(br#"{"keys":[]}"#.to_vec()),
            Fault::WrongKeys => serve(strangers()),
            Fault::NotJson => serve(b"keys: none today".to_vec()),
            Fault::Endless => {
                let begin = Bytes::from_static(br#"{"keys":["#);
                let spaces = Bytes::from(vec![b' '; 16 * 1024]);
                json(Script::of([Step::Send(begin), Step::Repeat(spaces)]))
            }
            Fault::GzipBomb => {
                let packed = Script::whole(bomb(&document));
                with(json(packed), CONTENT_ENCODING, GZIP)
            }
            Fault::Oversized(bytes) => {
                let mut padded = document;
                padded.resize(bytes.max(length), b' ');
                serve(padded)
            }
        })
    }
}

/// The good document: conditional, compressed and cacheable where that is switched on.
fn serve(document: Vec<u8>, serving: &Serving, request: &HeaderMap) -> Response<Script> {
    let gzip = serving.gzip && accepts_gzip(request);
    let name = hex(&digest(&SHA256, &document).as_ref()[..16]);
    // A strong entity tag names the bytes on the wire, so each coding has its own (RFC
    // 9110).
    let tags = [format!("\"{name}\""), format!("\"{name}-gzip\"")];
    let known = serving.etag && none_match_names(request, &tags);

    let mut response = if known {
        reply(StatusCode::NOT_MODIFIED, Script::empty())
    } else if gzip {
        let packed = Script::whole(gzipped(&document));
        with(json(packed), CONTENT_ENCODING, GZIP)
    } else {
        json(Script::whole(document))
    };
    let headers = response.headers_mut();
    if serving.etag {
        let tag = HeaderValue::from_str(&tags[usize::from(gzip)]);
        headers.insert(ETAG, tag.expect("hexadecimal digits make a header value"));
    }
    if serving.gzip {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some(value) = &serving.cache_control {
        headers.insert(CACHE_CONTROL, value.clone());
    }
    response
}

fn under_status(status: StatusCode, document: Vec<u8>) -> Response<Script> {
    match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            reply(status, Script::empty())
        }
        StatusCode::PARTIAL_CONTENT => {
            let length = document.len();
            let half = Bytes::from(document).slice(..length / 2);
            let range = format!("bytes 0-{}/{length}", half.len().saturating_sub(1));
            let range = HeaderValue::from_str(&range).expect("digits make a header value");
            let response = with(reply(status, Script::whole(half)), CONTENT_TYPE, JSON);
            with(response, CONTENT_RANGE, range)
        }
        _ => with(reply(status, Script::whole(document)), CONTENT_TYPE, JSON),
    }
}

fn redirect(status: StatusCode, location: &str) -> Response<Script> {
    let location = HeaderValue::from_str(location).expect("checked when the fault was set");
    with(reply(status, Script::empty()), LOCATION, location)
}

fn reply(status: StatusCode, body: Script) -> Response<Script> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn json(body: Script) -> Response<Script> {
    with(reply(StatusCode::OK, body), CONTENT_TYPE, JSON)
}

fn sized(body: Script, length: usize) -> Response<Script> {
    with(json(body), CONTENT_LENGTH, HeaderValue::from(length))
}

fn with(mut response: Response<Script>, name: HeaderName, value: HeaderValue) -> Response<Script> {
    response.headers_mut().insert(name, value);
    response
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("checked when the fault was set")
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    elements(request, ACCEPT_ENCODING).any(|offer| {
        let (coding, parameters) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = parameters.trim().strip_prefix("q=").map(str::parse::<f32>);
        coding.trim().eq_ignore_ascii_case("gzip") && !matches!(weight, Some(Ok(q)) if q <= 0.0)
    })
}

fn none_match_names(request: &HeaderMap, tags: &[String]) -> bool {
    // `If-None-Match` compares weakly (RFC 9110, 13.1.2).
    elements(request, IF_NONE_MATCH).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tags.iter().any(|own| own == tag)
    })
}

/// The comma-separated elements of a header that may come more than once.
fn elements(request: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = request.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn gzipped(document: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(document).and_then(|()| encoder.finish());
    written.expect("writing to memory doesn't fail")
}

/// One gzip member (RFC 1952) of the document and 65 MiB of spaces.
///
/// Compressing that much for each test would take seconds in an unoptimised build. A full
/// flush ends a block on a byte boundary and resets the history, so one compressed
/// mebibyte can be repeated.
fn bomb(document: &[u8]) -> Vec<u8> {
    const REPEATS: usize = 65;
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    const EMPTY_LAST_BLOCK: [u8; 2] = [3, 0];
    static SPACES: OnceLock<(Vec<u8>, Crc)> = OnceLock::new();

    let (spaces, spaces_crc) = SPACES.get_or_init(|| deflated(&vec![b' '; 1 << 20]));
    let (beginning, mut crc) = deflated(document);
    let mut packed = HEADER.to_vec();
    packed.extend(beginning);
    for _ in 0..REPEATS {
        packed.extend(spaces);
        crc.combine(spaces_crc);
    }
    packed.extend(EMPTY_LAST_BLOCK);
    packed.extend(crc.sum().to_le_bytes());
    packed.extend(crc.amount().to_le_bytes());
    packed
}

/// Raw deflate blocks up to a full flush, and the checksum of what they hold.
fn deflated(bytes: &[u8]) -> (Vec<u8>, Crc) {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut packed = Vec::with_capacity(bytes.len() + 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    let status = deflate.compress_vec(bytes, &mut packed, FlushCompress::Full);
    assert!(
        matches!(status, Ok(Status::Ok)),
        "there is room for all of it"
    );
    (packed, crc)
}
