//! GO as a caller: a push to a distributor's AvailabilityPeer API.

mod sample;

use std::time::Duration;

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::inspect::bounded_http::plain_client;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, IntoUrl, RequestBuilder};

use crate::simulator::Simulator;
use crate::state::partner_apis::PartnerApi;

pub use self::sample::SamplePush;

/// The credential that GO sends to the distributor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushCredential {
    /// A JWT, as [`Simulator::token`] makes it.
    #[default]
    Jwt,
    /// The current Access Token of AvailabilityPeer.
    AccessToken,
    /// Any text, such as a custom token.
    Token(String),
    /// No credential.
    None,
}

/// A push to a distributor; made by [`Simulator::push`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until `send` is awaited"]
pub struct Push<'a> {
    go: &'a Simulator,
    base: String,
    sample: SamplePush,
    path: Option<String>,
    credential: PushCredential,
    bare: bool,
}

impl Simulator {
    /// A sample push to the distributor's API at this base address, over plain `http`. By
    /// default it is `POST /ari/daily/push` with a JWT as `Bearer`.
    pub fn push(&self, base: impl Into<String>) -> Push<'_> {
        Push {
            go: self,
            base: base.into(),
            sample: SamplePush::default(),
            path: None,
            credential: PushCredential::default(),
            bare: false,
        }
    }
}

impl Push<'_> {
    /// Posts this sample to its own path.
    pub fn sample(mut self, sample: SamplePush) -> Self {
        self.sample = sample;
        self
    }

    /// Posts to this path instead of the sample's own.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sends this credential.
    pub fn credential(mut self, credential: PushCredential) -> Self {
        self.credential = credential;
        self
    }

    /// Sends the token without `Bearer`.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Sends the push and returns the status of the answer. Follows no redirect and waits
    /// 10 s of real time at most.
    ///
    /// # Errors
    ///
    /// Fails when no answer comes.
    ///
    /// # Panics
    ///
    /// Without a TLS provider, which reqwest wants for plain http, too: see the features of
    /// this crate.
    pub async fn send(self) -> reqwest::Result<u16> {
        let client = plain_client().unwrap_or_else(|why| panic!("{why}"));
        let client = client.timeout(Duration::from_secs(10)).build()?;
        let base = self.base.trim_end_matches('/');
        let path = self.path.as_deref().unwrap_or(self.sample.path());
        let url = format!("{base}{path}");
        let mut request = posted(&client, url, self.sample, self.go.now());
        if let Some(token) = self.token() {
            let scheme = if self.bare { "" } else { "Bearer " };
            request = request.header(AUTHORIZATION, format!("{scheme}{token}"));
        }
        let response = request.send().await?;
        Ok(response.status().as_u16())
    }

    fn token(&self) -> Option<String> {
        match &self.credential {
            PushCredential::Jwt => Some(self.go.token()),
            PushCredential::AccessToken => Some(self.go.access_token(PartnerApi::AvailabilityPeer)),
            PushCredential::Token(token) => Some(token.clone()),
            PushCredential::None => None,
        }
    }
}

/// A sample as GO posts it, still without a credential.
#[doc(hidden)]
pub fn posted(
    client: &Client,
    url: impl IntoUrl,
    sample: SamplePush,
    now: UnixTime,
) -> RequestBuilder {
    client
        .post(url)
        .header(ACCEPT_ENCODING, "gzip")
        .header(CONTENT_TYPE, "application/json;charset=utf-8")
        .body(sample.body(now).to_string())
}
