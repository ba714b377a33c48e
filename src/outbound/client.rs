//! reqwest as the service below the layers, with redirects off.

use std::task::{Context, Poll};

use http::{Request, Response};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, ClientBuilder, Url};
use tower_service::Service;

use super::CallFuture;
use crate::net::address::is_loopback;
use crate::net::bounded_http::lenient;

/// A [`reqwest::Client`] as a `Service<http::Request<B>>`, for any body that
/// reqwest takes: `Bytes`, `String`, `Vec<u8>`, [`reqwest::Body`].
///
/// It follows no redirect, whatever its builder was configured to: reqwest by default
/// follows ten, and though it drops `Authorization` on the way to another origin, within
/// one origin the token of one API would reach another. A redirect is returned as the
/// answer. It sends no `Referer`. Plain http to this machine uses no proxy, whatever its
/// builder or the environment (`HTTP_PROXY`) says: the token would travel in the clear.
/// Invalid header lines of answers are ignored, and folded ones joined.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use derbysoft_go_auth::outbound::{EndpointTokens, HttpClient};
/// use tower::ServiceBuilder;
///
/// let tokens = EndpointTokens::builder()
///     .booking_usb("https://go.example/bookingusb", "53ac0777")
///     .build()?;
/// let client = HttpClient::from_builder(|builder| builder.timeout(Duration::from_secs(30)))?;
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

impl HttpClient {
    /// With reqwest's defaults: no time limit, proxies of the environment.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new() -> reqwest::Result<Self> {
        Self::from_builder(|builder| builder)
    }

    /// With your own settings, except those about redirects and `Referer`, and about
    /// proxies for plain http to this machine: that has a separate client, so `settings`
    /// is called twice.
    ///
    /// # Errors
    /// If the client cannot be built.
    pub fn from_builder(
        settings: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> reqwest::Result<Self> {
        let builder = || {
            settings(lenient(Client::builder()))
                .redirect(Policy::none())
                .referer(false)
        };
        Ok(Self {
            client: builder().build()?,
            // It never needs a certificate.
            direct: builder().no_proxy().tls_certs_only([]).build()?,
        })
    }

    fn client_for(&self, address: &Url) -> &Client {
        let is_local = address.host_str().is_some_and(is_loopback);
        if address.scheme() == "http" && is_local {
            &self.direct
        } else {
            &self.client
        }
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
