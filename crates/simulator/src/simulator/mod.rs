//! The handle of a simulator.

mod faults;
mod gateway;
mod keys;
mod partner_apis;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use derbysoft_go_auth::clock::UnixTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fault::Endpoint;
use crate::keys::SigningKey;
use crate::state::{LoggedRequest, Shared, State};
use crate::tokens::{Mint, SampleToken};

pub use self::faults::Hold;

/// DerbySoft GO, running on a port of this machine.
///
/// Every method takes `&self`, so a test can change GO's behaviour while requests run.
/// Dropping the simulator closes the port and all connections soon after;
/// [`stop`](Self::stop) waits until that is done.
#[must_use = "the server stops when the `Simulator` is dropped"]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    /// `None` in the control room, whose handle shares the state but runs no server.
    pub(crate) running: Option<Running>,
}

pub(crate) struct Running {
    /// Takes how long requests under way may continue; if dropped, not at all.
    pub(crate) stop: oneshot::Sender<Duration>,
    pub(crate) server: JoinHandle<()>,
}

/// Addresses and identity.
impl Simulator {
    /// Stops the server and waits until the port and all connections are closed. From
    /// then on connections are refused, until another simulator starts at the same
    /// [address](crate::SimulatorBuilder::address).
    pub async fn stop(self) {
        self.stop_within(Duration::ZERO).await;
    }

    /// As [`stop`](Self::stop), but requests under way may finish, for at most this long in
    /// real time.
    pub async fn stop_within(self, patience: Duration) {
        let Some(Running { stop, server }) = self.running else {
            return;
        };
        // A server that no longer listens has ended, and is awaited anyway.
        let _ = stop.send(patience);
        if let Err(error) = server.await {
            tracing::warn!(%error, "the server of the simulated GO failed");
        }
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.shared.who.address
    }

    /// `http://127.0.0.1:PORT`, or the one given to
    /// [`SimulatorBuilder::origin`](crate::SimulatorBuilder::origin).
    pub fn origin(&self) -> String {
        self.shared.who.origin.clone()
    }

    /// `http://127.0.0.1:PORT/id/{account}/keys`, the form of GO's key address.
    pub fn jwks_url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.who.keys_path())
    }

    /// `http://127.0.0.1:PORT/id/{account}/.well-known/openid-configuration`, a document
    /// whose `jwks_uri` is [`jwks_url`](Self::jwks_url).
    pub fn discovery_url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.who.discovery_path())
    }

    /// The tokens' `iss`. As in GO, it is a name, not an address of this server.
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
    /// A token as GO sends it, issued now: RS256 with the [current
    /// key](Self::signing_kid), valid for five minutes.
    #[must_use]
    pub fn token(&self) -> String {
        self.mint().token()
    }

    /// A [`Mint`] of such tokens, to change them. It signs with the current key even
    /// after a rotation.
    pub fn mint(&self) -> Mint {
        let kid = self.signing_kid();
        self.mint_as(&kid)
    }

    /// A [`Mint`] that signs with this key, published, staged or retired.
    ///
    /// # Panics
    ///
    /// Panics when the simulator never had a signing key of this name.
    pub fn mint_as(&self, kid: &str) -> Mint {
        let key = self.key(kid);
        let key = key.unwrap_or_else(|| panic!("the simulator has no signing key {kid:?}"));
        let mint = Mint::new(key, kid, self.issuer(), self.audience());
        mint.by(Arc::clone(&self.shared.clock))
    }

    /// The sample token, issued now.
    #[must_use]
    pub fn sample_token(&self, sample: SampleToken) -> String {
        sample.of(self.mint(), &self.stranger())
    }

    /// A key that isn't GO's, the same one for the simulator's life, for tokens that an
    /// attacker signs in GO's name.
    pub fn stranger(&self) -> SigningKey {
        self.state().ring.stranger()
    }
}

/// Requests that have arrived.
impl Simulator {
    /// How many requests have reached the key address, with any method and any answer,
    /// including delayed ones.
    pub fn fetches(&self) -> usize {
        self.shared.fetches(Endpoint::Keys)
    }

    /// Waits until `n` requests in all have reached the key address.
    pub async fn wait_for_fetches(&self, n: usize) {
        self.shared.wait_for_fetches(Endpoint::Keys, n).await;
    }

    /// The last 1,000 requests to any path, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state().log.stored()
    }

    /// How many requests have arrived in all, on any path.
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
