//! HTTP clients: whatever a custom one's settings are, the crate finishes it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url};

use super::address::is_loopback;
use super::bounded_http::{Fault, FetchSettings, describe};
use super::network::{OpenNetwork, named};
use super::tls;
use crate::fault::ConfigError;

/// The settings of a custom client. Called for each client that is made.
#[derive(Clone)]
pub(crate) struct CustomClient(Arc<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>);

impl CustomClient {
    pub(crate) fn new(
        settings: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(settings))
    }
}

impl fmt::Debug for CustomClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomClient(…)")
    }
}

/// Makes HTTP clients. Whatever a custom client's settings are, each follows no redirect,
/// sends no `Referer`, uses no proxy for plain http to this machine, and goes by the
/// network's settings first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients {
    network: OpenNetwork,
    custom: Option<CustomClient>,
}

impl Clients {
    pub(crate) fn new(network: OpenNetwork, custom: Option<CustomClient>) -> Self {
        Self { network, custom }
    }

    /// By whom a server may be vouched for: what came by one answer to this says nothing
    /// by another. Empty for the system's authorities. Custom clients are all alike.
    pub(crate) fn trust(&self) -> String {
        let custom = self.custom.as_ref().map_or("", |_| "custom ");
        custom.to_owned() + &self.network.trust()
    }

    /// For any address; not for plain http to this machine, which has [its
    /// own](Self::direct).
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub(crate) fn general(&self) -> Result<ClientBuilder, String> {
        self.secured(self.proxied(self.begun(Client::builder())))
    }

    /// For plain http to this machine: a proxy would resolve it to itself.
    ///
    /// # Errors
    /// As [`general`](Self::general).
    pub(crate) fn direct(&self) -> Result<ClientBuilder, String> {
        plain(self.begun(Client::builder()).no_proxy())
    }

    /// For one address, and with a limit on connecting. That on the whole fetch is [by the
    /// clock](super::bounded_http::within).
    ///
    /// # Errors
    /// If TLS, or a custom client, can't be set up.
    pub(crate) fn bounded(
        &self,
        address: &Url,
        connect_timeout: Duration,
    ) -> Result<BoundedClient, String> {
        const AGENT: &str = concat!("derbysoft-go-auth/", env!("CARGO_PKG_VERSION"));
        let builder = (self.begun(Client::builder().user_agent(AGENT)))
            .connect_timeout(connect_timeout)
            // Whatever the features of a build say: over HTTP/2 the client repeats requests by
            // itself, and a server may send frames without end between two answers.
            .http1_only()
            // One request in minutes or an hour: a pooled connection would only go stale.
            .pool_max_idle_per_host(0);
        let builder = if address.scheme() == "https" {
            self.secured(self.proxied(builder))?.https_only(true)
        } else {
            // Without TLS only a proxy that is asked for: it could change the answer.
            plain(match &self.network.proxy {
                Some(_) if !is_local(address) => self.proxied(builder),
                _ => builder.no_proxy(),
            })?
        };
        Ok(BoundedClient {
            client: built(builder)?,
            proxy: self.proxy_for(address, named),
            has_roots: self.network.roots.is_some(),
        })
    }

    /// With everything but proxies, TLS and limits.
    fn begun(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = match &self.custom {
            Some(CustomClient(settings)) => settings(builder),
            None => builder,
        };
        builder
            .redirect(Policy::none())
            .referer(false)
            // As browsers and curl do: what a server or a proxy adds to an answer says
            // nothing about its document.
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
    }

    fn proxied(&self, builder: ClientBuilder) -> ClientBuilder {
        match &self.network.proxy {
            Some(proxy) => builder.no_proxy().proxy(proxy.setting.clone()),
            None => builder,
        }
    }

    fn secured(&self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        if self.custom.is_none() || self.network.has_tls() {
            Ok(builder.tls_backend_preconfigured(tls::config(&self.network)?))
        } else if tls::is_reqwests() {
            Ok(builder)
        } else {
            Err(tls::NOT_INSTALLED.to_owned())
        }
    }

    /// The proxy that an address is asked through, where `named` knows the environment's;
    /// `None` if there is none, or a custom client's.
    fn proxy_for(&self, address: &Url, named: fn(&Url) -> Option<String>) -> Option<String> {
        if is_local(address) {
            return None;
        }
        match (&self.network.proxy, &self.custom) {
            (Some(proxy), _) => Some(proxy.name.clone()),
            (None, None) if address.scheme() == "https" => named(address),
            _ => None,
        }
    }
}

/// The fault of a client that can't be built.
pub(crate) fn of_http_client(wrong: &str) -> ConfigError {
    ConfigError::of_setting("http_client", [format!("can't be built: {wrong}")])
}

/// Whether this is plain http to this machine.
pub(crate) fn is_local(address: &Url) -> bool {
    is_plain(address) && address.host_str().is_some_and(is_loopback)
}

/// It never needs a certificate.
fn plain(builder: ClientBuilder) -> Result<ClientBuilder, String> {
    Ok(builder.tls_backend_preconfigured(tls::unused()?))
}

pub(crate) fn built(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| describe(&error))
}

/// A client for one address.
#[derive(Debug)]
pub(crate) struct BoundedClient {
    pub(crate) client: Client,
    /// The host and port of the proxy before it, where known.
    proxy: Option<String>,
    /// Whether `ca_file` is set.
    has_roots: bool,
}

impl BoundedClient {
    /// Why a request has brought no answer.
    pub(crate) fn fault(&self, error: &reqwest::Error) -> Fault {
        if !error.is_connect() {
            return Fault::from(error);
        }
        let is_plain = error.url().is_some_and(is_plain);
        self.unconnected(error.is_timeout(), is_plain, describe(error))
    }

    /// Why there is no connection.
    fn unconnected(&self, is_timeout: bool, is_plain: bool, why: String) -> Fault {
        let why = self.explained(why);
        let tunnel = why.split_once("tunnel error: ").map(|(_, why)| why);
        match (self.proxy.as_deref(), tunnel) {
            (proxy, Some(why)) => of_tunnel(proxy.unwrap_or("of the custom client"), why),
            (None, None) if is_timeout => Fault::Timeout,
            (None, None) => Fault::Unreachable(why),
            (Some(proxy), None) if is_timeout => {
                Fault::Proxy(format!("{proxy} gave no connection in time"))
            }
            (Some(proxy), None) if is_plain => unreachable(proxy, &why),
            (Some(proxy), None) => Fault::Unreachable(format!("{why}, through the proxy {proxy}")),
        }
    }

    /// Which authorities a certificate was compared with.
    fn explained(&self, why: String) -> String {
        if !why.ends_with("UnknownIssuer") {
            why
        } else if self.has_roots {
            why + ": its authority is not in ca_file"
        } else {
            why + ": its authority is not among this machine's; a company's can be set as ca_file"
        }
    }

    /// If an answer is the proxy's, since it requires a user name or rejects the one that it
    /// got. For https it says so when it is asked for a tunnel.
    pub(crate) fn fault_of(&self, answer: &Response) -> Option<Fault> {
        let proxy = self.proxy.as_ref().filter(|_| is_plain(answer.url()))?;
        let is_from_proxy = answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        is_from_proxy.then(|| Fault::ProxyCredentials(proxy.clone()))
    }
}

/// Sends a request of the crate's own. In a test a simulated network may answer it.
pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    let (client, request) = request.build_split();
    let request = request?;
    #[cfg(test)]
    if let Some(network) = simulated::network() {
        return network(request).await;
    }
    client.execute(request).await
}

#[cfg(test)]
pub(crate) mod simulated {
    //! A network for all requests of one thread.

    use std::cell::RefCell;
    use std::pin::Pin;
    use std::sync::Arc;

    use reqwest::{Request, Response};

    pub(crate) type Answer = Pin<Box<dyn Future<Output = reqwest::Result<Response>> + Send>>;
    pub(crate) type Network = Arc<dyn Fn(Request) -> Answer + Send + Sync>;

    thread_local! {
        static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
    }

    pub(super) fn network() -> Option<Network> {
        NETWORK.with_borrow(Clone::clone)
    }

    /// From now on this network answers; `None`: the real one.
    pub(crate) fn set_network(network: Option<Network>) {
        NETWORK.set(network);
    }
}

/// By the words of hyper-util's error, whose type has no name.
fn of_tunnel(proxy: &str, why: &str) -> Fault {
    match why {
        "proxy authorization required" => Fault::ProxyCredentials(proxy.to_owned()),
        "unsuccessful" => {
            let refuses = "refused to connect to the address, or failed to";
            Fault::Proxy(format!("{proxy} {refuses}"))
        }
        _ => {
            let connecting = "failed to create underlying connection: ";
            unreachable(proxy, why.strip_prefix(connecting).unwrap_or(why))
        }
    }
}

fn unreachable(proxy: &str, why: &str) -> Fault {
    Fault::Proxy(format!("{proxy} could not be reached: {why}"))
}

pub(crate) fn is_plain(address: &Url) -> bool {
    address.scheme() == "http"
}

/// A client that is made at the first fetch, unless it is a custom one: loading the
/// system's root certificates reads files, which building a handle does not.
#[derive(Debug, Default)]
pub(crate) struct LazyClient {
    clients: Clients,
    made: OnceLock<BoundedClient>,
}

impl LazyClient {
    pub(crate) fn new(clients: Clients) -> Self {
        let made = OnceLock::new();
        Self { clients, made }
    }

    /// Makes a custom client at once.
    ///
    /// # Errors
    /// If it can't be set up.
    pub(crate) fn checked(clients: &Clients, settings: &FetchSettings) -> Result<Self, String> {
        let lazy = Self::new(clients.clone());
        if clients.custom.is_some() {
            let _ = lazy.made.set(settings.client(clients)?);
        }
        Ok(lazy)
    }

    /// See [`Clients::trust`].
    pub(crate) fn trust(&self) -> String {
        self.clients.trust()
    }

    pub(crate) fn get(&self, settings: &FetchSettings) -> Result<&BoundedClient, Fault> {
        if let Some(client) = self.made.get() {
            return Ok(client);
        }
        let client = settings.client(&self.clients).map_err(Fault::Unreachable)?;
        Ok(self.made.get_or_init(|| client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;
    use crate::net::network::Network;

    #[test]
    fn the_proxy_before_an_address_is_known_by_name() {
        let set = || {
            let network = Network::new().proxy("http://proxy.example:3128");
            network.open(&mut Faults::default())
        };
        let custom = || Some(CustomClient::new(|client| client));
        let ours = Some("proxy.example:3128");
        let environments = Some("other.example:80");
        let (https, http) = ("https://id.example/keys", "http://id.example/keys");
        for (network, custom, address, expected) in [
            (set(), None, https, ours),
            (set(), None, http, ours),
            (set(), custom(), https, ours),
            (set(), None, "http://127.0.0.1/keys", None),
            (OpenNetwork::default(), None, https, environments),
            // Without TLS only a proxy that is set is used.
            (OpenNetwork::default(), None, http, None),
            (OpenNetwork::default(), custom(), https, None),
        ] {
            let address = address.parse().expect("an address");
            let named = |_: &Url| Some("other.example:80".to_owned());
            let proxy = Clients::new(network, custom).proxy_for(&address, named);
            assert_eq!(proxy.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn a_missing_connection_is_explained() {
        let unconnected = |proxy: Option<&str>, has_roots, is_timeout, is_plain, why: &str| {
            let client = BoundedClient {
                client: built(Clients::default().direct().expect("a client")).expect("a client"),
                proxy: proxy.map(str::to_owned),
                has_roots,
            };
            client.unconnected(is_timeout, is_plain, why.to_owned())
        };
        let none = |is_timeout| unconnected(None, false, is_timeout, false, "refused");
        assert!(matches!(none(true), Fault::Timeout));
        assert!(matches!(none(false), Fault::Unreachable(why) if why == "refused"));
        let custom = unconnected(None, false, false, false, "tunnel error: unsuccessful");
        assert!(matches!(custom, Fault::Proxy(why) if why.starts_with("of the custom client ")));

        let behind = |is_timeout, is_plain, why| {
            unconnected(Some("proxy:1"), false, is_timeout, is_plain, why)
        };
        let required = behind(false, false, "tunnel error: proxy authorization required");
        assert!(matches!(required, Fault::ProxyCredentials(proxy) if proxy == "proxy:1"));
        for (is_timeout, is_plain, why, expected) in [
            (true, false, "late", "proxy:1 gave no connection in time"),
            (
                false,
                true,
                "refused",
                "proxy:1 could not be reached: refused",
            ),
            (
                false,
                false,
                "tunnel error: unsuccessful",
                "proxy:1 refused to connect to the address, or failed to",
            ),
            (
                false,
                false,
                "tunnel error: failed to create underlying connection: refused",
                "proxy:1 could not be reached: refused",
            ),
        ] {
            let fault = behind(is_timeout, is_plain, why);
            assert!(
                matches!(fault, Fault::Proxy(why) if why == expected),
                "{why}"
            );
        }
        let server = behind(false, false, "refused");
        assert!(
            matches!(server, Fault::Unreachable(why) if why == "refused, through the proxy proxy:1")
        );
    }

    #[test]
    fn an_unknown_authority_is_explained() {
        for (has_roots, expected) in [
            (true, "UnknownIssuer: its authority is not in ca_file"),
            (
                false,
                "UnknownIssuer: its authority is not among this machine's; a company's can be \
                 set as ca_file",
            ),
        ] {
            let client = BoundedClient {
                client: built(Clients::default().direct().expect("a client")).expect("a client"),
                proxy: None,
                has_roots,
            };
            assert_eq!(client.explained("UnknownIssuer".to_owned()), expected);
            assert_eq!(client.explained("Expired".to_owned()), "Expired");
        }
    }
}
