//! Requests to one address, within limits: what fetching keys and fetching a token have
//! in common.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, ClientBuilder, Response, Url};

use super::client::{BoundedClient, Clients};
use super::retry::LONGEST;
use super::task::caught;
use crate::clock::Clock;

/// Where to fetch from and within which limits, all checked by the configuration.
#[derive(Clone)]
pub(crate) struct FetchSettings {
    pub(crate) address: Url,
    pub(crate) connect_timeout: Duration,
    /// By the clock, from the first packet to the last byte, including a discovery
    /// document.
    pub(crate) timeout: Duration,
    /// Of one document, after decompression.
    pub(crate) max_bytes: usize,
}

/// The query of an address may hold a secret.
impl fmt::Debug for FetchSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchSettings")
            .field("address", &without_query(&self.address).as_str())
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}

/// As it may be shown.
pub(crate) fn without_query(address: &Url) -> Url {
    let mut address = address.clone();
    address.set_query(None);
    address
}

impl FetchSettings {
    /// # Errors
    /// As [`Clients::bounded`].
    pub(super) fn client(&self, clients: &Clients) -> Result<BoundedClient, String> {
        clients.bounded(&self.address, self.connect_timeout)
    }
}

/// One fetch within its time, by this clock: the client has no total time limit of its
/// own. Foreign code may panic in it: the client logs to the application's subscriber,
/// too. Such a fetch has failed, and no more than that.
pub(crate) async fn within<T, E: From<Fault>>(
    clock: &dyn Clock,
    limit: Duration,
    fetch: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    const PANICKED: &str = "the HTTP client panicked, or the log that it writes to";
    let in_time = async {
        let time_up = clock.sleep_until(clock.monotonic().saturating_add(limit));
        tokio::select! {
            biased;
            result = fetch => result,
            () = time_up => Err(Fault::Timeout.into()),
        }
    };
    let panicked = || Err(Fault::Unreachable(PANICKED.to_owned()).into());
    caught(in_time).await.unwrap_or_else(panicked)
}

/// A client for `address` that connects within its limit and follows no redirect.
///
/// # Errors
/// If TLS can't be set up.
pub fn client(address: &Url, connect_timeout: Duration) -> Result<Client, String> {
    let bounded = Clients::default().bounded(address, connect_timeout)?;
    Ok(bounded.client)
}

/// A client for plain http alone, which follows no redirect and uses no proxy.
///
/// # Errors
/// Without a TLS provider, which reqwest wants all the same.
pub fn plain_client() -> Result<ClientBuilder, String> {
    Clients::default().direct()
}

/// How long a 429 or 503 asks to wait (RFC 9110, section 10.2.3), at most [`LONGEST`].
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let asks = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    asks.then(|| wait(response.headers()))?
}

/// A date counts from the answer's own `Date`: the clocks of the two machines may differ.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = text(RETRY_AFTER)?.trim();
    let wait = if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits mean a long time.
        asked.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let now = http_date(text(DATE)?)?;
        http_date(asked)?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that may be sent today (RFC 9110,
/// section 5.6.7).
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_ascii_whitespace();
    let mut word = || words.next();
    let (_, day, month, year, time) = (word()?, word()?, word()?, word()?, word()?);
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

/// Why there is no complete answer.
#[derive(Debug)]
pub enum Fault {
    /// Not complete in time.
    Timeout,
    /// No client could be made, or the request not sent or answered, or the client
    /// panicked.
    Unreachable(String),
    /// The proxy, whose host this begins with, can't be reached or makes no connection.
    Proxy(String),
    /// This proxy requires a user name and password, or rejects those it got (407).
    ProxyCredentials(String),
    /// The body ended early or could not be decompressed.
    Broken(String),
    /// The body is longer than this.
    TooLarge(usize),
}

impl Fault {
    fn of(error: &reqwest::Error, otherwise: fn(String) -> Self) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else {
            otherwise(describe(error))
        }
    }
}

impl From<&reqwest::Error> for Fault {
    fn from(error: &reqwest::Error) -> Self {
        Self::of(error, Self::Unreachable)
    }
}

/// Reads at most `max_bytes`, decompressed, into `body`.
///
/// # Errors
/// If it ends early, is not complete in time, or is longer.
pub async fn read_body(
    mut response: Response,
    max_bytes: usize,
    body: &mut Vec<u8>,
) -> Result<(), Fault> {
    let broken = |error: reqwest::Error| Fault::of(&error, Fault::Broken);
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(Fault::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// The innermost causes of a client's error, on one line; text that a peer could have
/// supplied is escaped.
pub fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.extend(error.to_string().escape_debug().take(200));
        cause = error.source();
    }
    if text.is_empty() {
        "no cause given".clone_into(&mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_up_to_a_minute() {
        const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (asked, date, seconds) in [
            ("0", None, Some(0)),
            (" 7 ", None, Some(7)),
            ("60", None, Some(60)),
            ("61", None, Some(60)),
            ("99999999999999999999999999", None, Some(60)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(NOW), Some(30)),
            ("Mon, 07 Nov 1994 08:50:07 GMT", Some(NOW), Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(NOW), Some(0)),
            (
                "Thu, 01 Dec 1994 00:00:07 GMT",
                Some("Wed, 30 Nov 1994 23:59:37 GMT"),
                Some(30),
            ),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some("today"), None),
            ("", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1.5", None, None),
            ("soon", Some(NOW), None),
            ("Sun, 06 Foo 1994 08:50:07 GMT", Some(NOW), None),
            ("Sun, 99 Nov 1994 08:50:07 GMT", Some(NOW), None),
        ] {
            let date = date.map(|date| (DATE, date.parse().unwrap()));
            let headers = [(RETRY_AFTER, asked.parse().unwrap())];
            let headers = headers.into_iter().chain(date).collect();
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(
                wait(&headers),
                expected,
                "{asked} at {date:?}",
                date = headers.get(DATE)
            );
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        for (limit, is_read) in [(3, false), (4, true), (5, true)] {
            let response = Response::from(http::Response::new("text"));
            let read = read_body(response, limit, &mut Vec::new()).await;
            assert_eq!(read.is_ok(), is_read, "{limit}");
        }
    }
}
