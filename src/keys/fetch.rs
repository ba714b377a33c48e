//! One fetch of a key-set document: bounded in time and size, without following
//! redirects.
//!
//! A key address decides who may call the API, so its answers are treated with suspicion:
//! no redirect is followed (GO's own failure sample is a `404` whose `Location` points at
//! a stranger's address), only 200 and 304 count, and the body is cut off after
//! decompression.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Response, Url};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::jwt::json;
use crate::jwt::jwks::{KeySet, KeySetError};
use crate::net::bounded_http::{self, Fault, FetchSettings};
use crate::net::client::{self, LazyClient};
use crate::quote::Quoted;

/// The longest `ETag` that is stored, in bytes; a longer one is not sent back.
const MAX_ETAG_BYTES: usize = 512;

/// A key set by its own media type (RFC 7517, section 8.5.2), as GO sends it, or else as
/// whatever the server calls it: what counts is the document's content.
const ACCEPTED: &str = "application/jwk-set+json, application/json, */*;q=0.1";

/// The longest `jwks_uri` that is followed, in bytes: what RFC 9110, section 4.1,
/// recommends to support. Parsing one as long as a document may be costs 40 times as much
/// as reading a hundred keys.
const MAX_ADDRESS_BYTES: usize = 8000;

/// The identity of the cached document, for asking only for a newer one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validator {
    address: String,
    etag: String,
}

/// Without the address, whose query may hold a secret.
impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("Validator").field("etag", &self.etag)).finish_non_exhaustive()
    }
}

/// The result of a fetch.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// `None`: the cached document is still the current one.
    pub(crate) document: Option<Document>,
    pub(crate) max_age: Option<Duration>,
}

/// A key set, and the document that it was read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) keys: KeySet,
    pub(crate) bytes: Bytes,
    pub(crate) validator: Option<Validator>,
}

/// Why keys could not be fetched.
///
/// Its text names the cause for an operator; text from the network is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The HTTP client could not be set up or panicked, or the request could not be sent
    /// or answered: name, connection, TLS.
    #[error("the key address could not be reached: {0}")]
    Unreachable(String),
    /// The proxy can't be reached, or makes no connection to the key address. The text
    /// begins with its host and port.
    #[error("the proxy {0}")]
    Proxy(String),
    /// This proxy requires a user name and password, or rejects those in its address (407).
    #[error(
        "the proxy {0} requires a user name and password, or rejects those in its address (407)"
    )]
    ProxyCredentials(String),
    /// No complete answer within the time limit.
    #[error("the key address did not answer in time")]
    Timeout,
    /// The answer points elsewhere; it was not followed.
    #[error("the key address answered with a redirect, which is not followed (status {0})")]
    Redirect(u16),
    /// A status other than 200 and 304.
    #[error("the key address answered with status {0}")]
    Status(u16),
    /// 304 although no document is cached, or the request was unconditional.
    #[error("the key address answered 304 though no document is held")]
    UnexpectedNotModified,
    /// More bytes than the limit, decompressed.
    #[error("the document is larger than {0} bytes")]
    TooLarge(usize),
    /// The body ended early or could not be decompressed.
    #[error("the document could not be read: {0}")]
    Body(String),
    /// Neither a key set nor a discovery document, or without a usable key.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// All keys in the document are [distrusted](crate::Config::distrusted_keys) here.
    #[error("all keys of the key address are distrusted by the settings")]
    Distrusted,
    /// The `jwks_uri` of a discovery document is at another origin or is not an absolute
    /// address, as the text says. It is not followed.
    #[error("the discovery document's key set is not followed: {0}")]
    ForeignKeySet(String),
    /// The [key file](crate::Config::jwks_file) can't be used, as the text says: it can't
    /// be read, everybody may write it, or it is not a key set with a usable key.
    #[error("the key file \"{}\" can't be used: {why}", .path.to_string_lossy().escape_debug())]
    #[non_exhaustive]
    File {
        /// The file, as configured.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The fetching task was stopped, along with its runtime.
    #[error("the runtime shut down during a fetch")]
    Stopped,
    /// There is no tokio runtime to fetch in.
    #[error("there is no tokio runtime to fetch keys in")]
    NoRuntime,
}

impl From<Fault> for FetchError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Timeout => Self::Timeout,
            Fault::Unreachable(why) => Self::Unreachable(why),
            Fault::Proxy(why) => Self::Proxy(why),
            Fault::ProxyCredentials(proxy) => Self::ProxyCredentials(proxy),
            Fault::Broken(why) => Self::Body(why),
            Fault::TooLarge(limit) => Self::TooLarge(limit),
        }
    }
}

/// What a fetch requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A newer document than the cached one, if there is one (`If-None-Match`).
    Conditional,
    /// The document as it is at the key address now: no 304 and no cache on the way may
    /// answer instead (RFC 9111, section 5.2.1.4). For keys that the cached document does
    /// not contain.
    Fresh,
}

/// A fetch that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: FetchError,
    /// How long the answer, a 429 or 503, asks to wait: at most [a
    /// minute](crate::net::retry::LONGEST), counted from its end.
    pub(crate) retry_after: Option<Duration>,
}

impl<E: Into<FetchError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            retry_after: None,
        }
    }
}

/// Observes a fetch as it proceeds.
pub(crate) trait Watch: Send {
    /// An answer began.
    fn answered(&mut self, _from: &Url, _answer: &Response) {}

    /// An answer's document arrived completely.
    fn came(&mut self, _document: &Bytes) {}

    /// There was no answer.
    fn failed(&mut self, _error: &reqwest::Error) {}
}

/// Observes nothing.
impl Watch for () {}

/// Fetches from one address.
#[derive(Debug)]
pub(crate) struct Fetcher {
    settings: FetchSettings,
    client: LazyClient,
}

impl Fetcher {
    pub(crate) const fn new(settings: FetchSettings, client: LazyClient) -> Self {
        Self { settings, client }
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Whether what one has fetched could have come to the other: from the same address,
    /// vouched for by the same authorities.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.settings.address == other.settings.address
            && self.client.trust() == other.client.trust()
    }

    /// Fetches the document; in [`Mode::Conditional`] only if it differs from `held`.
    /// `watch` observes it.
    pub(crate) async fn fetch(
        &self,
        clock: &dyn Clock,
        held: &Document,
        mode: Mode,
        watch: &mut impl Watch,
    ) -> Result<Fetched, Failed> {
        let fetch = self.follow(held, mode, watch);
        bounded_http::within(clock, self.settings.timeout, fetch).await
    }

    /// The key address may be that of a discovery document, which is followed once. It is
    /// fetched anew each time: keys left behind at an old address must not stay trusted.
    async fn follow(
        &self,
        held: &Document,
        mode: Mode,
        watch: &mut impl Watch,
    ) -> Result<Fetched, Failed> {
        let address = &self.settings.address;
        let mut answer = self.get(address, held, mode, watch).await?;
        if let Some((bytes, _)) = &answer.body
            && let Some(key_address) = discovered(address, bytes)?
        {
            answer = self.get(&key_address, held, mode, watch).await?;
        }
        let document = match answer.body {
            None => None,
            Some((bytes, validator)) => Some(Document {
                keys: held.keys.successor(&bytes).map_err(FetchError::from)?,
                bytes,
                validator,
            }),
        };
        Ok(Fetched {
            document,
            max_age: answer.max_age,
        })
    }

    async fn get(
        &self,
        address: &Url,
        held: &Document,
        mode: Mode,
        watch: &mut impl Watch,
    ) -> Result<Answer, Failed> {
        let held = (held.validator.as_ref())
            .filter(|held| mode == Mode::Conditional && held.address == address.as_str());
        let client = self.client.get(&self.settings)?;
        let mut request = client
            .client
            .get(address.clone())
            .header(ACCEPT, HeaderValue::from_static(ACCEPTED));
        if let Some(held) = held {
            request = request.header(IF_NONE_MATCH, &held.etag);
        }
        if mode == Mode::Fresh {
            request = request.header(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let response = client::send(request).await.map_err(|error| {
            watch.failed(&error);
            client.fault(&error)
        })?;
        watch.answered(address, &response);
        if let Some(fault) = client.fault_of(&response) {
            return Err(fault.into());
        }
        let max_age = max_age(response.headers());
        let body = match response.status() {
            StatusCode::OK => {
                let validator = etag(response.headers()).map(|etag| Validator {
                    address: address.to_string(),
                    etag,
                });
                let mut body = Vec::new();
                bounded_http::read_body(response, self.settings.max_bytes, &mut body).await?;
                let bytes = without_mark(&body.into());
                watch.came(&bytes);
                Some((bytes, validator))
            }
            StatusCode::NOT_MODIFIED if held.is_some() => None,
            StatusCode::NOT_MODIFIED => return Err(FetchError::UnexpectedNotModified.into()),
            status if status.is_redirection() => {
                return Err(FetchError::Redirect(status.as_u16()).into());
            }
            status => {
                return Err(Failed {
                    error: FetchError::Status(status.as_u16()),
                    retry_after: bounded_http::retry_after(&response),
                });
            }
        };
        Ok(Answer { body, max_age })
    }
}

/// The document without a byte order mark added by an editor or a server: JSON has none,
/// and parsers may ignore one (RFC 8259, section 8.1).
pub(super) fn without_mark(document: &Bytes) -> Bytes {
    let text = json::without_mark(document);
    document.slice_ref(text)
}

struct Answer {
    /// `None`: the cached document is still the current one.
    body: Option<(Bytes, Option<Validator>)>,
    max_age: Option<Duration>,
}

/// The key set's address, if `body` is a discovery document (OpenID Connect Discovery
/// 1.0, section 3) and not a key set.
pub(crate) fn discovered(address: &Url, body: &[u8]) -> Result<Option<Url>, FetchError> {
    #[derive(Deserialize)]
    struct Discovery<'a> {
        #[serde(borrow)]
        keys: Option<&'a serde_json::value::RawValue>,
        #[serde(borrow)]
        jwks_uri: Option<&'a serde_json::value::RawValue>,
    }
    if !json::is_object(body) {
        return Ok(None);
    }
    let Ok(Discovery {
        keys: None,
        jwks_uri: Some(jwks_uri),
    }) = serde_json::from_slice(body)
    else {
        return Ok(None);
    };
    let found = serde_json::from_str(jwks_uri.get())
        .map_err(|_| "jwks_uri is not a string".to_owned())
        .and_then(|jwks_uri: String| same_origin(address, &jwks_uri));
    found.map(Some).map_err(FetchError::ForeignKeySet)
}

/// The address that a document at `address` names, without its fragment, which is not
/// part of a request; otherwise what is wrong with it.
fn same_origin(address: &Url, jwks_uri: &str) -> Result<Url, String> {
    type ParseError = <Url as FromStr>::Err;
    if jwks_uri.len() > MAX_ADDRESS_BYTES {
        return Err(format!("jwks_uri is longer than {MAX_ADDRESS_BYTES} bytes"));
    }
    // The query and fragment may be secret.
    let shown = jwks_uri.split(['?', '#']).next().unwrap_or_default();
    let mut url = Url::parse(jwks_uri).map_err(|error| {
        let what = match error {
            ParseError::RelativeUrlWithoutBase => "not an absolute address",
            _ => "not an address",
        };
        format!("jwks_uri {} is {what}", Quoted(shown))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("jwks_uri has a user name or password in it".to_owned());
    }
    if !matches!(url.scheme(), "https" | "http") {
        return Err("jwks_uri is neither https nor http".to_owned());
    }
    let [theirs, ours] = [url.origin(), address.origin()];
    if theirs != ours {
        let [theirs, ours] = [theirs, ours].map(|origin| origin.ascii_serialization());
        return Err(format!(
            "jwks_uri is at {}, not at {}",
            Quoted(&theirs),
            Quoted(&ours)
        ));
    }
    url.set_fragment(None);
    Ok(url)
}

/// `max-age` of `Cache-Control` (RFC 9111, section 5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

fn etag(headers: &HeaderMap) -> Option<String> {
    headers
        .get(ETAG)
        .filter(|etag| etag.len() <= MAX_ETAG_BYTES)
        .and_then(|etag| etag.to_str().ok())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::clock::SystemClock;

    fn cache_control(value: &str) -> Option<u64> {
        let headers = [(CACHE_CONTROL, HeaderValue::from_str(value).unwrap())];
        max_age(&headers.into_iter().collect()).map(|age| age.as_secs())
    }

    #[test]
    fn max_age_is_read_from_cache_control() {
        for (value, expected) in [
            ("max-age=60", Some(60)),
            ("public, max-age=21600, must-revalidate", Some(21600)),
            ("MAX-AGE=\"5\"", Some(5)),
            ("no-store", None),
            ("max-age=-1", None),
            ("max-age=x", None),
            ("s-maxage=5", None),
        ] {
            assert_eq!(cache_control(value), expected, "{value}");
        }
    }

    #[test]
    fn discovery_is_followed_to_the_same_origin_only() {
        let address = Url::parse("https://id.example/x/.well-known/openid-configuration").unwrap();
        let follow = |jwks_uri: &str| {
            discovered(
                &address,
                format!(r#"{{"issuer":"i","jwks_uri":"{jwks_uri}"}}"#).as_bytes(),
            )
        };
        for own in ["https://id.example/x/keys", "https://id.example/x/keys#a"] {
            assert_eq!(
                follow(own).unwrap().unwrap().as_str(),
                "https://id.example/x/keys"
            );
        }
        for foreign in [
            "https://other.example/keys",
            "http://id.example/keys",
            "https://id.example:8443/keys",
            "https://user@id.example/keys",
            "https://:secret@id.example/keys",
            "file:///etc/passwd",
            "/keys",
            "",
        ] {
            let error = follow(foreign).expect_err(foreign);
            assert!(matches!(error, FetchError::ForeignKeySet(_)), "{foreign}");
        }
    }

    #[test]
    fn a_jwks_uri_has_at_most_8000_bytes() {
        let address = Url::parse("https://id.example/openid-configuration").unwrap();
        for (length, followed) in [(MAX_ADDRESS_BYTES, true), (MAX_ADDRESS_BYTES + 1, false)] {
            let mut jwks_uri = "https://id.example/".to_owned();
            jwks_uri += &"k".repeat(length - jwks_uri.len());
            let body = format!(r#"{{"jwks_uri":"{jwks_uri}"}}"#);
            let found = discovered(&address, body.as_bytes());
            assert_eq!(found.is_ok(), followed, "{length}");
        }
    }

    #[test]
    fn a_key_set_is_never_read_as_a_discovery_document() {
        let address = Url::parse("https://id.example/keys").unwrap();
        for body in [
            r#"{"keys":[]}"#,
            r#"{"keys":[],"jwks_uri":"https://other.example"}"#,
            r#"[null,"https://id.example/keys"]"#,
            "x",
            "[]",
        ] {
            assert_eq!(discovered(&address, body.as_bytes()), Ok(None), "{body}");
        }
    }

    /// Answers each request with the next of `answers`, and returns the requests.
    async fn served(answers: Vec<&'static str>) -> (Fetcher, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let settings = FetchSettings {
            address: Url::parse(&address).unwrap(),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
            max_bytes: 1024,
        };
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut head).await.unwrap();
                }
                asked.push(String::from_utf8(head).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (Fetcher::new(settings, LazyClient::default()), asked)
    }

    #[tokio::test]
    async fn a_fresh_fetch_is_unconditional_and_uncached() {
        const NOT_MODIFIED: &str = "HTTP/1.1 304 Not Modified\r\n\r\n";
        let (fetcher, asked) = served(vec![NOT_MODIFIED; 2]).await;
        let held = Document {
            validator: Some(Validator {
                address: fetcher.settings.address.to_string(),
                etag: "\"v1\"".to_owned(),
            }),
            ..Document::default()
        };
        let result = fetcher
            .fetch(&SystemClock::default(), &held, Mode::Conditional, &mut ())
            .await;
        assert!(result.unwrap().document.is_none());
        let result = fetcher
            .fetch(&SystemClock::default(), &held, Mode::Fresh, &mut ())
            .await;
        let error = result.expect_err("nothing was asked about").error;
        assert_eq!(error, FetchError::UnexpectedNotModified);
        let asked = asked.await.unwrap();
        for (asked, fresh) in asked.iter().zip([false, true]) {
            assert_eq!(asked.contains("if-none-match: \"v1\""), !fresh, "{asked}");
            assert_eq!(asked.contains("cache-control: no-cache"), fresh, "{asked}");
        }
    }

    #[tokio::test]
    async fn retry_after_is_read_only_with_429_and_503() {
        for (answer, seconds) in [
            ("HTTP/1.1 429 X\r\nretry-after: 7\r\n\r\n", Some(7)),
            ("HTTP/1.1 503 X\r\nretry-after: 999\r\n\r\n", Some(60)),
            ("HTTP/1.1 503 X\r\n\r\n", None),
            ("HTTP/1.1 500 X\r\nretry-after: 7\r\n\r\n", None),
        ] {
            let (fetcher, _asked) = served(vec![answer]).await;
            let held = Document::default();
            let result = fetcher
                .fetch(&SystemClock::default(), &held, Mode::Fresh, &mut ())
                .await;
            let failed = result.expect_err("no keys");
            assert!(matches!(failed.error, FetchError::Status(_)), "{answer}");
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(failed.retry_after, expected, "{answer}");
        }
    }
}
