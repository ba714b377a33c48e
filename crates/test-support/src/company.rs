//! A company's own certificate authority, its servers and its clients.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SignatureAlgorithm,
};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::front::server;

/// An authority, and a folder for what it issues.
pub struct Company {
    folder: TempDir,
    files: AtomicUsize,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate with its chain, as text, and its key.
pub struct Issued {
    pub chain: String,
    pub key: KeyPair,
}

impl Issued {
    /// The key in PKCS #8.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.key.serialized_der())
    }
}

impl Company {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority("a company");
        let certificate = params.self_signed(&key).expect("a certificate").into();
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            files: AtomicUsize::new(0),
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// The authority's certificate.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// A new file with this text.
    pub fn file(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{number}.pem"));
        std::fs::write(&path, text).expect("written");
        path
    }

    /// The file of the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.file(self.pem())
    }

    /// The files of a client's certificate and key.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        let Issued { chain, key } = self.issue(&rcgen::PKCS_ECDSA_P256_SHA256);
        let key = pem("PRIVATE KEY", key.serialized_der());
        (self.file(chain), self.file(key))
    }

    /// A client's certificate for a new key of this kind.
    pub fn issue(&self, algorithm: &'static SignatureAlgorithm) -> Issued {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let chain = pem("CERTIFICATE", &leaf(&["client"], &key, &self.issuer));
        Issued { chain, key }
    }

    /// The same by an authority between, which the chain has.
    pub fn issue_by_a_branch(&self) -> Issued {
        let branch_key = KeyPair::generate().expect("a key");
        let params = authority("a branch");
        let branch = params.signed_by(&branch_key, &self.issuer).expect("signed");
        let branch_issuer = Issuer::new(params, branch_key);
        let key = KeyPair::generate().expect("a key");
        let mut chain = pem("CERTIFICATE", &leaf(&["client"], &key, &branch_issuer));
        write!(chain, "{}", pem("CERTIFICATE", branch.der())).expect("a text");
        Issued { chain, key }
    }

    /// A server of the company's: on this machine, and as `id.example`.
    pub fn server(&self) -> ServerConfig {
        let (chain, key) = self.server_certificate(|_| ());
        server()
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .expect("a certificate and its key")
    }

    /// The same for clients with one of its certificates alone.
    pub fn strict_server(&self) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate");
        let clients = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(aws_lc_rs::default_provider()),
        );
        let (chain, key) = self.server_certificate(|_| ());
        server()
            .with_client_cert_verifier(clients.build().expect("an authority"))
            .with_single_cert(chain, key.into())
            .expect("a certificate and its key")
    }

    /// A server's certificate, so changed, and its key.
    pub fn server_certificate(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = leaf_params(&["127.0.0.1", "localhost", "id.example"]);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (vec![certificate.into()], key.serialize_der().into())
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn leaf(
    names: &[&str],
    key: &KeyPair,
    issuer: &Issuer<'static, KeyPair>,
) -> CertificateDer<'static> {
    let params = leaf_params(names);
    params.signed_by(key, issuer).expect("signed").into()
}

fn leaf_params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params
}

/// DER as text.
pub fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}
