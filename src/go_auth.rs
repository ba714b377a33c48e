//! [`GoAuth`], the handle that applications use, and its builder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri};
use tokio::sync::Semaphore;

use crate::access_token::{AccessTokenSource, AccessTokens, AccessTokensError, Api, Terms};
use crate::authenticate::Verified;
use crate::authenticate::authenticator::distrusted::Distrusted;
use crate::authenticate::authenticator::{Authenticator, Issuer, Issuers};
use crate::authenticate::token_cache::TokenCache;
use crate::clock::{Clock, SystemClock};
use crate::config::{
    Checked, CheckedIssuer, Config, IssuerConfig, Keys, OnFailure, both, of_access_tokens,
};
use crate::error::VerifyError;
use crate::fault::ConfigError;
use crate::file::guarded_file::Writable;
use crate::health::Health;
use crate::inbound::{
    CredentialSource, GoAuthLayer, Ignore, Reject, Rejection, RejectionKind, RequestHead, Respond,
    authenticate, respond_to,
};
use crate::jwt::jwks::KeySet;
use crate::keys::{IssuerHealth, KeySource, KeysError, Pending};
use crate::net::client::{Clients, CustomClient, is_local, is_plain, of_http_client};
use crate::net::network::{Network, OpenNetwork};
use crate::observe::{self, Requests};
use crate::sync::Mutex;

/// Decides which requests come from DerbySoft GO.
///
/// A cheap handle: clones share keys, cache and the background task, which ends when the
/// last clone and the last layer made from one are dropped. Building it does no I/O and
/// needs no runtime; the first use needs tokio.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use derbysoft_go_auth::GoAuth;
///
/// let auth = GoAuth::builder()
///     .issuer("https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration")
///     .audience("ZKT")
///     .jwks_url("https://id.example/id/84A26B2FA77BCD1FF5130636F04C30C5/keys")
///     .build()?;
/// let layer = auth.layer();
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GoAuth {
    authenticator: Arc<Authenticator>,
    source: CredentialSource,
    respond: Arc<dyn Respond>,
}

impl GoAuth {
    /// Starts a configuration in code.
    pub fn builder() -> GoAuthBuilder {
        Config::default().into_builder()
    }

    /// A layer that passes only GO's requests to the service it wraps.
    pub fn layer(&self) -> GoAuthLayer {
        GoAuthLayer::new(
            Arc::clone(&self.authenticator),
            self.source.clone(),
            Arc::clone(&self.respond),
        )
    }

    /// Verifies one credential, for use without the layer, within tokio: a JWT or, if
    /// configured, an Access Token of [`Api::AVAILABILITY_PEER`], without `Bearer` before
    /// it. Waits for keys only if no cached key verifies it, and never longer than
    /// [`key_wait`](Config::key_wait).
    ///
    /// # Errors
    /// With why the token is rejected, or
    /// [`KeysUnavailable`](crate::authenticate::VerifyErrorKind::KeysUnavailable) if no
    /// keys are available.
    pub async fn verify(&self, token: &str) -> Result<Verified, VerifyError> {
        self.verify_for(token, &Api::AVAILABILITY_PEER).await
    }

    /// Like [`verify`](GoAuth::verify), for an Access Token of another API.
    ///
    /// # Errors
    /// As [`verify`](GoAuth::verify).
    pub async fn verify_for(&self, token: &str, api: &Api) -> Result<Verified, VerifyError> {
        self.authenticator
            .verify(token.as_bytes(), api)
            .await
            .outcome
    }

    /// Does for a server without tower what the layer does with the headers of a request,
    /// logging and counting included. Within tokio. Answer a rejected request as the
    /// [`Rejection`] says, or with [`response_to`](Self::response_to).
    ///
    /// Unlike the layer it can't mark the credential sensitive in the headers.
    ///
    /// ```
    /// # async fn serve(auth: derbysoft_go_auth::GoAuth, parts: http::request::Parts) -> http::Response<bytes::Bytes> {
    /// match auth.authenticate(&parts.headers).await {
    ///     Ok(caller) => http::Response::new(format!("{:?}", caller.subject()).into()),
    ///     Err(rejection) => auth.response_to((&parts).into(), rejection),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// With why the request is rejected, and the status and challenge to answer with.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Verified, Rejection> {
        let (method, uri) = (Method::default(), Uri::default());
        let head = RequestHead::new(&method, &uri, headers);
        authenticate(&self.authenticator, &self.source, head).await
    }

    /// The layer's answer to a rejected request: see
    /// [`authenticate`](Self::authenticate).
    pub fn response_to(&self, request: RequestHead<'_>, rejection: Rejection) -> Response<Bytes> {
        respond_to(&*self.respond, request, rejection)
    }

    /// Makes sure that keys of every trusted issuer are available: returns at once if
    /// they are, otherwise fetches once, unless the key address has asked to be left alone
    /// (`Retry-After`). Call it at the start, so that no request has to wait for the first
    /// keys.
    ///
    /// # Errors
    /// If a fetch fails. The background task keeps trying all the same, so a server should
    /// [not exit](crate::guide::operations#the-start).
    pub async fn ready(&self) -> Result<(), KeysError> {
        self.each_issuer(KeySource::ready).await
    }

    /// Fetches the keys of every trusted issuer now, regardless of their age and the
    /// cooldown. Once this returns `Ok`, keys that GO has withdrawn are no longer
    /// trusted, nor are tokens verified with them.
    ///
    /// # Errors
    /// If a fetch fails; the last good keys of that issuer stay in use.
    pub async fn refresh(&self) -> Result<(), KeysError> {
        self.each_issuer(KeySource::refresh).await
    }

    /// Reads the access token file now instead of at the next check, which is every 10 s:
    /// once this returns `Ok`, only its tokens are accepted. Does nothing if there is no
    /// file. Call it within tokio.
    ///
    /// # Errors
    /// If the file can't be used; the tokens then stay as they are.
    pub async fn reload_access_tokens(&self) -> Result<(), AccessTokensError> {
        match &self.authenticator.access_tokens {
            Some(access_tokens) => access_tokens.reload().await,
            None => Ok(()),
        }
    }

    /// From now on the keys with these ids verify nothing, even while GO still publishes
    /// them, and tokens already verified with them are no longer accepted: for the
    /// emergency in which GO's private key has leaked. Replaces
    /// [`Config::distrusted_keys`] and any earlier call; an empty list trusts all keys
    /// again. Each [successor](GoAuthBuilder::successor_of), also one that is built already,
    /// inherits the list, in addition to that of its own settings.
    pub fn distrust_keys<K: Into<String>>(&self, kids: impl IntoIterator<Item = K>) {
        let kids: Arc<[Box<str>]> = (kids.into_iter())
            .map(|kid| kid.into().into_boxed_str())
            .collect();
        self.authenticator.distrust(kids);
    }

    /// Like [`distrust_keys`](Self::distrust_keys), but temporary: a successor does not
    /// inherit it.
    pub(crate) fn distrust_meanwhile(&self, kids: &Arc<[Box<str>]>) {
        self.authenticator.issuers.distrust(kids);
    }

    /// Takes over the keys that `predecessor` has fetched, if they are newer.
    pub(crate) fn take_over(&self, predecessor: &Self) {
        let theirs = &predecessor.authenticator.issuers;
        self.authenticator.issuers.take_over(theirs);
    }

    /// Starts all of them first, then waits for each.
    async fn each_issuer<'a>(
        &'a self,
        start: impl Fn(&'a KeySource) -> Option<Pending<'a>>,
    ) -> Result<(), KeysError> {
        let pending: Vec<_> = (self.authenticator.issuers.trusted.iter())
            .filter_map(|issuer| Some((issuer, start(&issuer.keys)?)))
            .collect();
        let mut result = Ok(());
        for (issuer, pending) in pending {
            result = result.and(pending.result().await.map_err(|source| KeysError {
                issuer: issuer.verifier.issuer().to_owned(),
                source,
            }));
        }
        result
    }

    /// The state of the keys and access tokens, for readiness checks and dashboards.
    pub fn health(&self) -> Health {
        Health {
            issuers: (self.authenticator.issuers.trusted.iter())
                .map(|issuer| {
                    let (keys, state) = issuer.keys.state();
                    IssuerHealth {
                        issuer: issuer.verifier.issuer().to_owned(),
                        keys,
                        state,
                    }
                })
                .collect(),
            access_tokens: (self.authenticator.access_tokens.as_ref())
                .map(AccessTokenSource::health),
        }
    }
}

#[cfg(feature = "metrics")]
impl GoAuth {
    /// Updates the metrics that change with time: age and state of the keys, time left of
    /// the access tokens, size of the cache, waiting requests. Call it when the server is
    /// asked for its metrics. Fetches no keys.
    ///
    /// Otherwise the background tasks update them, at least once a minute; how many
    /// requests wait for keys is shown by this call alone.
    ///
    /// ```
    /// # fn rendered(auth: &derbysoft_go_auth::GoAuth, handle: &metrics_exporter_prometheus::PrometheusHandle) -> String {
    /// auth.record_metrics();
    /// handle.render()
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn record_metrics(&self) {
        for issuer in &self.authenticator.issuers.trusted {
            issuer.keys.measure(issuer.verifier.issuer());
        }
        if let Some(access_tokens) = &self.authenticator.access_tokens {
            access_tokens.measure();
        }
        let authenticator = &self.authenticator;
        let meter = authenticator.requests.meter();
        let places = authenticator.waiting.available_permits();
        let waiting = authenticator.max_waiting.saturating_sub(places);
        meter.waiting(waiting, authenticator.max_waiting);
        if let Some(cache) = &authenticator.cache {
            meter.cache_bytes(|| cache.bytes());
        }
    }
}

impl Config {
    /// Checks the configuration and makes a [`GoAuth`] of it. Does no I/O except reading
    /// the [access token file](Config::access_tokens), the [certificate
    /// authorities](Config::ca_file) and the [client certificate](Config::client_cert).
    ///
    /// # Errors
    /// With every fault in the configuration.
    pub fn build(self) -> Result<GoAuth, ConfigError> {
        self.into_builder().build()
    }

    /// Continues in code, to set what is not data: a clock, a client, keys.
    pub fn into_builder(self) -> GoAuthBuilder {
        GoAuthBuilder {
            config: self,
            keys: None,
            access_tokens: None,
            client: None,
            clock: None,
            respond: None,
            predecessor: None,
        }
    }
}

/// Builds a [`GoAuth`]. It has methods for what a first program needs and for what is not
/// data; [`configure`](GoAuthBuilder::configure) sets everything else. See [`Config`] for
/// the meaning, default and range of each setting.
#[derive(Debug)]
#[must_use]
pub struct GoAuthBuilder {
    config: Config,
    keys: Option<KeySet>,
    access_tokens: Option<AccessTokens>,
    client: Option<CustomClient>,
    clock: Option<Arc<dyn Clock>>,
    respond: Option<Arc<dyn Respond>>,
    predecessor: Option<GoAuth>,
}

impl GoAuthBuilder {
    /// Sets [`Config::issuer`].
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.config.issuer = issuer.into();
        self
    }

    /// Adds to [`Config::audience`].
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audience.push(audience.into());
        self
    }

    /// Sets [`Config::jwks_url`].
    pub fn jwks_url(mut self, address: impl Into<String>) -> Self {
        self.config.jwks_url = address.into();
        self
    }

    /// Sets [`Config::jwks_file`].
    pub fn jwks_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.jwks_file = Some(file.into());
        self
    }

    /// Verifies with these keys and fetches none.
    ///
    /// ```
    /// # fn keys(document: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// # use derbysoft_go_auth::GoAuth;
    /// # use derbysoft_go_auth::keys::KeySet;
    /// let auth = GoAuth::builder()
    ///     .issuer("https://id/X/.well-known/openid-configuration")
    ///     .audience("ZKT")
    ///     .keys(KeySet::from_document(document)?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn keys(mut self, keys: KeySet) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Accepts these access tokens as well, or only these if nothing is set for JWTs.
    pub fn access_tokens(mut self, tokens: AccessTokens) -> Self {
        self.access_tokens = Some(tokens);
        self
    }

    /// Sets [`Config::access_tokens`].
    pub fn access_tokens_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.access_tokens = Some(file.into());
        self
    }

    /// Sets [`Config::snapshot`].
    pub fn snapshot(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.snapshot = Some(file.into());
        self
    }

    /// Adds to [`Config::issuers`].
    pub fn another_issuer(mut self, issuer: IssuerConfig) -> Self {
        self.config.issuers.push(issuer);
        self
    }

    /// Sets [`Config::leeway`].
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.config.leeway = leeway;
        self
    }

    /// Adds to [`Config::subjects`].
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.config.subjects.push(subject.into());
        self
    }

    /// Sets [`Config::on_failure`].
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.config.on_failure = on_failure;
        self
    }

    /// Changes any setting:
    ///
    /// ```
    /// # fn main() {
    /// # use std::time::Duration;
    /// # use derbysoft_go_auth::GoAuth;
    /// let builder = GoAuth::builder().configure(|config| {
    ///     config.max_lifetime = Some(Duration::from_secs(600));
    ///     config.realm = "distribution".to_owned();
    /// });
    /// # let _ = builder;
    /// # }
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Answers rejected requests with `respond`, whatever
    /// [`on_failure`](Config::on_failure) says.
    pub fn respond_with(mut self, respond: impl Respond) -> Self {
        self.respond = Some(Arc::new(respond));
        self
    }

    /// Sets [`Config::proxy`], [`Config::ca_file`], [`Config::client_cert`] and
    /// [`Config::client_key`].
    pub fn network(mut self, network: Network) -> Self {
        self.config.set_network(network);
        self
    }

    /// Fetches keys with a custom client: for what the settings do not have, such as a
    /// resolver.
    ///
    /// `settings` is called for each issuer, and what it returns is finished here. So the
    /// limits on time and size still apply, no redirect is followed, and plain http to
    /// this machine goes through no proxy. The settings of the
    /// [network](Config::network) count before it: with a [`Config::proxy`] its proxies
    /// have no effect, and with a [`Config::ca_file`] or a [`Config::client_cert`]
    /// nothing that it says about TLS. Without them TLS is reqwest's, which resumes sessions
    /// and then checks no certificate. It is the same for [fetching
    /// tokens](crate::outbound::GatewayBuilder::http_client) and for [calls to
    /// GO](crate::outbound::HttpClientBuilder::http_client).
    ///
    /// ```
    /// # fn main() {
    /// # use derbysoft_go_auth::GoAuth;
    /// let address = ([10, 0, 0, 7], 443).into();
    /// let builder = GoAuth::builder()
    ///     .http_client(move |client| client.resolve("id.example", address));
    /// # let _ = builder;
    /// # }
    /// ```
    pub fn http_client(
        mut self,
        settings: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.client = Some(CustomClient::new(settings));
        self
    }

    /// The clock that [everything](crate::clock#what-goes-by-the-clock) goes by; by default
    /// the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Takes over what `predecessor` has fetched, if issuer and key address (or file) stay
    /// the same: for changing settings in a running process. So a key that GO has withdrawn
    /// meanwhile is not taken from an old [snapshot](Config::snapshot), and an outage of
    /// the key address does not leave the successor without keys. They share the [file of
    /// Access Tokens](Config::access_tokens), if it stays the same, and whatever is
    /// [distrusted by a call](GoAuth::distrust_keys) to the predecessor.
    pub fn successor_of(mut self, predecessor: &GoAuth) -> Self {
        self.predecessor = Some(predecessor.clone());
        self
    }

    /// Checks the configuration and makes a [`GoAuth`] of it. Needs no runtime and does
    /// no I/O except reading the [access token file](Config::access_tokens), the
    /// [certificate authorities](Config::ca_file), the [client
    /// certificate](Config::client_cert) and, for a custom
    /// [`http_client`](Self::http_client), the system's certificates.
    ///
    /// # Errors
    /// With every fault in the configuration.
    pub fn build(self) -> Result<GoAuth, ConfigError> {
        let origin = self.config.origin.clone();
        self.built().map_err(|error| origin.named(error))
    }

    fn built(self) -> Result<GoAuth, ConfigError> {
        let Self {
            config,
            keys,
            access_tokens,
            client,
            clock,
            respond,
            predecessor,
        } = self;
        let given_keys = match &keys {
            Some(keys) if keys.is_empty() => Keys::GivenNone,
            Some(_) => Keys::Given,
            None => Keys::Fetched,
        };
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let checked = config.checked(given_keys, access_tokens.is_some());
        let terms = Terms {
            beside_jwts: (checked.as_ref()).is_ok_and(|checked| !checked.trusted.is_empty()),
            writable: Writable::from_setting(config.danger_allow_writable_files),
        };
        let theirs = (predecessor.as_ref()).and_then(|it| it.authenticator.access_tokens.as_ref());
        let access_tokens = accepted_tokens(access_tokens, &config, terms, &clock, theirs);
        let network = network(&config, &checked);
        let ((checked, access_tokens), network) = both(both(checked, access_tokens), network)?;
        let clients = Clients::new(network, client);
        let dangers = dangers(&config, &checked);
        let on_failure = match (&respond, config.on_failure) {
            (Some(_), _) => "custom",
            (None, OnFailure::Reject) => "reject",
            (None, OnFailure::Ignore) => "ignore",
        };
        let trusts = checked.trusts(on_failure, &config);
        let mut given = keys;
        let distrusted = config.distrusted();
        let trusted = (checked.trusted.into_iter()).map(|issuer| {
            let keys = match issuer.place {
                Some(place) => {
                    let client = place.client(&clients);
                    KeySource::remote(
                        issuer.verifier.issuer(),
                        place,
                        issuer.snapshot,
                        checked.schedule,
                        client.map_err(|wrong| of_http_client(&wrong))?,
                        Arc::clone(&clock),
                        Arc::clone(&distrusted),
                    )
                }
                None => KeySource::fixed(given.take().unwrap_or_default(), &distrusted),
            };
            Ok(Issuer {
                keys,
                verifier: issuer.verifier,
            })
        });
        let trusted: Box<[Issuer]> = trusted.collect::<Result<_, ConfigError>>()?;
        let names = (trusted.iter())
            .map(|issuer| issuer.verifier.issuer().into())
            .collect();
        let issuers = Issuers {
            trusted,
            elsewhere: checked.elsewhere,
            max_token_bytes: config.max_token_bytes,
        };
        if let Some(predecessor) = &predecessor {
            issuers.take_over(&predecessor.authenticator.issuers);
        }
        let respond = respond.unwrap_or_else(|| match config.on_failure {
            OnFailure::Reject => Arc::new(Reject::with_realm(config.body, &config.realm)),
            OnFailure::Ignore => Arc::new(Ignore::with_status(checked.ignore_status)),
        });
        let auth = GoAuth {
            authenticator: Arc::new(Authenticator {
                issuers,
                access_tokens,
                cache: TokenCache::new(config.token_cache_bytes),
                requests: Arc::new(Requests::new(
                    RejectionKind::names(),
                    names,
                    Arc::clone(&clock),
                )),
                clock,
                key_wait: config.key_wait,
                waiting: Arc::new(Semaphore::new(config.max_waiting)),
                max_waiting: config.max_waiting,
                distrusted: Mutex::new(Distrusted::by_settings(distrusted)),
            }),
            source: CredentialSource::Header(checked.credential_header),
            respond,
        };
        if let Some(predecessor) = &predecessor {
            (predecessor.authenticator).succeeded_by(&auth.authenticator);
        }
        for warn in dangers {
            warn();
        }
        trusts.into_iter().for_each(observe::trusted);
        Ok(auth)
    }
}

/// Where the Access Tokens come from, if any are accepted.
fn accepted_tokens(
    access_tokens: Option<AccessTokens>,
    config: &Config,
    terms: Terms,
    clock: &Arc<dyn Clock>,
    predecessor: Option<&AccessTokenSource>,
) -> Result<Option<AccessTokenSource>, ConfigError> {
    match (access_tokens, &config.access_tokens) {
        (Some(given), _) if terms.beside_jwts => given
            .check_beside_jwts()
            .map(|()| Some(AccessTokenSource::fixed(given, Arc::clone(clock))))
            .map_err(|error| {
                let faults = error.faults().map(ToString::to_string);
                ConfigError::of_setting("access_tokens", faults)
            }),
        (Some(given), _) => Ok(Some(AccessTokenSource::fixed(given, Arc::clone(clock)))),
        (None, Some(file)) => {
            AccessTokenSource::open(file.clone(), terms, Arc::clone(clock), predecessor)
                .map(Some)
                .map_err(|error| of_access_tokens(file, &error))
        }
        (None, None) => Ok(None),
    }
}

/// With its files read, if keys are fetched.
fn network(
    config: &Config,
    checked: &Result<Checked, ConfigError>,
) -> Result<OpenNetwork, ConfigError> {
    let fetches = |issuer: &CheckedIssuer| issuer.address().is_some();
    match checked {
        Ok(checked) if !checked.trusted.iter().any(fetches) => Ok(OpenNetwork::default()),
        _ => config.open_network(),
    }
}

/// The warnings to log once the handle is built.
fn dangers(config: &Config, checked: &Checked) -> Vec<fn()> {
    let mut warnings: Vec<fn()> = Vec::new();
    if config.danger_allow_writable_files {
        warnings.push(observe::writable_files_allowed);
    }
    let mut addresses = checked.trusted.iter().filter_map(CheckedIssuer::address);
    if addresses.any(|address| is_plain(address) && !is_local(address)) {
        warnings.push(observe::plain_http_allowed);
    }
    let mut environments = checked.trusted.iter().map(|it| it.verifier.environment());
    let first = environments.next();
    if environments.any(|it| Some(it) != first) {
        warnings.push(observe::environments_mixed);
    }
    warnings
}

#[cfg(shuttle)]
mod models;

#[cfg(test)]
mod tests;
