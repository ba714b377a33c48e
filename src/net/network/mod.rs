//! How GO is reached from a company's network: through a proxy, past a private
//! certificate authority, with a client certificate.

mod files;
mod proxy;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use base64_simd::URL_SAFE_NO_PAD;
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;

pub use self::proxy::ProxyAddress;
pub(crate) use self::proxy::{Proxy, named};
use crate::fault::Faults;
use crate::file::guarded_file::Writable;

/// How DerbySoft GO is reached from a company's network: the same for fetching keys and
/// for calls to GO.
///
/// For keys these are settings of [`Config`](crate::Config), with the same names; for
/// calls to GO, take them [from there](crate::Config::network) or [from the
/// environment](Network::from_env). The configuration guide has the rules.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use derbysoft_go_auth::outbound::{ClientPair, Gateway, HttpClient};
/// use derbysoft_go_auth::{GoAuth, Network};
///
/// let network = Network::new()
///     .proxy("http://user:password@proxy.example:3128")
///     .ca_file("/etc/company/ca.pem")
///     .client_certificate("/etc/company/client.pem", "/etc/company/client-key.pem");
///
/// let keys = GoAuth::builder().network(network.clone());
/// let tokens = Gateway::builder().network(network.clone());
/// let calls = HttpClient::builder().network(network).build()?;
/// # let _ = (keys, tokens, calls);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Network {
    pub(crate) proxy: Option<ProxyAddress>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) client_cert: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) writable: Writable,
}

impl Network {
    /// Through the proxy of the environment (`HTTPS_PROXY`), if there is one, and with
    /// the system's certificate authorities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Config::proxy`](crate::Config::proxy).
    pub fn proxy(mut self, address: impl Into<ProxyAddress>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// Sets [`Config::ca_file`](crate::Config::ca_file).
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Sets [`Config::client_cert`](crate::Config::client_cert) and
    /// [`Config::client_key`](crate::Config::client_key).
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.client_cert = Some(certificate.into());
        self.client_key = Some(key.into());
        self
    }

    /// Finds the faults that need no file.
    pub(crate) fn check(&self, faults: &mut Faults) {
        if let Some(Err(wrong)) = self.proxy.as_ref().map(ProxyAddress::parse) {
            faults.add("proxy", wrong);
        }
        for (one, other, is_lonely) in [
            (
                "client_cert",
                "client_key",
                self.client_cert.is_some() && self.client_key.is_none(),
            ),
            (
                "client_key",
                "client_cert",
                self.client_key.is_some() && self.client_cert.is_none(),
            ),
        ] {
            faults.unless(!is_lonely, one, &format!("is of no use without {other}"));
        }
    }

    /// Reads the files; adds the faults that [`check`](Self::check) does not find. Blocks
    /// as long as the disk does.
    pub(crate) fn open(&self, faults: &mut Faults) -> OpenNetwork {
        let roots = (self.ca_file.as_deref()).and_then(|file| {
            files::roots(file, self.writable)
                .map_err(|wrong| faults.add("ca_file", &wrong))
                .ok()
        });
        let pair = self.client_cert.as_deref().zip(self.client_key.as_deref());
        let identity =
            pair.and_then(|(cert, key)| files::identity(cert, key, self.writable, faults));
        OpenNetwork {
            proxy: (self.proxy.as_ref()).and_then(|proxy| proxy.parse().ok()),
            roots: roots.map(Arc::new),
            identity: identity.map(Arc::new),
        }
    }
}

/// A network whose files have been read.
#[derive(Clone, Default)]
pub(crate) struct OpenNetwork {
    pub(super) proxy: Option<Proxy>,
    /// In place of the system's.
    pub(super) roots: Option<Arc<RootCertStore>>,
    pub(super) identity: Option<Arc<CertifiedKey>>,
}

impl OpenNetwork {
    /// A digest of the authorities; empty for the system's.
    pub(super) fn trust(&self) -> String {
        let Some(roots) = &self.roots else {
            return String::new();
        };
        let anchors = roots.roots.iter();
        let mut anchors: Vec<_> = anchors
            .map(|anchor| {
                (
                    anchor.subject.as_ref(),
                    anchor.subject_public_key_info.as_ref(),
                )
            })
            .collect();
        anchors.sort_unstable();
        let mut digest = Context::new(&SHA256);
        for part in anchors
            .into_iter()
            .flat_map(|(subject, key)| [subject, key])
        {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        URL_SAFE_NO_PAD.encode_to_string(digest.finish())
    }

    /// Whether it determines anything about TLS.
    pub(super) const fn has_tls(&self) -> bool {
        self.roots.is_some() || self.identity.is_some()
    }
}

impl fmt::Debug for OpenNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenNetwork")
            .field("proxy", &self.proxy.as_ref().map(|proxy| &proxy.name))
            .field("has_roots", &self.roots.is_some())
            .field("has_identity", &self.identity.is_some())
            .finish()
    }
}
