//! One fetch of a key document by the gate's own fetcher, with all that is seen on
//! the way.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use reqwest::{Response, Url};

use super::trouble;
use crate::jwt::jwks::KeySet;
use crate::keys::{FetchError, FetchSettings, Fetched, Fetcher, Mode, Watch};

/// What came of a fetch.
pub(super) struct Visit {
    pub(super) result: Result<Fetched, FetchError>,
    pub(super) seen: Seen,
}

/// What was seen on the way. All of it is whatever the peer made it.
#[derive(Default)]
pub(super) struct Seen {
    /// One, or two where a discovery document was followed.
    pub(super) answers: Vec<Answer>,
    /// The last document that came whole.
    pub(super) document: Option<Bytes>,
    /// Why there was no answer, in words for an operator.
    pub(super) trouble: Option<String>,
}

/// The head of an answer.
pub(super) struct Answer {
    pub(super) from: Url,
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) location: Option<String>,
}

impl Watch for Seen {
    fn answered(&mut self, from: &Url, answer: &Response) {
        let header = |name: HeaderName| {
            let value = answer.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        self.answers.push(Answer {
            from: from.clone(),
            status: answer.status().as_u16(),
            content_type: header(CONTENT_TYPE),
            etag: header(ETAG),
            cache_control: header(CACHE_CONTROL),
            location: header(LOCATION),
        });
    }

    fn came(&mut self, _: &Url, document: &Bytes) {
        self.document = Some(document.clone());
    }

    fn failed(&mut self, error: &reqwest::Error) {
        self.trouble = trouble::words(error);
    }
}

/// Fetches as the gate does when it looks for a key that it does not have.
pub(super) async fn visit(settings: FetchSettings) -> Visit {
    let fetcher = Fetcher::new(settings, None);
    let mut seen = Seen::default();
    let result = fetcher
        .fetch_watched(&KeySet::default(), None, Mode::Fresh, &mut seen)
        .await;
    Visit {
        result: result.map_err(|failed| failed.error),
        seen,
    }
}

impl Visit {
    /// Why there are no keys, in words for an operator.
    pub(super) fn fault(&self) -> Option<String> {
        let error = self.result.as_ref().err()?;
        Some(match (error, &self.seen.trouble) {
            (FetchError::Unreachable(_), Some(words)) => words.clone(),
            _ => error.to_string(),
        })
    }
}
