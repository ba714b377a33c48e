//! What the simulator sends, as seen by clients that share none of its code.

mod faults;
mod gateway;
mod keys;
mod lifecycle;
mod pushes;
mod serving;
mod time;
mod tokens;

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Simulator;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Long enough for a loopback answer that is already written, short enough to wait for
/// none.
const MOMENT: Duration = Duration::from_millis(40);

/// An HTTP answer, parsed by hand.
struct Seen {
    status_line: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seen {
    fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status_line = lines.next()?.to_owned();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(": ")?;
                Some((
                    HeaderName::try_from(name).ok()?,
                    HeaderValue::try_from(value).ok()?,
                ))
            })
            .collect::<Option<HeaderMap>>()?;
        Some(Self {
            status_line,
            headers,
            body: answer[end + 4..].to_vec(),
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn send(go: &Simulator, url: &str, headers: &str) -> io::Result<TcpStream> {
    let path = url.strip_prefix(&go.origin()).unwrap_or(url);
    let mut stream = TcpStream::connect(go.address()).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: go\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Reads until the server closes the connection.
async fn raw(go: &Simulator, url: &str, headers: &str) -> io::Result<Vec<u8>> {
    let mut stream = send(go, url, headers).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

async fn get(go: &Simulator, url: &str, headers: &str) -> io::Result<Seen> {
    let answer = raw(go, url, headers).await?;
    Seen::parse(&answer).ok_or_else(|| io::Error::other("not an HTTP answer"))
}

/// What arrives within a moment, and whether the connection was closed.
async fn glimpse(stream: &mut TcpStream) -> io::Result<(Vec<u8>, bool)> {
    let mut seen = Vec::new();
    loop {
        match tokio::time::timeout(MOMENT, stream.read_buf(&mut seen)).await {
            Ok(Ok(0)) => return Ok((seen, true)),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok((seen, false)),
        }
    }
}

/// A token's segments, as text.
fn segments(token: &str) -> [&str; 3] {
    let mut segments = token.split('.');
    let three = [(); 3].map(|()| segments.next().expect("a segment"));
    assert_eq!(segments.next(), None);
    three
}

fn decoded(segment: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(segment)
        .expect("canonical base64url")
}
