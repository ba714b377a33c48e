//! TLS: by which provider, and whom to trust.
//!
//! A process has at most one provider that all of rustls uses unless told otherwise, and
//! choosing it is the application's business: it is never installed here. Where it is
//! missing, the one that this crate's features name is used for this crate's own
//! connections.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::network::OpenNetwork;

pub(crate) const NO_PROVIDER: &str = "there is no TLS provider: build derbysoft-go-auth with the \
    feature tls-aws-lc or tls-ring, or call rustls::crypto::CryptoProvider::install_default first";

/// reqwest takes none but this, unless it is built with its own.
pub(super) const NOT_INSTALLED: &str = "a custom client needs the process's TLS provider: call \
    rustls::crypto::CryptoProvider::install_default first";

const NO_ROOTS: &str = "this machine has no CA certificates: install the package ca-certificates, \
    or set ca_file, or SSL_CERT_FILE";

/// The process's provider, or else the one that the features name.
pub(crate) fn provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "tls-aws-lc")]
    let named = || Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "tls-ring", not(feature = "tls-aws-lc")))]
    let named = || Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
    let named = || None;
    CryptoProvider::get_default().cloned().or_else(named)
}

/// Whether reqwest finds a provider by itself; it panics where it does not.
pub(super) fn is_reqwests() -> bool {
    cfg!(feature = "tls-aws-lc") || CryptoProvider::get_default().is_some()
}

/// As the network asks for. Reads the system's certificates unless it has its own.
///
/// # Errors
/// With what is missing.
pub(super) fn config(network: &OpenNetwork) -> Result<ClientConfig, String> {
    let provider = provider().ok_or(NO_PROVIDER)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if let Some(roots) = &network.roots {
        builder.with_root_certificates(Arc::clone(roots))
    } else {
        let system = Verifier::new(provider).map_err(|error| {
            // Elsewhere the system verifies, with whatever it has.
            if cfg!(all(unix, not(target_vendor = "apple"))) {
                NO_ROOTS.to_owned()
            } else {
                error.to_string()
            }
        })?;
        (builder.dangerous()).with_custom_certificate_verifier(Arc::new(system))
    };
    let mut config = match &network.identity {
        Some(identity) => {
            let pair = SingleCertAndKey::from(Arc::clone(identity));
            builder.with_client_cert_resolver(Arc::new(pair))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A session that is resumed checks no certificate, whatever has become of the one that
    // it began with (RFC 8446, section 2.2).
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// For plain http: trusts nobody, and reads nothing.
///
/// # Errors
/// If there is no provider, which reqwest wants all the same.
pub(super) fn unused() -> Result<ClientConfig, String> {
    config(&OpenNetwork {
        roots: Some(Arc::new(RootCertStore::empty())),
        ..OpenNetwork::default()
    })
}
