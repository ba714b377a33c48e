//! reqwest as the service below the layers, with redirects off.

use std::task::{Context, Poll};

use http::{Request, Response};
use reqwest::{Body, Client, ClientBuilder, Url};
use tower_service::Service;

use super::CallFuture;
use crate::fault::{ConfigError, Faults};
use crate::net::client::{Clients, CustomClient, built, is_local, of_http_client};
use crate::net::network::Network;

/// A [`reqwest::Client`] as a `Service<http::Request<B>>`, for any body that
/// reqwest takes: `Bytes`, `String`, `Vec<u8>`, [`reqwest::Body`].
///
/// It follows no redirect, whatever its settings are: reqwest by default follows ten, and
/// though it drops `Authorization` on the way to another origin, within one origin the
/// token of one API would reach another. A redirect is returned as the answer. It sends no
/// `Referer`. Plain http to this machine uses no proxy, whatever the settings or the
/// environment (`HTTP_PROXY`) say: the token would travel in the clear. Invalid header
/// lines of answers are ignored, and folded ones joined.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use derbysoft_go_auth::Network;
/// use derbysoft_go_auth::outbound::{EndpointTokens, HttpClient};
/// use tower::ServiceBuilder;
///
/// let tokens = EndpointTokens::builder()
///     .booking_usb("https://go.example/bookingusb", "53ac0777")
///     .build()?;
/// let client = HttpClient::builder()
///     .network(Network::from_env()?)
///     .http_client(|builder| builder.timeout(Duration::from_secs(30)))
///     .build()?;
/// let client = ServiceBuilder::new().layer(tokens.layer()).service(client);
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
    /// For plain http to this machine: without a proxy.
    direct: Client,
}

/// Sets up an [`HttpClient`].
#[derive(Debug, Default)]
#[must_use = "nothing is set up until `build` is called"]
pub struct HttpClientBuilder {
    network: Network,
    client: Option<CustomClient>,
}

impl HttpClient {
    /// With reqwest's defaults: no time limit, proxies of the environment; over TLS it
    /// speaks HTTP/1.1.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new() -> Result<Self, ConfigError> {
        Self::builder().build()
    }

    /// Starts with the same.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder::default()
    }

    fn client_for(&self, address: &Url) -> &Client {
        if is_local(address) {
            &self.direct
        } else {
            &self.client
        }
    }
}

impl HttpClientBuilder {
    /// How GO is reached: proxy, certificate authorities and client certificate.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Custom settings, such as time limits, as with
    /// [`GoAuthBuilder::http_client`](crate::GoAuthBuilder::http_client). The
    /// [`network`](Self::network) counts before them. They are called twice: plain http
    /// to this machine has a client of its own.
    pub fn http_client(
        mut self,
        settings: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.client = Some(CustomClient::new(settings));
        self
    }

    /// Reads the files of the [`network`](Self::network), or the system's certificates.
    ///
    /// # Errors
    /// With every fault of the network; or if the client can't be built, for want of
    /// certificates or of a TLS provider.
    pub fn build(self) -> Result<HttpClient, ConfigError> {
        let mut faults = Faults::default();
        self.network.check(&mut faults);
        let network = self.network.open(&mut faults);
        faults.or(())?;
        let clients = Clients::new(network, self.client);
        let made = |builder: Result<ClientBuilder, String>| {
            (builder.and_then(built)).map_err(|wrong| of_http_client(&wrong))
        };
        Ok(HttpClient {
            client: made(clients.general())?,
            direct: made(clients.direct())?,
        })
    }
}

impl<B: Into<Body>> Service<Request<B>> for HttpClient {
    type Response = Response<Body>;
    type Error = reqwest::Error;
    type Future = CallFuture<Response<Body>, reqwest::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<reqwest::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = reqwest::Request::try_from(request)
            .map(|request| self.client_for(request.url()).execute(request));
        Box::pin(async move { Ok(answer?.await?.into()) })
    }
}
