//! One fetch of a key document by the gate's own fetcher, with everything seen on the
//! way.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use reqwest::{Response, Url};
use serde::Serialize;

use super::show::cut;
use crate::clock::{SystemClock, seconds};
use crate::config::{Config, both};
use crate::fault::ConfigError;
use crate::jwt::jwks::KeySet;
use crate::keys::{Document, FetchError, Mode, Place, Schedule, Watch, plan};
use crate::net::client::{Clients, LazyClient};

/// The address of an issuer's keys, or their file.
#[derive(Debug, Clone)]
pub struct KeyAddress {
    /// Empty if none is configured.
    pub issuer: String,
    pub(super) place: Place,
    pub(super) clients: Clients,
    pub(super) schedule: Schedule,
}

/// Where each trusted issuer's keys are fetched: for a look at them, which needs neither
/// issuers nor audiences.
///
/// # Errors
/// With every fault of the settings that matter for it.
pub fn key_addresses(config: &Config) -> Result<Vec<KeyAddress>, ConfigError> {
    let (addresses, network) = both(config.key_addresses(), config.open_network())?;
    let (addresses, schedule) = addresses;
    let clients = Clients::new(network, None);
    let addresses = addresses.into_iter();
    Ok(addresses
        .map(|(issuer, place)| KeyAddress {
            issuer,
            place,
            clients: clients.clone(),
            schedule,
        })
        .collect())
}

/// The result of a fetch, and what was seen on the way.
#[derive(Debug)]
pub struct Visit {
    pub keys: Result<KeySet, FetchError>,
    /// Why there are no keys, in words for an operator.
    pub fault: Option<String>,
    /// Set if there are keys.
    pub refresh: Option<Refresh>,
    /// One, or two if a discovery document was followed.
    pub answers: Vec<Answer>,
    /// The last document that arrived whole, as untrusted as the answers.
    pub document: Bytes,
}

/// How long the gate keeps such an answer, and when it asks again.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Refresh {
    #[serde(rename = "earliest_seconds", serialize_with = "seconds")]
    pub earliest: Duration,
    #[serde(rename = "fresh_seconds", serialize_with = "seconds")]
    pub fresh: Duration,
    #[serde(rename = "latest_seconds", serialize_with = "seconds")]
    pub latest: Duration,
    /// The lifetime that the address asks for.
    #[serde(skip)]
    pub max_age: Option<Duration>,
}

/// The head of an answer. Its texts are the peer's, and are cut.
#[derive(Debug, Serialize)]
pub struct Answer {
    pub from: String,
    pub status: u16,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub cache_control: Option<String>,
    /// Without its query, which may hold a secret.
    pub location: Option<String>,
}

/// Explains a missing answer to an operator, if the cause is known.
type Words = fn(&reqwest::Error) -> Option<String>;

struct Seen {
    words: Words,
    answers: Vec<Answer>,
    document: Bytes,
    trouble: Option<String>,
}

impl Watch for Seen {
    fn answered(&mut self, from: &Url, answer: &Response) {
        let header = |name: HeaderName, shown: fn(&str) -> String| {
            let value = answer.headers().get(name)?;
            Some(shown(&String::from_utf8_lossy(value.as_bytes())))
        };
        self.answers.push(Answer {
            from: cut(from.as_str()),
            status: answer.status().as_u16(),
            content_type: header(CONTENT_TYPE, cut),
            etag: header(ETAG, cut),
            cache_control: header(CACHE_CONTROL, cut),
            location: header(LOCATION, without_query),
        });
    }

    fn came(&mut self, document: &Bytes) {
        self.document = document.clone();
    }

    fn failed(&mut self, error: &reqwest::Error) {
        self.trouble = (self.words)(error);
    }
}

/// An address without its query: in GO's own failure sample, that holds a code.
pub fn without_query(address: &str) -> String {
    match address.split_once(['?', '#']) {
        Some((address, _)) => format!("{}?...", cut(address)),
        None => cut(address),
    }
}

impl KeyAddress {
    /// The address, or the file's path.
    pub fn name(&self) -> String {
        self.place.name()
    }

    /// The same for the log: without the query, which may hold a secret.
    pub fn shown(&self) -> String {
        self.place.shown()
    }

    /// Fetches as the gate does when it lacks a key.
    pub async fn visit(&self, words: Words) -> Visit {
        let source = self
            .place
            .clone()
            .source(LazyClient::new(self.clients.clone()));
        let mut seen = Seen {
            words,
            answers: Vec::new(),
            document: Bytes::new(),
            trouble: None,
        };
        let (clock, held) = (SystemClock::default(), Document::default());
        let result = source.fetch(&clock, &held, Mode::Fresh, &mut seen).await;
        let refresh = result.as_ref().ok().map(|fetched| {
            let (fresh, window) = plan(&self.place.schedule(self.schedule), fetched.max_age);
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
        let fault = keys.as_ref().err().map(|error| match seen.trouble {
            Some(words) if matches!(error, FetchError::Unreachable(_)) => words,
            _ => error.to_string(),
        });
        Visit {
            keys,
            fault,
            refresh,
            answers: seen.answers,
            document: seen.document,
        }
    }
}
