//! Sets up a gateway.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;

use super::Gateway;
use super::fetch::{Fetcher, MAX_ANSWER_BYTES, credential};
use super::pairs::{ClientPair, Pairs};
use super::refresher::Shared;
use crate::clock::{Clock, SystemClock};
use crate::fault::{ConfigError, Faults};
use crate::net::address;
use crate::net::bounded_http::FetchSettings;
use crate::net::client::{Clients, CustomClient};
use crate::net::network::Network;
use crate::net::refresher::Refresher;
use crate::outbound::base::Base;
use crate::outbound::form::HeaderForm;

/// What is wrong with a client pair that can't be sent.
const BAD_PAIR: &str = "is not 1 to 1024 characters of visible ASCII each";

/// Sets up a [`Gateway`].
#[must_use = "nothing is set up until `build` is called"]
pub struct GatewayBuilder {
    token_url: String,
    apis: Vec<String>,
    current: Option<ClientPair>,
    next: Option<ClientPair>,
    form: HeaderForm,
    margin: Duration,
    connect_timeout: Duration,
    timeout: Duration,
    network: Network,
    client: Option<CustomClient>,
    clock: Arc<dyn Clock>,
    danger_allow_http: bool,
}

impl Gateway {
    /// Starts without address and credentials.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder {
            token_url: String::new(),
            apis: Vec::new(),
            current: None,
            next: None,
            form: HeaderForm::default(),
            margin: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            network: Network::new(),
            client: None,
            clock: Arc::new(SystemClock::default()),
            danger_allow_http: false,
        }
    }
}

impl GatewayBuilder {
    /// The token endpoint, from GO Console: `https`, or `http` to this machine
    /// itself. Required.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.token_url = url.into();
        self
    }

    /// A base address that the token is for; it is sent nowhere else. Required, and may
    /// be called again to add more.
    pub fn api(mut self, base: impl Into<String>) -> Self {
        self.apis.push(base.into());
        self
    }

    /// The client ID and client secret. Required.
    pub fn credentials(mut self, pair: ClientPair) -> Self {
        self.current = Some(pair);
        self
    }

    /// The pair that follows, as with [`Gateway::rotate_to`].
    pub fn next_credentials(mut self, pair: ClientPair) -> Self {
        self.next = Some(pair);
        self
    }

    /// How the token is written in the header; by default [`HeaderForm::Bearer`].
    pub fn header_form(mut self, form: HeaderForm) -> Self {
        self.form = form;
        self
    }

    /// How long before its end a token is no longer sent, if another can be fetched; at
    /// most half of its lifetime. 2 min by default: GO dates the `nbf` of its tokens 2
    /// min before their `iat`, so it expects clocks to differ by that much. At most 1 h.
    pub fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// How long connecting to the token endpoint may take. 2 s by default; from 10 ms to
    /// 60 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a whole fetch may take. 5 s by default; from 10 ms to 60 s.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How the token endpoint is reached: proxy, certificate authorities and client
    /// certificate.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Custom settings for the client that fetches tokens, as with
    /// [`GoAuthBuilder::http_client`](crate::GoAuthBuilder::http_client): the limits here
    /// and the [`network`](Self::network) count before them, and it follows no redirect.
    pub fn http_client(
        mut self,
        settings: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.client = Some(CustomClient::new(settings));
        self
    }

    /// The clock that [everything](crate::clock#what-goes-by-the-clock) goes by; by default
    /// the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// **Allows `http` to other machines.** Anyone on the way can then read the client
    /// secret and the tokens.
    pub fn danger_allow_http(mut self) -> Self {
        self.danger_allow_http = true;
        self
    }

    /// Checks everything. Does no I/O except reading the files of the
    /// [`network`](Self::network) and, for a custom [`http_client`](Self::http_client),
    /// the system's certificates.
    ///
    /// # Errors
    /// With every fault: missing required settings, unusable or repeated addresses,
    /// credentials that can't stand in a header, times out of range, files that can't be
    /// used.
    pub fn build(self) -> Result<Gateway, ConfigError> {
        let mut faults = Faults::default();
        let address = address::parse(&self.token_url, self.danger_allow_http)
            .map_err(|wrong| faults.add("token_url", wrong));
        let apis = self.bases(&mut faults);
        self.check_times(&mut faults);
        faults.unless(self.current.is_some(), "credentials", "is required");
        for (setting, pair) in [
            ("credentials", &self.current),
            ("next_credentials", &self.next),
        ] {
            let good = pair.as_ref().is_none_or(can_be_sent);
            faults.unless(good, setting, BAD_PAIR);
        }
        self.network.check(&mut faults);
        let network = self.network.open(&mut faults);
        let fetcher = address.map(|address| FetchSettings {
            address,
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
            max_bytes: MAX_ANSWER_BYTES,
        });
        let fetcher = fetcher.and_then(|settings| {
            Fetcher::new(settings, &Clients::new(network, self.client))
                .map_err(|wrong| faults.add("http_client", &format!("can't be built: {wrong}")))
        });
        let (Ok(fetcher), Some(current)) = (fetcher, self.current) else {
            return Err(faults.into_error());
        };
        faults.or(())?;
        let mut pairs = Pairs::new(current);
        if let Some(next) = self.next {
            pairs.rotate_to(next, self.clock.now());
        }
        let shared = Shared::new(apis, fetcher, self.form, self.margin, self.clock, pairs);
        Ok(Gateway {
            shared: Arc::new(Refresher::new(shared)),
        })
    }

    fn bases(&self, faults: &mut Faults) -> Vec<Base> {
        faults.unless(!self.apis.is_empty(), "api", "is required");
        let mut bases = Vec::new();
        for (at, api) in self.apis.iter().enumerate() {
            let setting = format!("api[{at}]");
            match Base::parse(api, self.danger_allow_http) {
                Ok(base) if bases.contains(&base) => faults.add(&setting, "is there twice"),
                Ok(base) => bases.push(base),
                Err(wrong) => faults.add(&setting, wrong),
            }
        }
        bases
    }

    fn check_times(&self, faults: &mut Faults) {
        let timeouts = Duration::from_millis(10)..=Duration::from_secs(60);
        for (setting, value) in [
            ("connect_timeout", self.connect_timeout),
            ("fetch_timeout", self.timeout),
        ] {
            faults.unless(
                timeouts.contains(&value),
                setting,
                "is not from 10ms to 60s",
            );
        }
        let hour = Duration::from_secs(3600);
        faults.unless(self.margin <= hour, "margin", "is more than 1h");
    }
}

pub(super) fn can_be_sent(pair: &ClientPair) -> bool {
    [&pair.client_id, &pair.client_secret]
        .into_iter()
        .all(|secret| credential(secret.expose()).is_some())
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("current", &self.current)
            .field("next", &self.next)
            .field("form", &self.form)
            .field("margin", &self.margin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_named_without_any_value() {
        let error = Gateway::builder()
            .token_url("https://user:hunter2@solo.example")
            .api("https://solo.example/push")
            .api("https://SOLO.example:443/push/")
            .api("http://solo.example/push")
            .credentials(ClientPair::new("596a9560", "hunter2\n"))
            .next_credentials(ClientPair::new("", "x"))
            .fetch_timeout(Duration::ZERO)
            .margin(Duration::MAX)
            .build()
            .expect_err("faulty");
        assert_eq!(
            error.faults().collect::<Vec<_>>(),
            [
                "token_url has a user name or password in it",
                "api[1] is there twice",
                "api[2] is plain http to another machine",
                "fetch_timeout is not from 10ms to 60s",
                "margin is more than 1h",
                "credentials is not 1 to 1024 characters of visible ASCII each",
                "next_credentials is not 1 to 1024 characters of visible ASCII each",
            ]
        );
        assert!(!error.to_string().contains("hunter2"));
        let error = Gateway::builder().build().expect_err("nothing is set");
        assert_eq!(
            error.faults().collect::<Vec<_>>(),
            [
                "token_url is required",
                "api is required",
                "credentials is required"
            ]
        );
    }
}
