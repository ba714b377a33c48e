//! The handle of a simulator.

mod faults;
mod gateway;
mod keys;
mod partner_apis;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use derbysoft_go_auth::UnixTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fault::Endpoint;
use crate::keys::SigningKey;
use crate::state::{LoggedRequest, Shared, State};
use crate::tokens::{Mint, SampleToken};

pub use self::faults::Hold;

/// DerbySoft GO's key address and token mint.
///
/// Every method takes `&self`, so a test can change GO's behaviour while requests run. Dropping it
/// closes the port and all connections soon after; [`stop`](Self::stop) waits until that is done.
#[must_use = "the server stops when the `Simulator` is dropped"]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    /// The control room has a simulator of its own, over the same state, that runs nothing.
    pub(crate) running: Option<Running>,
}

pub(crate) struct Running {
    /// Takes how long requests under way may go on; dropped, they may not.
    pub(crate) stop: oneshot::Sender<Duration>,
    pub(crate) server: JoinHandle<()>,
}

/// Where it is and who it claims to be.
impl Simulator {
    /// Stops the server and waits until the port and all connections are closed: from then on
    /// connections are refused, until another simulator starts at the same
    /// [address](SimulatorBuilder::address).
    pub async fn stop(self) {
        self.stop_within(Duration::ZERO).await;
    }

    /// As [`stop`](Self::stop), but requests under way get their answers first, for this long at
    /// the most.
    pub async fn stop_within(self, patience: Duration) {
        let Some(Running { stop, server }) = self.running else {
            return;
        };
        // Who doesn't listen has ended, and is waited for in any case.
        let _ = stop.send(patience);
        if let Err(error) = server.await {
            tracing::warn!(%error, "the simulated GO didn't end well");
        }
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.shared.who.address
    }

    /// `http://127.0.0.1:PORT`, or what [`SimulatorBuilder::origin`] says.
    pub fn origin(&self) -> String {
        self.shared.who.origin.clone()
    }

    /// `http://127.0.0.1:PORT/id/{account}/keys`, the form of GO's key address.
    pub fn jwks_url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.who.keys_path())
    }

    /// `http://127.0.0.1:PORT/id/{account}/.well-known/openid-configuration`, a document whose
    /// `jwks_uri` is [`jwks_url`](Self::jwks_url).
    pub fn discovery_url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.who.discovery_path())
    }

    /// The tokens' `iss`. As with GO it is a name, not an address of this server.
    pub fn issuer(&self) -> &str {
        &self.shared.who.issuer
    }

    /// The tokens' `aud`.
    pub fn audience(&self) -> &str {
        &self.shared.who.audience
    }
}

/// Tokens.
impl Simulator {
    /// A token as GO sends it, issued now: RS256 by the [current key](Self::signing_kid), good for
    /// five minutes.
    #[must_use]
    pub fn token(&self) -> String {
        self.mint().token()
    }

    /// A [`Mint`] of such tokens, to depart from them. It keeps the key that signs now, also when
    /// GO goes on to another.
    pub fn mint(&self) -> Mint {
        let kid = self.signing_kid();
        self.mint_as(&kid)
    }

    /// A [`Mint`] that signs with this key, published, staged or retired.
    ///
    /// # Panics
    ///
    /// When the simulator never had a key of this name that signs.
    pub fn mint_as(&self, kid: &str) -> Mint {
        let key = self.key(kid);
        let key = key.unwrap_or_else(|| panic!("the simulator has no signing key {kid:?}"));
        Mint::new(key, kid, self.issuer(), self.audience())
    }

    /// A token by its name in the list of samples, issued now.
    #[must_use]
    pub fn sample_token(&self, sample: SampleToken) -> String {
        sample.of(self.mint(), &self.stranger())
    }

    /// A key that isn't GO's, the same one for the simulator's life, to sign with in GO's name.
    pub fn stranger(&self) -> SigningKey {
        self.state().ring.stranger()
    }
}

/// What was asked.
impl Simulator {
    /// How many requests have reached the key address, on whatever method and however they were
    /// answered, those held back included.
    pub fn fetches(&self) -> usize {
        self.shared.fetches(Endpoint::Keys)
    }

    /// Waits until `n` requests in all have reached the key address since the start.
    pub async fn wait_for_fetches(&self, n: usize) {
        self.shared.wait_for_fetches(Endpoint::Keys, n).await;
    }

    /// The last 1,000 requests to any path, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state().log.kept()
    }

    /// How many requests came in all, to any path.
    pub fn total_requests(&self) -> usize {
        self.state().log.total()
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.shared.clock.now()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.shared.who.address)
            .field("issuer", &self.shared.who.issuer)
            .field("audience", &self.shared.who.audience)
            .finish_non_exhaustive()
    }
}
