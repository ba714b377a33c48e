//! The record of what was asked.

use std::collections::VecDeque;
use std::time::SystemTime;

use http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};

/// How many requests are kept; older ones are only counted.
const KEPT: usize = 1_000;

/// How much of a text is kept, in characters: far more than GO's addresses have.
const MAX_TEXT: usize = 1_024;

/// One request that reached the simulator, on whatever path. Texts are cut to 1,024 characters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// When the request's head had been read, by the system clock.
    pub time: SystemTime,
    /// The method.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The `If-None-Match` header, where it is text.
    pub if_none_match: Option<String>,
    /// The `Accept-Encoding` header, where it is text.
    pub accept_encoding: Option<String>,
    /// The `User-Agent` header, where it is text.
    pub user_agent: Option<String>,
    /// The status that was decided on when the request arrived, even if the answer is held back;
    /// none where a fault answers without a status.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    kept: VecDeque<LoggedRequest>,
    total: usize,
}

impl Log {
    pub(crate) fn record(&mut self, head: &Parts, status: Option<u16>) {
        let request = LoggedRequest {
            time: SystemTime::now(),
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
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(request);
        self.total += 1;
    }

    pub(crate) fn kept(&self) -> Vec<LoggedRequest> {
        self.kept.iter().cloned().collect()
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
