//! How a simulator is set up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::keys::PublishedKey;
use super::ring::KeyRing;
use super::server;
use super::shared::{Shared, Who};
use super::{Running, Simulator};
use derbysoft_go_auth::{Clock, SystemClock};

/// The account in the sample addresses of GO's documentation.
const ACCOUNT: &str = "84A26B2FA77BCD1FF5130636F04C30C5";
/// The audience of the sample token.
const AUDIENCE: &str = "ZKT";

/// Sets up a [`Simulator`]; made by [`Simulator::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing runs until `start` is awaited"]
pub struct SimulatorBuilder {
    address: SocketAddr,
    origin: Option<String>,
    control: bool,
    account: String,
    audience: String,
    issuer: Option<String>,
    discovery_issuer: Option<String>,
    keys: Option<Vec<PublishedKey>>,
    clock: Arc<dyn Clock>,
}

impl SimulatorBuilder {
    pub(super) fn new() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            origin: None,
            control: false,
            account: ACCOUNT.to_owned(),
            audience: AUDIENCE.to_owned(),
            issuer: None,
            discovery_issuer: None,
            keys: None,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Where to listen. Default: a free port of 127.0.0.1.
    pub fn address(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// What its addresses begin with, where others reach it by another name than the address that
    /// it listens at: `http://go:8083`. Default: `http://` and that address, or this machine's
    /// loopback address where it listens at all of them.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Opens the control room: whoever reaches the port can have tokens minted, good and bad, keys
    /// changed, credentials told and faults set, over HTTP under `/simulator`, whose routes
    /// `docs/guide/cli.md` lists. For a process of its own, which others test against; so connections are
    /// bounded, too: 512 are served at once, and one that sends no head of a request for 10 s is
    /// closed.
    ///
    /// Nothing of it is secret, and nobody is asked who he is: a simulator is trusted by test
    /// systems alone. A request with an `Origin`, from a page in somebody's browser, is refused.
    pub fn with_control(mut self) -> Self {
        self.control = true;
        self
    }

    /// The account: 32 hexadecimal digits that stand in the addresses and in the issuer. Default:
    /// the documentation's `84A26B2FA77BCD1FF5130636F04C30C5`.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// The tokens' `aud`. Default: the sample token's `ZKT`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// The tokens' `iss`. Default: the sample token's form,
    /// `https://id/{account}/.well-known/openid-configuration`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The `issuer` member of the discovery document, which GO's documentation doesn't show.
    /// Default: the tokens' `iss`.
    pub fn discovery_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.discovery_issuer = Some(issuer.into());
        self
    }

    /// The published keys, in the document's order. The first one that can sign does. Default: two
    /// RSA-2048 keys, as in the sample.
    pub fn keys(mut self, keys: impl IntoIterator<Item = PublishedKey>) -> Self {
        self.keys = Some(keys.into_iter().collect());
        self
    }

    /// The clock by which the gateway, GO's own APIs and their credentials go, so that a test can let
    /// 180 days pass. Default: the system's. What a [`Mint`](super::Mint) makes goes by the system's
    /// clock in any case.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Binds the address and serves on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When the address can't be bound, or with [`io::ErrorKind::InvalidInput`] when the account
    /// isn't 32 hexadecimal digits.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime that drives I/O and time.
    pub async fn start(self) -> io::Result<Simulator> {
        if self.account.len() != 32 || !self.account.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let reason = "a GO account is 32 hexadecimal digits";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;

        let account = self.account;
        let form = || format!("https://id/{account}/.well-known/openid-configuration");
        let issuer = self.issuer.unwrap_or_else(form);
        let discovery_issuer = self.discovery_issuer.unwrap_or_else(|| issuer.clone());
        let two = || vec![PublishedKey::fresh(), PublishedKey::fresh()];
        let ring = KeyRing::new(self.keys.unwrap_or_else(two));
        let reached_at = match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (Ipv4Addr::LOCALHOST, address.port()).into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (Ipv6Addr::LOCALHOST, address.port()).into(),
            _ => address,
        };
        let who = Who {
            address,
            origin: (self.origin).unwrap_or_else(|| format!("http://{reached_at}")),
            account,
            issuer,
            audience: self.audience,
            discovery_issuer,
            control: self.control,
        };
        let shared = Arc::new(Shared::new(who, ring, self.clock));

        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server::run(listener, Arc::clone(&shared), stopped));
        Ok(Simulator {
            shared,
            running: Some(Running { stop, server }),
        })
    }
}
