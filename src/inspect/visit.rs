//! One fetch of a key document by the gate's own fetcher, with everything seen on the
//! way.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use reqwest::{Response, Url};

use crate::config::Config;
use crate::fault::ConfigError;
use crate::jwt::jwks::KeySet;
use crate::keys::{FetchError, FetchSettings, Fetcher, Mode, Schedule, Watch, plan};

/// The address of an issuer's keys.
#[derive(Debug, Clone)]
pub struct KeyAddress {
    pub(super) issuer: String,
    pub(super) fetch: FetchSettings,
    pub(super) schedule: Schedule,
}

/// Where each trusted issuer's keys are fetched: for a look at them, which needs neither
/// issuers nor audiences.
///
/// # Errors
/// With every fault of the settings that matter for it.
pub fn key_addresses(config: &Config) -> Result<Vec<KeyAddress>, ConfigError> {
    let (addresses, schedule) = config.key_addresses()?;
    let addresses = addresses.into_iter();
    Ok(addresses
        .map(|(issuer, fetch)| KeyAddress {
            issuer,
            fetch,
            schedule,
        })
        .collect())
}

/// The result of a fetch.
#[derive(Debug)]
pub struct Visit {
    pub keys: Result<KeySet, FetchError>,
    /// Set if there are keys.
    pub refresh: Option<Refresh>,
    pub seen: Seen,
}

/// How long the gate keeps such an answer, and when it asks again.
#[derive(Debug, Clone, Copy)]
pub struct Refresh {
    pub fresh: Duration,
    pub earliest: Duration,
    pub latest: Duration,
    /// The lifetime that the address asks for.
    pub max_age: Option<Duration>,
}

/// Explains a missing answer to an operator, if the cause is known.
type Words = fn(&reqwest::Error) -> Option<String>;

/// What was seen on the way. All of it is untrusted: the peer wrote it.
#[derive(Debug)]
pub struct Seen {
    words: Words,
    /// One, or two if a discovery document was followed.
    pub answers: Vec<Answer>,
    /// The last document that arrived whole.
    pub document: Option<Bytes>,
    trouble: Option<String>,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Answer {
    pub from: Url,
    pub status: u16,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub cache_control: Option<String>,
    pub location: Option<String>,
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
        self.trouble = (self.words)(error);
    }
}

impl KeyAddress {
    /// Empty if none is configured.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn as_str(&self) -> &str {
        self.fetch.address.as_str()
    }

    /// Fetches as the gate does when it lacks a key.
    pub async fn visit(&self, words: Words) -> Visit {
        let fetcher = Fetcher::new(self.fetch.clone(), None);
        let mut seen = Seen {
            words,
            answers: Vec::new(),
            document: None,
            trouble: None,
        };
        let result = fetcher
            .fetch_watched(&KeySet::default(), None, Mode::Fresh, &mut seen)
            .await;
        let refresh = result.as_ref().ok().map(|fetched| {
            let (fresh, window) = plan(&self.schedule, fetched.max_age);
            let (earliest, latest) = window.into_inner();
            Refresh {
                fresh,
                earliest,
                latest,
                max_age: fetched.max_age,
            }
        });
        let keys = result.map_err(|failed| failed.error).and_then(|fetched| {
            let document = fetched.document.ok_or(FetchError::UnexpectedNotModified)?;
            Ok(document.keys)
        });
        Visit {
            keys,
            refresh,
            seen,
        }
    }
}

impl Visit {
    /// Why there are no keys, in words for an operator.
    pub fn fault(&self) -> Option<String> {
        let error = self.keys.as_ref().err()?;
        Some(match (error, &self.seen.trouble) {
            (FetchError::Unreachable(_), Some(words)) => words.clone(),
            _ => error.to_string(),
        })
    }
}
