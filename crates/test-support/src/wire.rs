//! A client that writes any bytes, and reads HTTP/1 answers.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::soon;

/// A connection, over any stream.
pub struct Wire<S>(BufReader<S>);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// With names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The value of a header that is there once, or not at all.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        Some(value)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.0.write_all(bytes.as_ref()))
            .await
            .expect("the other end reads");
    }

    /// The answer to a request, of any method but HEAD; `None` where the connection has
    /// ended.
    pub async fn ask(&mut self, request: &str) -> Option<Reply> {
        let written = soon(self.0.write_all(request.as_bytes())).await;
        written.ok()?;
        self.read(true).await
    }

    /// The next answer, to a request of any method but HEAD.
    pub async fn reply(&mut self) -> Reply {
        self.read(true).await.expect("an answer")
    }

    /// The next answer, to a HEAD.
    pub async fn reply_to_head(&mut self) -> Reply {
        self.read(false).await.expect("an answer")
    }

    /// The next answer; `None` where the connection ends before it.
    pub async fn reply_if_any(&mut self) -> Option<Reply> {
        self.read(true).await
    }

    /// The same, to a HEAD.
    pub async fn reply_to_head_if_any(&mut self) -> Option<Reply> {
        self.read(false).await
    }

    /// The next answer, which comes within this time.
    pub async fn reply_within(&mut self, limit: Duration) -> Reply {
        let reply = tokio::time::timeout(limit, self.read_whole(true)).await;
        reply.expect("within its time").expect("an answer")
    }

    async fn read(&mut self, has_body: bool) -> Option<Reply> {
        soon(self.read_whole(has_body)).await
    }

    async fn read_whole(&mut self, has_body: bool) -> Option<Reply> {
        let line = self.line().await?;
        let mut words = line.splitn(3, ' ');
        let version = words.next().expect("a version");
        assert!(version.starts_with("HTTP/1."), "{line}");
        let status = words.next().expect("a status").parse().expect("a number");
        let mut headers = Vec::new();
        loop {
            let line = self.line().await.expect("a whole head");
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply {
            status,
            headers,
            body: String::new(),
        };
        if has_body && status >= 200 && status != 204 {
            assert_eq!(reply.header("transfer-encoding"), None);
            let mut body = Vec::new();
            match reply.header("content-length") {
                Some(length) => {
                    body.resize(length.parse().expect("a length"), 0);
                    self.0.read_exact(&mut body).await.expect("a whole body");
                }
                None => {
                    self.0.read_to_end(&mut body).await.expect("a body");
                }
            }
            reply.body = String::from_utf8(body).expect("UTF-8");
        }
        Some(reply)
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        // A server that has rejected may close with a reset where there is more to read.
        let read = self
            .0
            .read_until(b'\n', &mut line)
            .await
            .unwrap_or_default();
        if read == 0 {
            return None;
        }
        let line = line.strip_suffix(b"\r\n").expect("a whole line");
        Some(String::from_utf8(line.to_vec()).expect("UTF-8"))
    }

    /// All that still arrives, until the other end closes.
    pub async fn rest(&mut self, rest: &mut Vec<u8>) {
        // A reset closes too.
        let _ = soon(self.0.read_to_end(rest)).await;
    }

    /// Waits until the other end closes, without another byte.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        self.rest(&mut rest).await;
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}

/// The head of a request that keeps its connection.
pub fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: api.example\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("memory");
    }
    head + "\r\n"
}
