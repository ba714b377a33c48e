//! What a server may write once it was asked, and what a client may make of it.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::Act::{
    self, Close, Cut, Drip, Endless, Flood, Later, Open, Pause, Reset, Send, Stall,
};
use crate::server::Acts;

/// What a client may make of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// A complete answer of status 200.
    Whole,
    /// A complete 304.
    Confirms,
    /// An error that the server means, of this status.
    Refuses(u16),
    /// No answer that could be trusted.
    Nothing,
    /// A complete one that may arrive, or be lost on the way.
    Perhaps,
}

/// What an answer is made of.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    /// Header lines, each with its end.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// The request's number on its connection, over HTTP/2.
    #[cfg_attr(
        not(feature = "http2"),
        expect(dead_code, reason = "HTTP/1.1 numbers none")
    )]
    pub(crate) stream: u32,
}

/// A way to answer.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) name: &'static str,
    pub(crate) worth: Worth,
    pub(crate) write: fn(&Draft) -> Vec<Act>,
    /// It does not wait for the request.
    pub(crate) is_early: bool,
}

impl Manner {
    /// What to do so that this is the answer.
    pub(crate) fn answers(self, draft: &Draft) -> Acts {
        let draft = draft.clone();
        Arc::new(move |heard| {
            let stream = heard.stream;
            self.acts(&Draft {
                stream,
                ..draft.clone()
            })
        })
    }

    fn acts(self, draft: &Draft) -> Vec<Act> {
        let mut acts = (self.write)(draft);
        if acts
            .iter()
            .all(|act| matches!(act, Send(_) | Drip(_) | Pause))
        {
            acts.push(Close);
        }
        acts
    }
}

/// A limit of documents that all the answers here keep, but for those that are too long.
pub(crate) const ROOM: usize = 64 * 1024;

pub(crate) const fn manner(
    name: &'static str,
    worth: Worth,
    write: fn(&Draft) -> Vec<Act>,
) -> Manner {
    Manner {
        name,
        worth,
        write,
        is_early: false,
    }
}

/// An answer that is well.
pub(crate) const WELL: Manner = manner("well", Worth::Whole, |it| vec![Send(it.whole())]);

/// One that takes a while.
pub(crate) const LATE: Manner = manner("late", Worth::Whole, |it| {
    let whole = it.whole();
    let (begin, rest) = whole.split_at(whole.len() / 2);
    vec![Send(begin.to_vec()), Later, Send(rest.to_vec()), Open]
});

pub(crate) const CONFIRMS: Manner = manner("304", Worth::Confirms, |it| {
    vec![Send(it.head("304 Not Modified", ""))]
});

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn manners() -> Vec<Manner> {
    use Worth::{Confirms, Nothing, Perhaps, Refuses, Whole};
    vec![
        WELL,
        CONFIRMS,
        // Lengths.
        manner("chunked", Whole, |it| {
            let end = it.body.len() / 2;
            it.chunked("", &[&it.body[..end], &it.body[end..]], "")
        }),
        manner("chunks of one byte", Whole, |it| {
            it.chunked("", &it.body.chunks(1).collect::<Vec<_>>(), "")
        }),
        manner("chunk extensions", Whole, |it| {
            it.chunked(";a=b;c=\"d\"", &[&it.body], "")
        }),
        manner("trailers", Whole, |it| {
            it.chunked("", &[&it.body], "x-checksum: 1\r\n")
        }),
        manner("trailers that repeat headers", Whole, |it| {
            let trailers = "etag: \"of-a-trailer\"\r\ncache-control: max-age=1\r\n\
                            retry-after: 60\r\ncontent-length: 1\r\nlocation: /x\r\n";
            it.chunked("", &[&it.body], trailers)
        }),
        manner("ended by the connection", Whole, |it| {
            vec![Send([it.head("200 OK", ""), it.body.clone()].concat())]
        }),
        manner("ended by tcp alone", Nothing, |it| {
            vec![
                Send([it.head("200 OK", ""), it.body.clone()].concat()),
                Pause,
                Cut,
            ]
        }),
        manner("ended by tcp alone, with a length", Whole, |it| {
            vec![Send(it.whole()), Pause, Cut]
        }),
        manner("length one too long", Nothing, |it| {
            vec![Send(it.sized(it.body.len() + 1))]
        }),
        manner("length far too long", Nothing, |it| {
            vec![Send(it.sized(ROOM / 2)), Stall]
        }),
        manner("length twice the same", Perhaps, |it| {
            let length = it.body.len();
            let lines = format!("content-length: {length}\r\ncontent-length: {length}\r\n");
            it.with("200 OK", &lines)
        }),
        manner("length twice, differing", Nothing, |it| {
            let length = it.body.len();
            let lines = format!(
                "content-length: {length}\r\ncontent-length: {}\r\n",
                length + 1
            );
            it.with("200 OK", &lines)
        }),
        manner("lengths in a list, differing", Nothing, |it| {
            it.with(
                "200 OK",
                &format!("content-length: {}, 2\r\n", it.body.len()),
            )
        }),
        manner("length below zero", Nothing, |it| {
            it.with("200 OK", "content-length: -1\r\n")
        }),
        manner("length with a sign", Nothing, |it| {
            it.with("200 OK", &format!("content-length: +{}\r\n", it.body.len()))
        }),
        manner("length in hex", Nothing, |it| {
            it.with(
                "200 OK",
                &format!("content-length: {:#x}\r\n", it.body.len()),
            )
        }),
        manner("length of 2^63", Nothing, |it| {
            it.with("200 OK", "content-length: 9223372036854775808\r\n")
        }),
        manner("length past 2^64", Nothing, |it| {
            it.with("200 OK", "content-length: 18446744073709551617\r\n")
        }),
        manner("length beside chunks", Perhaps, |it| {
            let mut acts = it.chunked("", &[&it.body], "");
            if let Some(Send(bytes)) = acts.first_mut() {
                let text = String::from_utf8_lossy(bytes).into_owned();
                *bytes = text.replacen("\r\n", "\r\ncontent-length: 3\r\n", 1).into();
            }
            acts
        }),
        manner("surplus after the answer", Whole, |it| {
            vec![Send([it.whole(), it.strangers()].concat()), Open]
        }),
        manner("surplus a moment later", Whole, |it| {
            vec![Send(it.whole()), Pause, Send(it.strangers()), Open]
        }),
        // Chunks.
        manner("chunk size not a number", Nothing, |it| {
            it.coded("xyz\r\n{}\r\n0\r\n\r\n")
        }),
        manner("chunk size below zero", Nothing, |it| {
            it.coded("-2\r\n{}\r\n0\r\n\r\n")
        }),
        manner("chunk size past 2^64", Nothing, |it| {
            it.coded("10000000000000002\r\n{}\r\n0\r\n\r\n")
        }),
        manner("chunk longer than it says", Nothing, |it| {
            it.coded("1\r\n{}\r\n0\r\n\r\n")
        }),
        manner("no last chunk", Nothing, |it| {
            let mut acts = it.chunked("", &[&it.body], "");
            if let Some(Send(bytes)) = acts.last_mut() {
                bytes.truncate(bytes.len() - 5);
            }
            acts
        }),
        manner("no end after the last chunk", Nothing, |it| {
            let mut acts = it.chunked("", &[&it.body], "");
            if let Some(Send(bytes)) = acts.last_mut() {
                bytes.truncate(bytes.len() - 2);
            }
            acts
        }),
        manner("endless chunk extension", Nothing, |it| {
            it.coded(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000)))
        }),
        manner("endless trailers", Nothing, |it| {
            let trailers = "x-y: z\r\n".repeat(50_000);
            it.chunked("", &[&it.body], &trailers)
        }),
        manner("a transfer coding that is none", Whole, |it| {
            it.with("200 OK", "transfer-encoding: identity\r\n")
        }),
        // Compression.
        manner("gzip", Whole, |it| {
            let body = gzipped(&it.body);
            it.with_body("200 OK", &sized("content-encoding: gzip\r\n", &body), &body)
        }),
        manner("gzip, truncated", Nothing, |it| {
            let mut body = gzipped(&it.body);
            body.truncate(body.len() - 9);
            it.with_body("200 OK", &sized("content-encoding: gzip\r\n", &body), &body)
        }),
        manner("gzip without its end", Nothing, |it| {
            let mut body = gzipped(&it.body);
            body.truncate(body.len() - 4);
            it.with_body("200 OK", &sized("content-encoding: gzip\r\n", &body), &body)
        }),
        manner("gzip with a wrong sum", Nothing, |it| {
            let mut body = gzipped(&it.body);
            let sum = body.len() - 8;
            body[sum] ^= 1;
            it.with_body("200 OK", &sized("content-encoding: gzip\r\n", &body), &body)
        }),
        manner("gzip that is none", Nothing, |it| {
            it.with_length("content-encoding: gzip\r\n")
        }),
        manner("gzip bomb", Nothing, |it| {
            let mut plain = it.body.clone();
            plain.resize(64 * ROOM, b' ');
            let body = gzipped(&plain);
            it.with_body("200 OK", &sized("content-encoding: gzip\r\n", &body), &body)
        }),
        manner("a coding that nobody asked for", Nothing, |it| {
            let body: Vec<u8> = it.body.iter().map(|byte| byte ^ 0x55).collect();
            it.with_body("200 OK", &sized("content-encoding: br\r\n", &body), &body)
        }),
        manner("as long as the limit", Whole, |it| {
            let mut body = it.body.clone();
            body.resize(ROOM, b' ');
            it.with_body("200 OK", &sized("", &body), &body)
        }),
        manner("longer than the limit", Nothing, |it| {
            let mut body = it.body.clone();
            body.resize(ROOM + 1, b' ');
            it.with_body("200 OK", &sized("", &body), &body)
        }),
        manner("endless", Nothing, |it| {
            let begin = [it.head("200 OK", ""), it.body.clone()].concat();
            vec![Send(begin), Flood(vec![b' '; 16 * 1024]), Close]
        }),
        // Statuses.
        manner("continues a hundred times", Whole, |it| {
            let before = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
            vec![Send([before.as_bytes(), &it.whole()].concat())]
        }),
        manner("early hints", Whole, |it| {
            let before = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\
                          etag: \"of-a-hint\"\r\n\r\n";
            vec![Send([before.as_bytes(), &it.whole()].concat())]
        }),
        manner("continues for ever", Nothing, |_| {
            let continues = "HTTP/1.1 100 Continue\r\n\r\n".repeat(400);
            vec![Endless, Flood(continues.into()), Stall]
        }),
        manner("101", Nothing, |it| {
            it.with(
                "101 Switching Protocols",
                "connection: upgrade\r\nupgrade: h2c\r\n",
            )
        }),
        manner("201", Refuses(201), |it| it.under("201 Created")),
        manner("202", Refuses(202), |it| it.under("202 Accepted")),
        manner("203", Refuses(203), |it| {
            it.under("203 Non-Authoritative Information")
        }),
        manner("204", Refuses(204), |it| it.under("204 No Content")),
        manner("205", Refuses(205), |it| it.under("205 Reset Content")),
        manner("206", Refuses(206), |it| {
            let range = format!("content-range: bytes 0-{0}/{0}\r\n", it.body.len());
            it.with("206 Partial Content", &sized(&range, &it.body))
        }),
        manner("304 with a body", Confirms, |it| {
            it.under("304 Not Modified")
        }),
        manner("300", Refuses(300), |it| it.under("300 Multiple Choices")),
        manner("a redirect to itself", Refuses(302), |it| {
            it.with("302 Found", &sized("location: ?again\r\n", &it.body))
        }),
        manner("a redirect elsewhere", Refuses(307), |it| {
            let elsewhere = "location: http://127.0.0.1:9/\r\n";
            it.with("307 Temporary Redirect", &sized(elsewhere, &it.body))
        }),
        manner("404 Found", Refuses(404), |it| {
            let location = "location: https://client.example.com/cb?code=x\r\n";
            it.with("404 Found", &sized(location, &it.body))
        }),
        manner("401", Refuses(401), |it| it.under("401 Unauthorized")),
        manner("403", Refuses(403), |it| it.under("403 Forbidden")),
        manner("406", Refuses(406), |it| it.under("406 Not Acceptable")),
        manner("407", Refuses(407), |it| {
            it.under("407 Proxy Authentication Required")
        }),
        manner("418, chunked", Refuses(418), |it| {
            let mut acts = it.chunked("", &[&it.body], "");
            if let Some(Send(bytes)) = acts.first_mut() {
                *bytes = String::from_utf8_lossy(bytes)
                    .replacen("200 OK", "418 X", 1)
                    .into();
            }
            acts
        }),
        manner("429", Refuses(429), |it| it.under("429 Too Many Requests")),
        manner("500", Refuses(500), |it| {
            it.under("500 Internal Server Error")
        }),
        manner("503", Refuses(503), |it| {
            it.under("503 Service Unavailable")
        }),
        manner("599", Refuses(599), |it| it.under("599 X")),
        manner("999", Refuses(999), |it| it.under("999 X")),
        manner("a status of four digits", Nothing, |it| it.under("2000 OK")),
        manner("a status of two digits", Nothing, |it| it.under("20 OK")),
        manner("no reason", Whole, |it| it.under("200")),
        manner("a reason that misleads", Whole, |it| {
            it.under("200 500 Internal Server Error")
        }),
        // Heads.
        manner("HTTP/1.0", Whole, |it| it.version("HTTP/1.0")),
        manner("HTTP/1.2", Nothing, |it| it.version("HTTP/1.2")),
        manner("HTTP/2.0 in text", Nothing, |it| it.version("HTTP/2.0")),
        manner("HTTP/0.9", Nothing, |it| vec![Send(it.body.clone())]),
        manner("ICY", Nothing, |it| it.version("ICY")),
        manner("frames of HTTP/2", Nothing, |_| {
            let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
            let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
            vec![Send([&settings[..], &goaway].concat())]
        }),
        manner("odd headers", Whole, |it| {
            let odd = b"x bad name: x\r\nx-folded: a\r\n b\r\nno colon\r\n: no name\r\n\
                        x-\xff: x\r\nx-control: a\x01b\r\nx-space : x\r\nx-latin-1: \xe9\r\n";
            let head =
                String::from_utf8_lossy(&it.head("200 OK", &sized("", &it.body))).into_owned();
            let end = head.len() - 2;
            vec![Send(
                [&head.as_bytes()[..end], odd, b"\r\n", &it.body].concat(),
            )]
        }),
        manner("ninety headers", Whole, |it| {
            it.with_length(&"x-y: z\r\n".repeat(90))
        }),
        manner("a thousand headers", Nothing, |it| {
            it.with_length(&"x-y: z\r\n".repeat(1000))
        }),
        manner("a header of a megabyte", Nothing, |it| {
            it.with_length(&format!("x-y: {}\r\n", "z".repeat(1 << 20)))
        }),
        manner("a head without end", Nothing, |it| {
            vec![
                Send(it.head("200 OK", "")[..15].to_vec()),
                Flood(b"x-y: z\r\n".repeat(100)),
                Close,
            ]
        }),
        manner("no media type", Whole, |it| it.with_length("")),
        manner("the media type of a page", Whole, |it| {
            it.with_length("content-type: text/html; charset=utf-16\r\n")
        }),
        manner("two media types", Whole, |it| {
            it.with_length("content-type: text/plain\r\ncontent-type: image/png\r\n")
        }),
        manner("from a cache", Whole, |it| {
            it.with_length("age: 999999999\r\nwarning: 110 - \"stale\"\r\nx-cache: HIT\r\n")
        }),
        manner("of another time", Whole, |it| {
            it.with_length(
                "date: Thu, 01 Jan 1970 00:00:00 GMT\r\nexpires: 0\r\n\
                 last-modified: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
            )
        }),
        manner("another address", Whole, |it| {
            it.with_length(
                "location: http://127.0.0.1:9/\r\ncontent-location: /x\r\nrefresh: 0\r\n",
            )
        }),
        manner("connection headers", Whole, |it| {
            it.with_length("connection: close, etag, content-length\r\nkeep-alive: timeout=0\r\n")
        }),
        // Bodies.
        manner("a byte order mark", Whole, |it| {
            let body = [b"\xef\xbb\xbf", &*it.body].concat();
            it.with_body("200 OK", &sized("", &body), &body)
        }),
        manner("UTF-16", Nothing, |it| {
            let text = String::from_utf8_lossy(&it.body).into_owned();
            let body: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            it.with_body("200 OK", &sized("", &body), &body)
        }),
        manner("an empty body", Nothing, |it| {
            it.with_body("200 OK", "content-length: 0\r\n", b"")
        }),
        manner("half a body", Nothing, |it| {
            let body = &it.body[..it.body.len() / 2];
            it.with_body("200 OK", &sized("", body), body)
        }),
        manner("the body twice", Nothing, |it| {
            let body = [&*it.body, &it.body].concat();
            it.with_body("200 OK", &sized("", &body), &body)
        }),
        manner("a page", Nothing, |it| {
            let body = b"<!DOCTYPE html><title>Sign in</title>";
            it.with_body("200 OK", &sized("", body), body)
        }),
        // Paces and ends.
        Manner {
            is_early: true,
            ..manner("before the request", Perhaps, |it| vec![Send(it.whole())])
        },
        manner("drop by drop", Whole, |it| vec![Drip(it.whole())]),
        manner("in two halves", Whole, |it| {
            let whole = it.whole();
            let (head, rest) = whole.split_at(whole.len() / 2);
            vec![Send(head.to_vec()), Pause, Send(rest.to_vec())]
        }),
        manner("never", Nothing, |_| vec![Stall]),
        manner("half a head, then nothing", Nothing, |it| {
            vec![Send(it.whole()[..30].to_vec()), Stall]
        }),
        manner("half a body, then nothing", Nothing, |it| {
            let whole = it.whole();
            vec![
                Send(whole[..whole.len() - it.body.len() / 2].to_vec()),
                Stall,
            ]
        }),
        manner("all but the last byte, then nothing", Nothing, |it| {
            let whole = it.whole();
            vec![Send(whole[..whole.len() - 1].to_vec()), Stall]
        }),
        manner("all but the end, then nothing", Nothing, |it| {
            vec![
                Send([it.head("200 OK", ""), it.body.clone()].concat()),
                Stall,
            ]
        }),
        manner("all, and open", Whole, |it| vec![Send(it.whole()), Open]),
        manner("closed before the head", Nothing, |_| vec![Close]),
        manner("closed in the head", Nothing, |it| {
            vec![Send(it.whole()[..30].to_vec()), Close]
        }),
        manner("closed in the body", Nothing, |it| {
            let whole = it.whole();
            vec![Send(whole[..whole.len() - 1].to_vec()), Close]
        }),
        manner("reset before the head", Nothing, |_| vec![Reset]),
        manner("reset in the head", Nothing, |it| {
            vec![Send(it.whole()[..30].to_vec()), Pause, Reset]
        }),
        manner("reset in the body", Nothing, |it| {
            let whole = it.whole();
            vec![Send(whole[..whole.len() - 1].to_vec()), Pause, Reset]
        }),
        manner("reset after the body", Perhaps, |it| {
            vec![Send(it.whole()), Reset]
        }),
        manner("reset in place of the end", Nothing, |it| {
            vec![
                Send([it.head("200 OK", ""), it.body.clone()].concat()),
                Pause,
                Reset,
            ]
        }),
    ]
}

impl Draft {
    fn head(&self, status: &str, lines: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\n{}{lines}\r\n", self.headers).into()
    }

    /// Complete, with its length.
    pub(crate) fn whole(&self) -> Vec<u8> {
        self.sized(self.body.len())
    }

    fn sized(&self, length: usize) -> Vec<u8> {
        let head = self.head("200 OK", &format!("content-length: {length}\r\n"));
        [head, self.body.clone()].concat()
    }

    fn with_body(&self, status: &str, lines: &str, body: &[u8]) -> Vec<Act> {
        vec![Send([&self.head(status, lines), body].concat())]
    }

    fn with(&self, status: &str, lines: &str) -> Vec<Act> {
        self.with_body(status, lines, &self.body)
    }

    fn with_length(&self, lines: &str) -> Vec<Act> {
        self.with("200 OK", &sized(lines, &self.body))
    }

    fn under(&self, status: &str) -> Vec<Act> {
        self.with(status, &sized("", &self.body))
    }

    fn version(&self, version: &str) -> Vec<Act> {
        let whole = self.whole();
        vec![Send(
            [version.as_bytes(), &whole["HTTP/1.1".len()..]].concat(),
        )]
    }

    fn chunked(&self, extension: &str, chunks: &[&[u8]], trailers: &str) -> Vec<Act> {
        let mut bytes = self.head("200 OK", "transfer-encoding: chunked\r\n");
        for chunk in chunks {
            bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("0\r\n{trailers}\r\n").bytes());
        vec![Send(bytes)]
    }

    /// With chunks as they stand here.
    fn coded(&self, chunks: &str) -> Vec<Act> {
        self.with_body(
            "200 OK",
            "transfer-encoding: chunked\r\n",
            chunks.as_bytes(),
        )
    }

    /// An answer that nobody asked for: complete, and a lure.
    fn strangers(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        body.extend(b" ");
        let lure = Self {
            headers: "x-lure: yes\r\n".to_owned(),
            body,
            ..Self::default()
        };
        lure.whole()
    }
}

fn sized(lines: &str, body: &[u8]) -> String {
    format!("{lines}content-length: {}\r\n", body.len())
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}
