//! DerbySoft GO on a loopback port, for tests and trials.
//!
//! A distributor's API answers GO's calls only after it has checked a token against keys that it
//! fetched from GO. Whether it does so correctly shows in situations that can't be ordered from the
//! real GO: a rotation in the middle of traffic, a forged signature, a key address that hangs, cuts
//! its answer short or redirects to a foreign host. A [`Simulator`] is GO's identity side in the
//! same process: it publishes keys, mints the tokens that GO would send, and misbehaves on command.
//!
//! What it sends has the shape of GO's documented samples, down to the order of the members. It
//! shares no parsing or signing code with the verifier of this crate, so that one misreading of a
//! specification can't cancel itself out.
//!
//! # Testing an API
//!
//! Point the API at the simulator's addresses, send it requests with the simulator's tokens:
//!
//! ```text
//! let go = Simulator::start().await?;
//! let auth = GoAuth::builder()
//!     .issuer(go.issuer())
//!     .audience(go.audience())
//!     .jwks_url(go.jwks_url())
//!     .build()?;
//! let api = my_api().layer(auth.layer());
//!
//! // GO's genuine call gets through …
//! assert_eq!(call(&api, go.token()).await, 200);
//! // … a token for somebody else doesn't …
//! assert_eq!(call(&api, go.mint().audience("somebody else").token()).await, 401);
//! // … one that another key signed doesn't either …
//! let forged = go.mint().key(SigningKey::pooled()).token();
//! assert_eq!(call(&api, forged).await, 401);
//! // … and an outage of the key address doesn't stop genuine calls.
//! go.fail(Fault::Hang);
//! assert_eq!(call(&api, go.token()).await, 200);
//! ```
//!
//! [`rotate`](Simulator::rotate) changes GO's keys under running traffic. A verifier fetches keys
//! again for an unknown `kid`, but not more often than its cooldown allows, so a test of rotation
//! sets a short one.
//!
//! # Testing a client
//!
//! It also plays what is called: the gateway that suppliers push to, with its token endpoint
//! ([`token_url`](Simulator::token_url), [`gateway_url`](Simulator::gateway_url)), and the APIs that
//! distributors call ([`api_url`](Simulator::api_url)). Credentials are rotated and revoked as
//! documented, by a [clock](SimulatorBuilder::clock) of the test's. And it
//! [pushes](Simulator::push) to a distributor, with either credential.
//!
//! # Testing in another language
//!
//! The command `go-auth simulate` is a simulator as a process, ruled over HTTP: see
//! [`SimulatorBuilder::with_control`].
//!
//! # What it can do
//!
//! ```
//! use derbysoft_go_simulator::{Encoding, Fault, SignatureKind, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let go = Simulator::builder().audience("MY-API").start().await?;
//! assert!(go.jwks_url().ends_with("/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"));
//!
//! // Tokens that must be refused.
//! let expired = go.mint().at(1_703_559_790).token();
//! let unsigned = go.mint().header("alg", "none").signature(SignatureKind::Empty).token();
//! let sloppy = go.mint().encoding(Encoding::Padded).token();
//! # let _ = (expired, unsigned, sloppy);
//!
//! // A key that is published before it signs, as in a careful rotation.
//! let next = go.stage();
//! go.sign_with(&next);
//! go.retire_all_but_current();
//! assert_eq!(go.signing_kid(), next);
//!
//! // One failure, then health again; and no request has come yet.
//! go.fail_next(1, Fault::RedirectNotFound);
//! assert_eq!(go.fetches(), 0);
//! # Ok(())
//! # }
//! ```

mod answer;
mod ari;
mod body;
#[doc(hidden)]
pub mod bounded_tcp;
mod builder;
mod control;
mod fault;
mod gateway;
mod issue;
mod keys;
mod log;
mod mint;
mod outage;
mod partner_apis;
mod push;
mod ring;
mod rotation;
mod sample;
mod server;
mod shared;
mod signature;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::ari::SamplePush;
pub use self::builder::SimulatorBuilder;
pub use self::fault::{Endpoint, Fault, FaultInForce};
pub use self::gateway::{ClientCredentials, GatewayFailure};
pub use self::keys::{KeyError, PublishedKey, SigningKey};
pub use self::log::LoggedRequest;
pub use self::mint::{Encoding, Mint};
pub use self::outage::Hold;
pub use self::partner_apis::{PartnerApi, PartnerRefusal};
#[doc(hidden)]
pub use self::push::posted;
pub use self::push::{Push, PushCredential};
pub use self::sample::{Expected, SampleToken};
pub use self::signature::{PublicKeyForm, SignatureKind};

use self::shared::{Shared, State};

/// DerbySoft GO's key address and token mint.
///
/// Every method takes `&self`, so a test can change GO's behaviour while requests run. Dropping it
/// closes the port and all connections soon after; [`stop`](Self::stop) waits until that is done.
#[must_use = "the server stops when the `Simulator` is dropped"]
pub struct Simulator {
    shared: Arc<Shared>,
    /// The control room has a simulator of its own, over the same state, that runs nothing.
    running: Option<Running>,
}

struct Running {
    /// Takes how long requests under way may go on; dropped, they may not.
    stop: oneshot::Sender<Duration>,
    server: JoinHandle<()>,
}

/// Where it is and who it claims to be.
impl Simulator {
    /// Starts with all defaults: a free port of 127.0.0.1, and issuer, audience and account of GO's
    /// samples.
    ///
    /// # Errors
    ///
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Sets up a simulator that departs from the defaults.
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::new()
    }

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
        format!("{}{}", self.origin(), self.shared.keys_path)
    }

    /// `http://127.0.0.1:PORT/id/{account}/.well-known/openid-configuration`, a document whose
    /// `jwks_uri` is [`jwks_url`](Self::jwks_url).
    pub fn discovery_url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.discovery_path)
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
        *self.shared.fetches.borrow()
    }

    /// Waits until `n` requests in all have reached the key address since the start.
    pub async fn wait_for_fetches(&self, n: usize) {
        let mut fetches = self.shared.fetches.subscribe();
        // The sender lives in `self`, so the channel can't close.
        let _ = fetches.wait_for(|count| *count >= n).await;
    }

    /// The last 1,000 requests to any path, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state().log.kept()
    }

    /// How many requests came in all, to any path.
    pub fn total_requests(&self) -> usize {
        self.state().log.total()
    }

    fn state(&self) -> MutexGuard<'_, State> {
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
