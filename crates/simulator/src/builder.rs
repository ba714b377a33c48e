//! Configuring and starting a simulator.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use derbysoft_go_auth::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::keys::{KeyRing, PublishedKey};
use crate::server;
use crate::simulator::{Running, Simulator};
use crate::state::{Shared, Who};

/// The account in the sample addresses of GO's documentation.
const ACCOUNT: &str = "84A26B2FA77BCD1FF5130636F04C30C5";
/// The audience of the sample token.
const AUDIENCE: &str = "ZKT";

/// Configures a [`Simulator`]; made by [`Simulator::builder`].
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

impl Simulator {
    /// Starts a simulator with all defaults: a free port of 127.0.0.1; issuer, audience
    /// and account of GO's samples.
    ///
    /// # Errors
    ///
    /// Fails when no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Configures a simulator.
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder {
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
}

impl SimulatorBuilder {
    /// Where to listen. Default: a free port of 127.0.0.1.
    pub fn address(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// The beginning of its addresses, for clients that reach it by another name than the
    /// address it listens at: `http://go:8083`. Default: `http://` and that address, or
    /// the loopback address if it listens at all addresses.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Opens the control room: over HTTP, under `/simulator`, anybody who reaches the
    /// port can mint good and bad tokens, change keys, read credentials and switch faults
    /// on. `cli.md`, the guide to `go-auth`, lists its routes. It is meant for a separate
    /// process that others test against, so connections are bounded, too: 512 are served
    /// at once, and one that sends no complete request head within 10 s is closed.
    ///
    /// The control room authenticates nobody and hides nothing: only test systems may
    /// trust a simulator. A request with an `Origin`, from a page in a browser, is
    /// rejected.
    pub fn with_control(mut self) -> Self {
        self.control = true;
        self
    }

    /// The account: the 32 hexadecimal digits in the addresses and in the issuer.
    /// Default: the documentation's `84A26B2FA77BCD1FF5130636F04C30C5`.
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

    /// The `issuer` member of the discovery document, which GO's documentation doesn't
    /// show. Default: the tokens' `iss`.
    pub fn discovery_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.discovery_issuer = Some(issuer.into());
        self
    }

    /// The published keys, in the document's order. The first one with a private part
    /// signs. Default: two RSA-2048 keys, as in the sample.
    pub fn keys(mut self, keys: impl IntoIterator<Item = PublishedKey>) -> Self {
        self.keys = Some(keys.into_iter().collect());
        self
    }

    /// The clock that all of GO goes by, as described under [Time](crate#time). Give the
    /// same one to what is tested. Default: the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Binds the address and serves on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails when the address can't be bound, or with [`io::ErrorKind::InvalidInput`]
    /// when the account isn't 32 hexadecimal digits.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
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
