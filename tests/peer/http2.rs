//! An API that speaks HTTP/2 badly: what it may write, frame by frame.

use std::io;
use std::sync::Arc;

use derbysoft_go_auth::outbound::HttpClient;
use http::Request;
use test_support::company::Company;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, WriteHalf};
use tokio::sync::mpsc;

use crate::answers::Worth::{Nothing, Perhaps, Refuses, Whole};
use crate::answers::{Draft, Manner, manner};
use crate::server::Act::{self, Close, Cut, Drip, Endless, Flood, Open, Pause, Reset, Send, Stall};
use crate::server::{Acts, Heard};

/// An empty frame of settings.
pub(crate) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

// Kinds of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

// Flags.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

// Error codes.
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

/// Answers by which a server says that it has not looked at a request: a client may send it
/// once more (RFC 9113, section 8.7).
pub(crate) const UNSEEN: [&str; 4] = [
    "refused",
    "goes away before it",
    "goes away twice",
    "goes away at once",
];

/// reqwest with its own TLS, in which it offers HTTP/2. With `idle` connections kept.
pub(crate) fn client(company: &Company, idle: usize) -> HttpClient {
    let authority = reqwest::Certificate::from_pem(company.pem().as_bytes()).expect("PEM");
    let client = HttpClient::builder().http_client(move |client| {
        let client = client.no_proxy().pool_max_idle_per_host(idle);
        client.tls_certs_only([authority.clone()])
    });
    client.build().expect("a client")
}

/// Understands requests and answers none: what it would say is thrown away.
pub(crate) struct Decoder {
    input: WriteHalf<DuplexStream>,
    requests: mpsc::UnboundedReceiver<Heard>,
    next: Option<Heard>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (mut output, input) = tokio::io::split(near);
        let (heard, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
        tokio::spawn(async move {
            let mut kept = Vec::new();
            let mut connection = h2::server::handshake(far).await?;
            while let Some(request) = connection.accept().await {
                let (request, respond) = request?;
                let stream = respond.stream_id().as_u32();
                let head = text(&request);
                let _ = heard.send(Heard { head, stream });
                kept.push((request, respond));
            }
            Ok::<(), h2::Error>(())
        });
        Self {
            input,
            requests,
            next: None,
        }
    }

    pub(crate) async fn has_request<S>(&mut self, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncRead + Unpin,
    {
        let mut bytes = [0; 4096];
        while self.next.is_none() {
            tokio::select! {
                biased;
                heard = self.requests.recv() => match heard {
                    Some(heard) => self.next = Some(heard),
                    None => return Ok(false),
                },
                read = stream.read(&mut bytes) => match read? {
                    0 => return Ok(false),
                    read => self.input.write_all(&bytes[..read]).await?,
                },
            }
        }
        Ok(true)
    }

    pub(crate) async fn hear<S>(&mut self, stream: &mut S) -> io::Result<Heard>
    where
        S: AsyncRead + Unpin,
    {
        self.has_request(stream).await?;
        self.next.take().ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

/// A request's head, as HTTP/1.1 would write it.
fn text<B>(request: &Request<B>) -> String {
    let (method, uri) = (request.method(), request.uri());
    let mut text = format!("{method} {} HTTP/2\r\n", uri.path());
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a length")
        .to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// Header fields, none of them compressed.
fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // With a prefix of seven bits.
            match u8::try_from(text.len()) {
                Ok(length @ ..127) => block.push(length),
                _ => {
                    block.push(127);
                    let mut rest = text.len() - 127;
                    while rest >= 128 {
                        block.push(u8::try_from(rest % 128).expect("below") | 128);
                        rest /= 128;
                    }
                    block.push(u8::try_from(rest).expect("below"));
                }
            }
            block.extend(text.bytes());
        }
    }
    block
}

fn error(code: u32) -> [u8; 4] {
    code.to_be_bytes()
}

fn goes_away(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), error(code)].concat())
}

impl Draft {
    fn block(&self, more: &[(&str, &str)]) -> Vec<u8> {
        self.head_of("200", more)
    }

    fn head_of(&self, status: &str, more: &[(&str, &str)]) -> Vec<u8> {
        let length = self.body.len().to_string();
        let own = [(":status", status), ("content-length", &*length)];
        fields(own.into_iter().chain(more.iter().copied()))
    }

    /// A head alone.
    fn headers(&self, flags: u8, block: &[u8]) -> Vec<u8> {
        frame(HEADERS, flags | END_HEADERS, self.stream, block)
    }

    fn data(&self, flags: u8, body: &[u8]) -> Vec<u8> {
        frame(DATA, flags, self.stream, body)
    }

    fn complete(&self, status: &str) -> Vec<u8> {
        let head = self.headers(0, &self.head_of(status, &[]));
        [head, self.data(END_STREAM, &self.body)].concat()
    }

    fn answer(&self, status: &str) -> Vec<Act> {
        vec![Send(self.complete(status))]
    }

    /// A complete answer after this.
    fn after(&self, bytes: &[u8]) -> Vec<Act> {
        vec![Send([bytes, &self.complete("200")].concat())]
    }

    /// An answer whose head has these fields alone.
    fn with_fields(&self, names: &[(&str, &str)]) -> Vec<Act> {
        let head = self.headers(0, &fields(names.iter().copied()));
        vec![Send([head, self.data(END_STREAM, &self.body)].concat())]
    }

    fn reset(&self, code: u32) -> Vec<u8> {
        frame(RST_STREAM, 0, self.stream, &error(code))
    }

    /// Complete, of another stream, and a lure.
    fn lure(&self, stream: u32) -> Vec<u8> {
        let lure = Self {
            stream,
            ..self.clone()
        };
        let head = lure.headers(0, &lure.block(&[("x-lure", "yes")]));
        [head, lure.data(END_STREAM, &lure.body)].concat()
    }
}

pub(crate) const WELL: Manner = manner("well", Whole, |it| it.answer("200"));

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn manners() -> Vec<Manner> {
    let early = |name, worth, write| Manner {
        is_early: true,
        ..manner(name, worth, write)
    };
    vec![
        WELL,
        manner("401", Refuses(401), |it| it.answer("401")),
        manner("403", Refuses(403), |it| it.answer("403")),
        manner("302", Refuses(302), |it| it.answer("302")),
        manner("500", Refuses(500), |it| it.answer("500")),
        manner("503", Refuses(503), |it| it.answer("503")),
        // Frames.
        manner("a byte a frame", Whole, |it| {
            let mut bytes = it.headers(0, &it.block(&[]));
            for byte in it.body.chunks(1) {
                bytes.extend(it.data(0, byte));
            }
            vec![Send([bytes, it.data(END_STREAM, b"")].concat())]
        }),
        manner("padded", Whole, |it| {
            let padded = |bytes: &[u8]| [&[200], bytes, &[0; 200]].concat();
            let head = padded(&it.block(&[]));
            let head = it.headers(PADDED, &head);
            let body = it.data(END_STREAM | PADDED, &padded(&it.body));
            vec![Send([head, body].concat())]
        }),
        manner("continued", Whole, |it| {
            let block = it.block(&[]);
            let mut bytes = frame(HEADERS, 0, it.stream, &block[..1]);
            let (middle, last) = block[1..].split_at(block.len() - 2);
            for byte in middle.chunks(16) {
                bytes.extend(frame(CONTINUATION, 0, it.stream, byte));
            }
            bytes.extend(frame(CONTINUATION, END_HEADERS, it.stream, last));
            vec![Send([bytes, it.data(END_STREAM, &it.body)].concat())]
        }),
        manner("trailers", Whole, |it| {
            let (head, body) = (it.headers(0, &it.block(&[])), it.data(0, &it.body));
            let trailers = it.headers(END_STREAM, &fields([("x-checksum", "1")]));
            vec![Send([head, body, trailers].concat())]
        }),
        manner("early hints", Whole, |it| {
            it.after(&it.headers(0, &fields([(":status", "103"), ("link", "</x>")])))
        }),
        manner("a frame of an unknown kind", Whole, |it| {
            it.after(&frame(0xee, 0xff, it.stream, b"?"))
        }),
        manner("a ping and settings", Whole, |it| {
            let ping = frame(PING, 0, 0, &[7; 8]);
            it.after(&[&ping, SETTINGS].concat())
        }),
        manner("drop by drop", Whole, |it| vec![Drip(it.complete("200"))]),
        manner("surplus on the same stream", Perhaps, |it| {
            vec![
                Send([it.complete("200"), it.lure(it.stream)].concat()),
                Open,
            ]
        }),
        // Lengths.
        manner("length one too long", Nothing, |it| {
            let body = &it.body[1..];
            let head = it.headers(0, &it.block(&[]));
            vec![Send([head, it.data(END_STREAM, body)].concat())]
        }),
        manner("length one too short", Nothing, |it| {
            let body = [&*it.body, b" "].concat();
            let head = it.headers(0, &it.block(&[]));
            vec![Send([head, it.data(END_STREAM, &body)].concat())]
        }),
        manner("lengths that differ", Nothing, |it| {
            let head = it.headers(0, &it.block(&[("content-length", "1")]));
            vec![Send([head, it.data(END_STREAM, &it.body)].concat())]
        }),
        // The end of a stream.
        manner("refused", Whole, |it| {
            vec![Send(it.reset(REFUSED_STREAM)), Open]
        }),
        manner("reset without an error", Nothing, |it| {
            vec![Send(it.reset(NO_ERROR)), Open]
        }),
        manner("reset by an error", Nothing, |it| {
            vec![Send(it.reset(1)), Open]
        }),
        manner("reset, internal error", Nothing, |it| {
            vec![Send(it.reset(2)), Open]
        }),
        manner("cancelled", Nothing, |it| vec![Send(it.reset(8)), Open]),
        manner("reset, calm down", Nothing, |it| {
            vec![Send(it.reset(11)), Open]
        }),
        manner("reset, http/1.1 wanted", Nothing, |it| {
            vec![Send(it.reset(13)), Open]
        }),
        manner("reset, unknown error", Nothing, |it| {
            vec![Send(it.reset(0xdead_beef)), Open]
        }),
        manner("refused after the head", Nothing, |it| {
            let head = it.headers(0, &it.block(&[]));
            vec![Send(head), Pause, Send(it.reset(REFUSED_STREAM)), Open]
        }),
        manner("refused in the body", Nothing, |it| {
            let head = it.headers(0, &it.block(&[]));
            let half = it.data(0, &it.body[1..]);
            vec![
                Send([head, half].concat()),
                Pause,
                Send(it.reset(REFUSED_STREAM)),
                Open,
            ]
        }),
        manner("reset after all of it", Perhaps, |it| {
            vec![
                Send([it.complete("200"), it.reset(NO_ERROR)].concat()),
                Open,
            ]
        }),
        // The end of a connection.
        manner("goes away before it", Whole, |_| {
            vec![Send(goes_away(0, NO_ERROR)), Close]
        }),
        manner("goes away after it", Whole, |it| {
            it.after(&goes_away(it.stream, NO_ERROR))
        }),
        manner("goes away soon", Whole, |it| {
            it.after(&goes_away(u32::MAX >> 1, NO_ERROR))
        }),
        manner("goes away with it", Nothing, |it| {
            vec![Send(goes_away(it.stream, NO_ERROR)), Pause, Close]
        }),
        manner("goes away soon, with it", Nothing, |_| {
            vec![Send(goes_away(u32::MAX >> 1, NO_ERROR)), Pause, Close]
        }),
        manner("goes away in the body", Nothing, |it| {
            let head = it.headers(0, &it.block(&[]));
            vec![
                Send([head, goes_away(it.stream, NO_ERROR)].concat()),
                Pause,
                Close,
            ]
        }),
        manner("goes away by an error", Nothing, |_| {
            vec![Send(goes_away(0, 1)), Close]
        }),
        manner("goes away, calm down", Nothing, |_| {
            vec![Send(goes_away(0, 11)), Close]
        }),
        manner("goes away twice", Perhaps, |it| {
            let (first, then) = (goes_away(0, NO_ERROR), goes_away(it.stream, 1));
            vec![Send([then, first].concat()), Close]
        }),
        manner("never", Nothing, |_| vec![Stall]),
        manner("half a head, then nothing", Nothing, |it| {
            vec![Send(it.complete("200")[..20].to_vec()), Stall]
        }),
        manner("all but the last byte, then nothing", Nothing, |it| {
            let whole = it.complete("200");
            vec![Send(whole[..whole.len() - 1].to_vec()), Stall]
        }),
        manner("all but the end, then nothing", Nothing, |it| {
            let head = it.headers(0, &fields([(":status", "200")]));
            vec![Send([head, it.data(0, &it.body)].concat()), Stall]
        }),
        manner("closed before the head", Nothing, |_| vec![Close]),
        manner("closed in the body", Nothing, |it| {
            let whole = it.complete("200");
            vec![Send(whole[..whole.len() - 1].to_vec()), Close]
        }),
        manner("cut in place of the end", Nothing, |it| {
            let head = it.headers(0, &fields([(":status", "200")]));
            vec![Send([head, it.data(0, &it.body)].concat()), Pause, Cut]
        }),
        manner("reset before the head", Nothing, |_| vec![Reset]),
        manner("connection reset in the body", Nothing, |it| {
            let whole = it.complete("200");
            vec![Send(whole[..whole.len() - 1].to_vec()), Pause, Reset]
        }),
        // Heads.
        manner("no status", Nothing, |it| it.with_fields(&[("x-y", "z")])),
        manner("two statuses", Nothing, |it| {
            it.with_fields(&[(":status", "200"), (":status", "401")])
        }),
        manner("a status of four digits", Nothing, |it| {
            it.with_fields(&[(":status", "2000")])
        }),
        manner("a status after a field", Nothing, |it| {
            it.with_fields(&[("x-y", "z"), (":status", "200")])
        }),
        manner("an unknown pseudo-field", Nothing, |it| {
            it.with_fields(&[(":status", "200"), (":x", "y")])
        }),
        manner("a name in capitals", Nothing, |it| {
            it.with_fields(&[(":status", "200"), ("X-Y", "z")])
        }),
        manner("a connection's field", Nothing, |it| {
            it.with_fields(&[(":status", "200"), ("transfer-encoding", "chunked")])
        }),
        manner("a field that is not in the table", Nothing, |it| {
            vec![Send(it.headers(0, &[0xff, 0xff, 0x7f]))]
        }),
        manner("a field without its end", Nothing, |it| {
            vec![Send(it.headers(0, &[0, 100, b'x']))]
        }),
        manner("a head of a megabyte", Nothing, |it| {
            let mut bytes = frame(HEADERS, 0, it.stream, &it.block(&[]));
            let more = fields([("x-y", &*"z".repeat(16_000))]);
            for _ in 0..64 {
                bytes.extend(frame(CONTINUATION, 0, it.stream, &more));
            }
            bytes.extend(frame(CONTINUATION, END_HEADERS, it.stream, b""));
            vec![Send([bytes, it.data(END_STREAM, &it.body)].concat())]
        }),
        manner("a head without end", Nothing, |it| {
            let head = frame(HEADERS, 0, it.stream, &it.block(&[]));
            let more = frame(CONTINUATION, 0, it.stream, b"");
            vec![Send(head), Endless, Flood(more.repeat(100)), Stall]
        }),
        // What breaks the protocol.
        manner("data before the head", Nothing, |it| {
            let data = it.data(END_STREAM, &it.body);
            vec![Send(data)]
        }),
        manner("an answer to nobody", Nothing, |it| {
            vec![Send(it.lure(it.stream + 2)), Close]
        }),
        manner("a push", Nothing, |it| {
            let promised = [&2_u32.to_be_bytes()[..], &it.block(&[])].concat();
            let promise = frame(PUSH_PROMISE, END_HEADERS, it.stream, &promised);
            vec![Send([promise, it.lure(2)].concat()), Close]
        }),
        manner("a frame that is too long", Nothing, |it| {
            let head = it.headers(0, &it.block(&[]));
            let long = it.data(END_STREAM, &[b' '; 1 << 20]);
            vec![Send([head, long].concat())]
        }),
        manner("a frame of half a ping", Nothing, |_| {
            vec![Send(frame(PING, 0, 0, &[7; 4]))]
        }),
        manner("settings that are not allowed", Nothing, |_| {
            // Frames of a byte.
            vec![Send(frame(4, 0, 0, &[0, 5, 0, 0, 0, 1]))]
        }),
        manner("a window of nothing more", Nothing, |_| {
            vec![Send(frame(WINDOW_UPDATE, 0, 0, &[0; 4]))]
        }),
        manner("a window past 2^31", Nothing, |_| {
            vec![Send(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))]
        }),
        manner("HTTP/1.1 in text", Nothing, |_| {
            vec![Send(
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
            )]
        }),
        // Floods: the caller gives up.
        manner("pings for ever", Nothing, |_| {
            vec![
                Endless,
                Flood(frame(PING, 0, 0, &[7; 8]).repeat(400)),
                Stall,
            ]
        }),
        manner("settings for ever", Nothing, |_| {
            vec![Endless, Flood(SETTINGS.repeat(400)), Stall]
        }),
        manner("empty frames for ever", Nothing, |it| {
            let head = it.headers(0, &it.block(&[]));
            vec![
                Send(head),
                Endless,
                Flood(it.data(0, b"").repeat(400)),
                Stall,
            ]
        }),
        // Before the request.
        early("no request wanted", Nothing, |_| {
            // Not one at once.
            vec![Send(frame(4, 0, 0, &[0, 3, 0, 0, 0, 0])), Stall]
        }),
        early("goes away at once", Perhaps, |_| {
            vec![Send([SETTINGS, &goes_away(0, NO_ERROR)].concat()), Close]
        }),
        early("an answer at once", Perhaps, |it| {
            let first = Draft {
                stream: 1,
                ..it.clone()
            };
            vec![Send([SETTINGS, &first.complete("200")].concat()), Close]
        }),
        early("text at once", Nothing, |_| {
            vec![Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Close]
        }),
    ]
}

/// Two calls on one connection: what its server does about the first, about the second, and
/// about what comes again.
pub(crate) const TOGETHER: [(&str, [fn(&Heard) -> Vec<Act>; 2]); 4] = [
    ("in turn", [answered, answered]),
    (
        "the other way round",
        [
            |_| vec![Open],
            |second| vec![Send([echo(second), echo(&other(second))].concat()), Open],
        ],
    ),
    (
        "the second is refused",
        [
            |_| vec![Open],
            |second| {
                let refused = frame(RST_STREAM, 0, second.stream, &error(REFUSED_STREAM));
                vec![Send([refused, echo(&other(second))].concat()), Open]
            },
        ],
    ),
    (
        "goes away before the second",
        [
            |_| vec![Open],
            |second| {
                let first = other(second);
                let goodbye = goes_away(first.stream, NO_ERROR);
                vec![Send([goodbye, echo(&first)].concat()), Close]
            },
        ],
    ),
];

pub(crate) fn answered(heard: &Heard) -> Vec<Act> {
    vec![Send(echo(heard)), Open]
}

/// An answer that says which request it is for.
fn echo(heard: &Heard) -> Vec<u8> {
    let path = heard.head.split(' ').nth(1).expect("a path");
    let draft = Draft {
        body: path.into(),
        stream: heard.stream,
        ..Draft::default()
    };
    draft.complete("200")
}

/// The first of two calls, of which this is the second.
fn other(second: &Heard) -> Heard {
    let (from, to) = if second.head.contains("/push/1 ") {
        ("/push/1 ", "/push/2 ")
    } else {
        ("/push/2 ", "/push/1 ")
    };
    Heard {
        head: second.head.replace(from, to),
        stream: second.stream - 2,
    }
}

pub(crate) fn acts(write: fn(&Heard) -> Vec<Act>) -> Acts {
    Arc::new(write)
}
