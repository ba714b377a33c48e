//! The distributor under test.

use http::HeaderValue;
use http::header::AUTHORIZATION;
use reqwest::{Client, Url};

use super::go::{TOTAL, below, client, words};
use derbysoft_go_auth::clock::{Clock as _, SystemClock};
use derbysoft_go_auth::inspect::address;
use derbysoft_go_simulator::{SamplePush, posted};

/// How much of an answer is read: more than is shown of it.
const MAX_READ: usize = 1024;

pub(super) struct Distributor {
    client: Client,
    /// Where the sample goes.
    url: Url,
    sample: SamplePush,
}

/// What it answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The beginning of the body.
    pub(super) body: String,
}

/// An address of the command line, or its fault. Plain http may go anywhere: a container
/// beside this one has no certificate, and what is sent is of use in tests alone.
pub(super) fn base(text: &str) -> Result<Url, &'static str> {
    let url = address::parse(text, true)?;
    if url.query().is_some() {
        return Err("has a query");
    }
    Ok(url)
}

impl Distributor {
    pub(super) fn new(base: &Url, sample: SamplePush) -> Result<Self, String> {
        let url = below(base, sample.path());
        Ok(Self {
            client: client(&url)?,
            url,
            sample,
        })
    }

    /// Pushes once. The error says why there was no answer.
    pub(super) async fn push(&self, authorization: Option<&str>) -> Result<Answer, String> {
        let now = SystemClock::default().now();
        let mut request = posted(&self.client, self.url.clone(), self.sample, now).timeout(TOTAL);
        if let Some(text) = authorization {
            let value = HeaderValue::from_str(text);
            let mut value = value.map_err(|_| "the token can't be sent in a header".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(|error| words(&error))?;
        let mut body = Vec::new();
        while body.len() < MAX_READ {
            // The status decides, whatever becomes of the rest.
            let Ok(Some(chunk)) = response.chunk().await else {
                break;
            };
            body.extend_from_slice(&chunk[..chunk.len().min(MAX_READ)]);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            body: String::from_utf8_lossy(&body).trim().to_owned(),
        })
    }
}
