//! Requests that are answered before anything here sees them, since they are not valid
//! HTTP or too large. They are logged as rejections are: the first of a kind, and then how
//! many more there were within a minute.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::events;
use derbysoft_go_auth::inspect::{Counted, PERIOD, Refusals};

/// What hyper calls them. Fixed words, none of them the client's.
const KINDS: [&str; 10] = [
    "invalid HTTP method parsed",
    "invalid URI",
    "URI too long",
    "invalid HTTP version parsed",
    "invalid HTTP version parsed (found HTTP2 preface)",
    "invalid HTTP header parsed",
    "invalid content-length parsed",
    "invalid transfer-encoding parsed",
    "unexpected transfer-encoding parsed",
    "message head is too large",
];

/// Any other.
const OTHER: &str = "not valid HTTP";

#[derive(Debug)]
pub(super) struct NotHttp {
    counts: Refusals,
    started: Instant,
}

impl Default for NotHttp {
    fn default() -> Self {
        Self {
            counts: Refusals::new(KINDS.len() + 1),
            started: Instant::now(),
        }
    }
}

impl NotHttp {
    pub(super) fn rejected(self: &Arc<Self>, error: &hyper::Error) {
        let kind = kind(error);
        match self.counts.count(kind, self.now()) {
            Counted::First { unreported } => {
                if unreported > 0 {
                    events::more_not_http(name(kind), unreported);
                }
                events::not_http(name(kind));
            }
            Counted::Second => {
                let this = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(PERIOD.into())).await;
                    this.report(this.now());
                });
            }
            Counted::Another => {}
        }
    }

    /// Logs what is counted so far.
    pub(super) fn flush(&self) {
        self.report(u32::MAX);
    }

    fn report(&self, now: u32) {
        for (kind, count) in self.counts.take_due(now) {
            events::more_not_http(name(kind), count);
        }
    }

    /// In seconds.
    fn now(&self) -> u32 {
        self.started
            .elapsed()
            .as_secs()
            .try_into()
            .unwrap_or(u32::MAX)
    }
}

fn kind(error: &hyper::Error) -> usize {
    let text = error.to_string();
    let known = KINDS.iter().position(|known| *known == text);
    known.unwrap_or(KINDS.len())
}

fn name(kind: usize) -> &'static str {
    KINDS.get(kind).unwrap_or(&OTHER)
}

#[cfg(test)]
mod tests {
    use http::Response;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use test_support::failing_log::failing_log;

    /// What hyper says of these bytes.
    async fn error_of(bytes: &[u8]) -> hyper::Error {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(bytes).await.expect("it fits");
        client.shutdown().await.expect("open");
        let service = service_fn(async |_| Ok::<_, hyper::Error>(Response::new(String::new())));
        let mut http = http1::Builder::new();
        let serving = http
            .max_buf_size(8192)
            .serve_connection(TokioIo::new(server), service);
        serving.await.expect_err("not HTTP")
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        for (head, expected) in [
            (
                "\x16\x03\x01 / HTTP/1.1\r\n\r\n".to_owned(),
                "invalid HTTP method parsed",
            ),
            ("GET /a?b=\"c HTTP/1.1\r\n\r\n".to_owned(), "invalid URI"),
            ("GET /a<b HTTP/1.1\r\n\r\n".to_owned(), "invalid URI"),
            ("GET /a`b HTTP/1.1\r\n\r\n".to_owned(), "invalid URI"),
            (
                "GET / HTTP/9\r\n\r\n".to_owned(),
                "invalid HTTP version parsed",
            ),
            (
                "GET / HTTP/1.1\r\na b: c\r\n\r\n".to_owned(),
                "invalid HTTP header parsed",
            ),
            (
                "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned(),
                "invalid content-length parsed",
            ),
            (
                format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(9000)),
                "message head is too large",
            ),
        ] {
            let error = error_of(head.as_bytes()).await;
            assert!(error.is_parse(), "{error}");
            assert_eq!(name(kind(&error)), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_of_a_kind_is_logged_and_others_counted() {
        const FIRST: &str = "a request that is not valid HTTP was rejected";
        const MORE: &str = "further requests that are not valid HTTP were rejected within a minute";
        let (sender, logged) = std::sync::mpsc::channel();
        let log = failing_log(move |message| {
            let _ = sender.send(message.to_owned());
        });
        let _guard = tracing::dispatcher::set_default(&log);
        let logged = || logged.try_iter().collect::<Vec<_>>();
        let rejected = Arc::new(NotHttp::default());
        let (uri, version) = (
            error_of(b"GET < HTTP/1.1\r\n\r\n").await,
            error_of(b"GET / HTTP/9\r\n\r\n").await,
        );
        for error in [&uri, &uri, &version, &uri] {
            rejected.rejected(error);
        }
        assert_eq!(logged(), [FIRST, FIRST]);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(logged(), [""; 0]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(logged(), [MORE]);

        rejected.rejected(&uri);
        rejected.rejected(&uri);
        rejected.flush();
        assert_eq!(logged(), [FIRST, MORE]);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(logged(), [""; 0]);
    }
}
