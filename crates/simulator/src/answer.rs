//! The answer to a request: the good document, or what a fault makes of it.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::iter;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use derbysoft_go_auth::clock::{Clock, UnixTime};
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::ext::ReasonPhrase;
use tokio::task::yield_now;
use tokio_stream::{self as stream, StreamExt as _};

use crate::fault::{Fault, SAMPLE_LOCATION};
use crate::hex::hex;

/// The media type that GO's documentation shows with the key address.
const JSON: &str = "application/json;charset=utf-8";
const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><form method=\"post\"><input name=\"user\"></form></body></html>\n";

/// What the connection does with a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Response),
    /// At this moment of the simulator's clock.
    Late(Duration, Response),
    Never,
    Cut,
    Raw(Vec<u8>),
}

/// When a request arrived: delays are counted from then, so that a clock which is
/// advanced at once does not miss them.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) now: UnixTime,
    /// By the clock's elapsed time.
    pub(crate) moment: Duration,
}

impl Arrival {
    pub(crate) fn now(clock: &Arc<dyn Clock>) -> Self {
        Self {
            clock: Arc::clone(clock),
            now: clock.now(),
            moment: clock.monotonic(),
        }
    }
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
        Self::Reply(StatusCode::NOT_FOUND.into_response())
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::Reply((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response())
    }

    /// A JSON body with this status, as GO's APIs answer.
    pub(crate) fn json(status: u16, body: impl Into<Body>) -> Self {
        Self::Reply((code(status), json(body)).into_response())
    }

    /// `document` is the good one, or the strangers' keys for [`Fault::WrongKeys`].
    pub(crate) fn of(
        document: Vec<u8>,
        fault: Option<Fault>,
        serving: &Serving,
        request: &HeaderMap,
        arrival: Arrival,
    ) -> Self {
        let serve = |document| serve(document, serving, request);
        let Some(fault) = fault else {
            return Self::Reply(serve(document));
        };
        let length = document.len();
        Self::Reply(match fault {
            Fault::Hang => return Self::Never,
            Fault::Cut => return Self::Cut,
            Fault::Raw(bytes) => return Self::Raw(bytes),
            Fault::Delay(time) => {
                let moment = arrival.moment.saturating_add(time);
                return Self::Late(moment, serve(document));
            }
            Fault::RedirectNotFound => {
                let location = [(LOCATION, SAMPLE_LOCATION)];
                let mut response = (StatusCode::NOT_FOUND, location).into_response();
                let found = ReasonPhrase::from_static(b"Found");
                response.extensions_mut().insert(found);
                response
            }
            Fault::Redirect { location, status } => {
                (code(status), [(LOCATION, location)]).into_response()
            }
            Fault::Status(status) => under_status(code(status), document),
            Fault::HangBody => {
                let half = stream::once(Ok::<_, Infallible>(first_half(document)));
                sized(Body::from_stream(half.chain(stream::pending())), length)
            }
            Fault::Drip { bytes, every } => {
                let Arrival { clock, moment, .. } = arrival;
                let pieces: Vec<_> = document.chunks(bytes.max(1)).map(<[u8]>::to_vec).collect();
                let pieces = stream::iter(pieces.into_iter().zip(1..));
                let pieces = pieces.then(move |(piece, nth)| {
                    let time = clock.sleep_until(moment.saturating_add(every.saturating_mul(nth)));
                    async {
                        time.await;
                        Ok::<_, Infallible>(piece)
                    }
                });
                sized(Body::from_stream(pieces), length)
            }
            Fault::Truncated => {
                let end = stream::once(()).then(|()| async {
                    // Lets the connection write out what is buffered.
                    yield_now().await;
                    Err(io::Error::other("the simulator cuts this answer short"))
                });
                let all = stream::once(Ok(document)).chain(end);
                sized(Body::from_stream(all), length + 1)
            }
            Fault::Html => {
                ([(CONTENT_TYPE, "text/html;charset=utf-8")], LOGIN_PAGE).into_response()
            }
            Fault::EmptySet => serve(br#"{"keys":[]}"#.to_vec()),
            Fault::WrongKeys => serve(document),
            Fault::NotJson => serve(b"keys: none today".to_vec()),
            Fault::Endless => {
                let begin = Bytes::from_static(br#"{"keys":["#);
                let spaces = Bytes::from(vec![b' '; 16 * 1024]);
                let pieces = iter::once(begin).chain(iter::repeat(spaces));
                json(Body::from_stream(stream::iter(
                    pieces.map(Ok::<_, Infallible>),
                )))
            }
            Fault::GzipBomb => {
                ([(CONTENT_ENCODING, "gzip")], json(bomb(&document))).into_response()
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
fn serve(document: Vec<u8>, serving: &Serving, request: &HeaderMap) -> Response {
    let gzip = serving.gzip && accepts_gzip(request);
    let name = hex(&digest(&SHA256, &document).as_ref()[..16]);
    // A strong entity tag names the bytes on the wire, so each coding has its own (RFC
    // 9110).
    let tags = [format!("\"{name}\""), format!("\"{name}-gzip\"")];
    let known = serving.etag && none_match_names(request, &tags);

    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if gzip {
        ([(CONTENT_ENCODING, "gzip")], json(gzipped(&document))).into_response()
    } else {
        json(document)
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

fn under_status(status: StatusCode, document: Vec<u8>) -> Response {
    match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            status.into_response()
        }
        StatusCode::PARTIAL_CONTENT => {
            let length = document.len();
            let half = first_half(document);
            let range = format!("bytes 0-{}/{length}", half.len().saturating_sub(1));
            (status, [(CONTENT_RANGE, range)], json(half)).into_response()
        }
        _ => (status, json(document)).into_response(),
    }
}

fn first_half(mut document: Vec<u8>) -> Vec<u8> {
    document.truncate(document.len() / 2);
    document
}

fn json(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, JSON)], body.into()).into_response()
}

fn sized(body: Body, length: usize) -> Response {
    ([(CONTENT_LENGTH, length)], json(body)).into_response()
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
