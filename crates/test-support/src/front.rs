//! TLS in front of GO.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use derbysoft_go_simulator::Fault;
use rcgen::{CertificateParams, KeyPair};
use reqwest::ClientBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ConfigBuilder, ServerConfig, WantsVerifier};

use crate::{Background, World};

/// A server by the one provider, whatever else the features of a build bring along.
pub(crate) fn server() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    builder.with_safe_default_protocol_versions().expect("TLS")
}

/// TLS in front of GO, with a certificate that it has signed itself.
pub struct Front {
    pub address: SocketAddr,
    certificate: CertificateDer<'static>,
    _server: Background,
}

impl Front {
    pub async fn of(world: &World) -> Self {
        Self::certified(world, |_| ()).await
    }

    pub async fn certified(world: &World, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let certificate = CertificateDer::from(certificate);
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = server()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .expect("a certificate and its key");
        Self::with(world, config, certificate).await
    }

    /// TLS of a company's server.
    pub async fn of_server(world: &World, config: ServerConfig) -> Self {
        Self::with(world, config, Vec::new().into()).await
    }

    async fn with(
        world: &World,
        config: ServerConfig,
        certificate: CertificateDer<'static>,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let behind = world.go.address();
        let server = Background::spawn(async move {
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
            address,
            certificate,
            _server: server,
        }
    }

    /// TLS in front of a GO that redirects the next fetch to its plain address.
    pub async fn redirecting_to_http(world: &World) -> Self {
        let location = world.go.jwks_url();
        let status = 307;
        world.go.fail_next(1, Fault::Redirect { location, status });
        Self::of(world).await
    }

    pub fn url(&self, world: &World) -> String {
        let plain = world.go.origin();
        let tls = format!("https://{}", self.address);
        world.go.jwks_url().replace(&plain, &tls)
    }

    /// The certificate as `SSL_CERT_FILE` takes it.
    pub fn pem(&self) -> String {
        let text = BASE64_STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// The settings of a client that trusts this certificate and no other.
    pub fn client(&self) -> impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + use<> {
        let certificate = reqwest::Certificate::from_der(&self.certificate).expect("a certificate");
        move |client| client.tls_certs_only([certificate.clone()]).no_proxy()
    }
}
