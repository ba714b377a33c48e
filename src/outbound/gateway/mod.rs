//! OAuth 2.0 for PUSH: a supplier's token for GO's gateway.
//!
//! ```text
//!  request ─► base ─► cached token? ──► Authorization ─► the wrapped client
//!                         │                                   │ 401, once
//!                         └ wait for the one fetch ◄──────────┘
//! ```
//!
//! The token is fetched by one task that belongs to no request: cancelling a request
//! cancels its wait, never the fetch.

mod authorized;
mod builder;
mod error;
mod excerpt;
mod fetch;
mod layer;
#[cfg(shuttle)]
mod models;
mod pairs;
mod refresher;
mod renewal;
mod replay;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};
use serde::Serialize;

pub use self::authorized::Authorized;
pub use self::builder::GatewayBuilder;
pub use self::error::{GatewayError, GatewayErrorKind, GatewayRefusal};
pub use self::excerpt::Excerpt;
pub use self::layer::{GatewayLayer, GatewayService};
pub use self::pairs::ClientPair;
use self::pairs::Pairs;
use self::refresher::{Issued, Shared};
use self::renewal::{Failures, Life};
pub use self::replay::{Cloned, Replay, reqwest_body};
#[cfg(fuzzing)]
pub(crate) use self::token::token_answer;
use super::base;
use super::error::CallRefused;
use super::expiry::CredentialHealth;
use crate::clock::{self, Moment, UnixTime};
use crate::net::refresher::Refresher;
use crate::sync::Handle;

/// GO's gateway, as a supplier pushes to it: a token that is fetched once for all callers
/// and renewed in time.
///
/// A handle: clones share the token. [`layer`](Self::layer) puts it on each request and,
/// if the API answers 401, fetches another and repeats the request once. Nothing happens
/// before the first request or [`ready`](Self::ready), which start a task on the current
/// tokio runtime; it ends when the last handle and service are dropped.
///
/// The token is renewed at 70 to 90 % of its lifetime. While that fails the current one
/// stays in use, to its end if need be. Callers get a failure after the fetch that they
/// waited for, and at once for a pause after it: 50 ms, doubled with each failure to 1 s,
/// so that a call may be tried again soon; 10 s if a client pair was rejected.
///
/// ```no_run
/// # async fn push() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use derbysoft_go_auth::outbound::{ClientPair, Gateway, HttpClient};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// let gateway = Gateway::builder()
///     .token_url("https://solo.example/authorizer/token") // from GO Console
///     .api("https://solo.example/push")
///     .credentials(ClientPair::new("596a9560…", "p;fdHalv…"))
///     .build()?;
/// gateway.ready().await?; // optional: a job without a token ends here
///
/// let client = ServiceBuilder::new()
///     .layer(gateway.layer())
///     .service(HttpClient::new()?);
/// let request = http::Request::post("https://solo.example/push/ari").body("{}")?;
/// let response = client.clone().oneshot(request).await?;
/// # let _ = response;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Refresher<Shared>>,
}

impl Gateway {
    /// A layer that puts the token on each request, for bodies that are `Clone`; for
    /// others see [`GatewayLayer::replay_with`].
    pub fn layer(&self) -> GatewayLayer {
        GatewayLayer {
            gateway: self.clone(),
            replay: Cloned,
        }
    }

    /// Makes sure that there is a token.
    ///
    /// # Errors
    /// With the cause if the fetch fails.
    pub async fn ready(&self) -> Result<(), GatewayError> {
        self.token(None).await.map(|_| ())
    }

    /// Fetches another token now, whatever the age of the current one: for an operator
    /// who has just revoked tokens at GO. (Where the API answers 401, the layer and
    /// [`Authorized::renew`] do so by themselves.) A fetch that is already under way
    /// counts, and all who wait share it.
    ///
    /// # Errors
    /// With the cause if the fetch fails, and within the pause after a failure with that
    /// failure; the current token then stays in use.
    pub async fn refresh(&self) -> Result<(), GatewayError> {
        let current = self.shared.current.load_full();
        self.token(current.map(|issued| issued.number)).await?;
        Ok(())
    }

    /// Puts the token into `headers`, marked sensitive, and fetches it first if need be:
    /// for clients without tower. If the API answers 401 to the request,
    /// [`Authorized::renew`] gets another token; without that a revoked token would be
    /// sent to its end.
    ///
    /// Your client must follow no redirect and send plain http to this machine through no
    /// proxy, or the token goes along; [`HttpClient`](super::HttpClient) is such a
    /// client.
    ///
    /// ```no_run
    /// # async fn push() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # use derbysoft_go_auth::outbound::{ClientPair, Gateway};
    /// # let gateway = Gateway::builder().build()?;
    /// let client = reqwest::Client::builder()
    ///     .redirect(reqwest::redirect::Policy::none())
    ///     .build()?;
    /// let mut request = client.post("https://solo.example/push/ari").body("{}").build()?;
    /// let uri: http::Uri = request.url().as_str().parse()?;
    /// let authorized = gateway.authorize(&uri, request.headers_mut()).await?;
    /// let again = request.try_clone();
    /// let mut response = client.execute(request).await?;
    /// if response.status() == 401
    ///     && let Some(mut again) = again
    ///     && authorized.renew(again.headers_mut()).await?
    /// {
    ///     response = client.execute(again).await?;
    /// }
    /// # let _ = response;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// With a [`CallRefused`] if the address is under none of the gateway's bases or there
    /// is an `Authorization` header already; with a [`GatewayError`] if no token can be
    /// fetched.
    pub async fn authorize(
        &self,
        uri: &Uri,
        headers: &mut HeaderMap,
    ) -> Result<Authorized, super::BoxError> {
        self.admit(uri, headers)?;
        let issued = match self.cached() {
            Some(issued) => issued,
            None => self.token(None).await?,
        };
        Ok(Authorized::put(self.clone(), issued, headers))
    }

    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), CallRefused> {
        base::admit(self.shared.apis.iter(), uri, headers).map(|_| ())
    }

    /// The token, if it can be sent without waiting for another.
    fn cached(&self) -> Option<Arc<Issued>> {
        let shared = &self.shared;
        let issued = shared.current.load_full()?;
        if !issued.life.is_usable(shared.core.now()) {
            return None;
        }
        shared.keep_running();
        Some(issued)
    }

    /// After a *rotate* at GO: `next` takes over. It is tried at once, if there is a
    /// runtime, and first with every fetch; until it has worked the current pair is used
    /// where `next` fails, for at most 7 days after `next` was issued (or, if that is
    /// unknown, given here). So it works after a *revoke* as well.
    ///
    /// # Errors
    /// If the pair can't stand in headers; nothing changes then.
    pub fn rotate_to(&self, next: ClientPair) -> Result<(), GatewayError> {
        self.change(next, Pairs::rotate_to)
    }

    /// After a *revoke* at GO: only `pair` is used. A fetch in progress with another pair
    /// is discarded. The current token stays in use until `pair` has given another, which
    /// is tried at once.
    ///
    /// # Errors
    /// If the pair can't stand in headers; nothing changes then.
    pub fn replace(&self, pair: ClientPair) -> Result<(), GatewayError> {
        self.change(pair, |pairs, pair, _| *pairs = Pairs::new(pair))
    }

    fn change(
        &self,
        pair: ClientPair,
        change: impl FnOnce(&mut Pairs, ClientPair, UnixTime),
    ) -> Result<(), GatewayError> {
        if !builder::can_be_sent(&pair) {
            let unusable = GatewayErrorKind::UnusableCredentials;
            return Err(GatewayError::new(unusable, Duration::ZERO));
        }
        let shared = &self.shared;
        let running = shared.keep_running();
        let now = shared.core.clock.now();
        let mut status = shared.core.status();
        change(&mut status.pairs, pair, now);
        // Another pair's failure is no reason to wait with this one.
        status.failures = Failures::default();
        // Without a running refresher, the next caller fetches.
        if running || status.flight.is_under_way() {
            status.flight.want(&shared.core.pulse, ());
        }
        Ok(())
    }

    /// Updates the metric `go_auth_credential_seconds_left` with the time that the client
    /// pairs have left: for a server to call when its metrics are scraped. Otherwise the
    /// background task updates it, once a minute.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn record_metrics(&self) {
        let shared = &self.shared;
        shared.remind(shared.core.clock.now());
    }

    /// The state of the token and the client pairs. Asking fetches nothing.
    pub fn health(&self) -> GatewayHealth {
        let shared = &self.shared;
        let now = shared.core.now();
        shared.remind(now.wall);
        let status = shared.core.status();
        let left = (shared.current.load().as_ref()).map(|issued| issued.life.left(now));
        let pairs = &status.pairs;
        let current = CredentialHealth::new("current", pairs.end_of_current(), now.wall);
        let next = (pairs.has_next())
            .then(|| CredentialHealth::new("next", pairs.end_of_next(), now.wall));
        GatewayHealth {
            token_left: left.filter(|left| !left.is_zero()),
            last_error: (status.last_error.clone()).map(|kind| status.failure(kind, now)),
            credentials: [Some(current), next].into_iter().flatten().collect(),
        }
    }

    /// A token other than the one with the number `refused`; waits for a fetch if there
    /// is none.
    async fn token(&self, refused: Option<u64>) -> Result<Arc<Issued>, GatewayError> {
        let shared = &self.shared;
        let good = |good: fn(&Life, Moment) -> bool, now| {
            let issued = shared.current.load_full()?;
            let is_other = refused.is_none_or(|refused| issued.number > refused);
            (is_other && good(&issued.life, now)).then_some(issued)
        };
        let alive = |now| good(Life::is_alive, now);
        // Without its own runtime a caller could not wait.
        if Handle::try_current().is_err() || !shared.keep_driven() {
            return alive(shared.core.now())
                .ok_or_else(|| GatewayError::new(GatewayErrorKind::NoRuntime, Duration::ZERO));
        }
        let now = shared.core.now();
        let waiter = {
            let mut status = shared.core.status();
            if let Some(issued) = good(Life::is_usable, now) {
                return Ok(issued);
            }
            if !status.flight.is_pending() {
                if !status.failures.cooling_down(now).is_zero() {
                    return alive(now).ok_or_else(|| status.last_failure(now));
                }
                status.flight.want(&shared.core.pulse, ());
            }
            status.flight.waiter()
        };
        // In case the refresher ended just before it was asked.
        shared.keep_running();

        // Longer only if nobody drives the refresher's runtime.
        let limit = shared.core.now().elapsed + shared.fetcher.longest();
        tokio::select! {
            biased;
            () = waiter.ended() => {}
            () = shared.core.clock.sleep_until(limit) => {
                let now = shared.core.now();
                return alive(now).ok_or_else(|| {
                    shared.core.status().failure(GatewayErrorKind::Timeout, now)
                });
            }
        }
        let now = shared.core.now();
        alive(now).ok_or_else(|| shared.core.status().last_failure(now))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("apis", &self.shared.apis)
            .field("token", &self.shared.current.load())
            .finish_non_exhaustive()
    }
}

/// The state of a gateway's token and client pairs.
///
/// Serializes as an object with `token_seconds_left` if there is a token, `last_error` if
/// the last fetch failed, and `credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GatewayHealth {
    /// The time to the end of the current token; `None` if there is none, so that the
    /// next request waits for a fetch.
    #[serde(
        rename = "token_seconds_left",
        serialize_with = "clock::seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub token_left: Option<Duration>,
    /// What the last fetch failed with; `None` if it succeeded.
    #[serde(
        serialize_with = "crate::error::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_error: Option<GatewayError>,
    /// The pair in use, `current`, and the one that follows, `next`.
    pub credentials: Vec<CredentialHealth>,
}

impl GatewayHealth {
    /// Whether there is a token to send.
    pub const fn is_ready(&self) -> bool {
        self.token_left.is_some()
    }
}
