//! What every application here has: GO behind its own TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder, Network};
use derbysoft_go_simulator::Simulator;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WantsServerCert;
use rustls::{ConfigBuilder, ServerConfig};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub struct Application {
    pub go: Simulator,
    pub address: SocketAddr,
    folder: TempDir,
}

impl Application {
    /// With a server that the application sets up in its own way.
    pub async fn start(tls: ConfigBuilder<ServerConfig, WantsServerCert>) -> Self {
        let go = Simulator::start().await.expect("a free port");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        for (file, kind, der) in [
            ("server.pem", "CERTIFICATE", certificate.der().as_ref()),
            ("server.key", "PRIVATE KEY", key.serialized_der()),
        ] {
            let text = BASE64_STANDARD.encode(der);
            let text = format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = tls.with_single_cert(vec![certificate.into()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("its key")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let behind = go.address();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut caller = acceptor.accept(caller).await?;
                    let mut go = TcpStream::connect(behind).await?;
                    tokio::io::copy_bidirectional(&mut caller, &mut go).await
                });
            }
        });
        Self {
            go,
            address,
            folder,
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Trusts the server.
    pub fn network(&self) -> Network {
        Network::new().ca_file(self.file("server.pem"))
    }

    pub fn tls(&self, address: &str) -> String {
        let plain = format!("http://{}", self.go.address());
        address.replace(&plain, &format!("https://{}", self.address))
    }

    pub fn builder(&self) -> GoAuthBuilder {
        GoAuth::builder()
            .issuer(self.go.issuer())
            .audience(self.go.audience())
            .jwks_url(self.tls(&self.go.jwks_url()))
    }
}
