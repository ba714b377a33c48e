//! The log of requests.

use std::collections::VecDeque;

use derbysoft_go_auth::clock::UnixTime;
use http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};

/// How many requests are stored: more than a test looks at. Older ones are only counted.
const STORED: usize = 1_000;

/// How much of a text is stored, in characters: far more than GO's addresses have.
const MAX_TEXT: usize = 1_024;

/// A request that reached the simulator, on any path. Texts are cut to 1,024 characters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// When the request's head had been read, by the simulator's clock.
    pub time: UnixTime,
    /// The method.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The `If-None-Match` header, if it is text.
    pub if_none_match: Option<String>,
    /// The `Accept-Encoding` header, if it is text.
    pub accept_encoding: Option<String>,
    /// The `User-Agent` header, if it is text.
    pub user_agent: Option<String>,
    /// The status, decided when the request arrived even if the answer is delayed; `None`
    /// if a fault answers without one.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    stored: VecDeque<LoggedRequest>,
    total: usize,
}

impl Log {
    pub(crate) fn record(&mut self, head: &Parts, status: Option<u16>, now: UnixTime) {
        let request = LoggedRequest {
            time: now,
            method: head.method.clone(),
            path: cut(head.uri.path()),
            if_none_match: text(&head.headers, &IF_NONE_MATCH),
            accept_encoding: text(&head.headers, &ACCEPT_ENCODING),
            user_agent: text(&head.headers, &USER_AGENT),
            status,
        };
        tracing::debug!(
            method = %request.method,
            path = ?request.path,
            if_none_match = ?request.if_none_match,
            status = ?request.status,
            "request to the simulated GO"
        );
        if self.stored.len() == STORED {
            self.stored.pop_front();
        }
        self.stored.push_back(request);
        self.total += 1;
    }

    pub(crate) fn stored(&self) -> Vec<LoggedRequest> {
        self.stored.iter().cloned().collect()
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(cut(value))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
