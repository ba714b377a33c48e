//! A server that wants to know who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use derbysoft_go_auth::Network;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

use super::{auth, call, keys, token};
use test_support::company::{Company, pem};
use test_support::front::Front;
use test_support::{World, ready, verdict};

/// A server that takes this company's clients alone.
async fn strict(world: &World, company: &Company) -> Front {
    Front::of_server(world, company.strict_server()).await
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_the_server() {
    let (world, company) = (World::new().await, Company::new());
    let front = strict(&world, &company).await;
    let (certificate, key) = company.client();
    let network = Network::new().ca_file(company.ca_file());
    let network = network.client_certificate(certificate, key);
    let auth = auth(&world, &front, &network);
    ready(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    token(&world, &front, &network).await.unwrap();
    assert_eq!(call(&world, &front, &network).await.unwrap(), 200);
}

#[tokio::test]
async fn without_one_or_with_a_strangers_there_are_no_keys() {
    let (world, company, other) = (World::new().await, Company::new(), Company::new());
    let front = strict(&world, &company).await;
    let without = Network::new().ca_file(company.ca_file());
    let (certificate, key) = other.client();
    let strangers = without.clone().client_certificate(certificate, key);
    for network in [without, strangers] {
        keys(&world, &front, &network).await.expect_err("no client");
        token(&world, &front, &network)
            .await
            .expect_err("no client");
        call(&world, &front, &network).await.expect_err("no client");
    }
    assert_eq!(world.go.total_requests(), 0);
}

/// Wants to know who asks, and takes anybody.
#[derive(Debug, Default)]
struct Curious {
    has_seen_one: AtomicBool,
}

impl ClientCertVerifier for Curious {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.has_seen_one.store(true, Ordering::SeqCst);
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = default_provider();
        (provider.signature_verification_algorithms).supported_schemes()
    }
}

#[tokio::test]
async fn a_stranger_who_asks_for_one_sees_none() {
    let (world, company, other) = (World::new().await, Company::new(), Company::new());
    let (certificate, key) = company.client();
    let network = Network::new().ca_file(company.ca_file());
    let network = network.client_certificate(certificate, key);
    for version in [&TLS12, &TLS13] {
        for (of, is_known) in [(&company, true), (&other, false)] {
            let curious = Arc::new(Curious::default());
            let (chain, key) = of.server_certificate(|_| ());
            let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                .with_protocol_versions(&[version])
                .expect("TLS")
                .with_client_cert_verifier(Arc::clone(&curious) as _)
                .with_single_cert(chain, key.into())
                .expect("a certificate and its key");
            let front = Front::of_server(&world, config).await;
            let took = [
                keys(&world, &front, &network).await.is_ok(),
                token(&world, &front, &network).await.is_ok(),
                call(&world, &front, &network).await.is_ok(),
            ];
            assert_eq!(took, [is_known; 3], "{version:?}");
            let has_seen_one = curious.has_seen_one.load(Ordering::SeqCst);
            assert_eq!(has_seen_one, is_known, "{version:?}");
        }
    }
}

#[tokio::test]
async fn any_usual_form_of_a_key_will_do() {
    let (world, company) = (World::new().await, Company::new());
    let front = strict(&world, &company).await;
    let rsa = company.issue(&rcgen::PKCS_RSA_SHA256);
    let p256 = company.issue(&rcgen::PKCS_ECDSA_P256_SHA256);
    let p384 = company.issue(&rcgen::PKCS_ECDSA_P384_SHA384);
    let ed25519 = company.issue(&rcgen::PKCS_ED25519);
    let (pkcs1, sec1) = ("RSA PRIVATE KEY", "EC PRIVATE KEY");
    for (name, chain, key) in [
        ("PKCS #8, RSA", &rsa.chain, rsa.key_pem()),
        (
            "PKCS #1",
            &rsa.chain,
            pem(pkcs1, inner(rsa.key.serialized_der())),
        ),
        ("PKCS #8, P-256", &p256.chain, p256.key_pem()),
        (
            "SEC 1, P-256",
            &p256.chain,
            pem(sec1, inner(p256.key.serialized_der())),
        ),
        (
            "SEC 1, P-384",
            &p384.chain,
            pem(sec1, inner(p384.key.serialized_der())),
        ),
        ("PKCS #8, Ed25519", &ed25519.chain, ed25519.key_pem()),
        // As OpenSSL writes it, and both in one file.
        (
            "parameters before it",
            &p256.chain,
            pem("EC PARAMETERS", b"x") + &p256.key_pem() + &p256.chain,
        ),
    ] {
        let certificate = company.file(chain);
        let key = company.file(key.replace('\n', "\r\n"));
        let network = Network::new().ca_file(company.ca_file());
        let network = network.client_certificate(certificate, key);
        let result = keys(&world, &front, &network).await;
        assert_eq!(result, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn the_chain_is_sent_along() {
    let (world, company) = (World::new().await, Company::new());
    let front = strict(&world, &company).await;
    let issued = company.issue_by_a_branch();
    let key = company.file(issued.key_pem());
    let alone = issued
        .chain
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next();
    for (chain, is_good) in [(&*issued.chain, true), (alone.unwrap(), false)] {
        let network = Network::new().ca_file(company.ca_file());
        let chain = company.file(chain);
        let result = keys(&world, &front, &network.client_certificate(chain, &key)).await;
        assert_eq!(result.is_ok(), is_good, "{result:?}");
    }
}

/// What is in a PKCS #8 key: version, algorithm, and the key in an octet string.
fn inner(der: &[u8]) -> &[u8] {
    let (_, members) = value(der);
    let (after_version, _) = value(members);
    let (after_algorithm, _) = value(after_version);
    value(after_algorithm).1
}

/// What follows a DER value, and its content.
fn value(der: &[u8]) -> (&[u8], &[u8]) {
    let (start, length) = match usize::from(der[1]) {
        short @ ..0x80 => (2, short),
        long => {
            let end = 2 + (long & 0x7f);
            let length = der[2..end].iter();
            (
                end,
                length.fold(0, |sum, byte| (sum << 8) | usize::from(*byte)),
            )
        }
    };
    (&der[start + length..], &der[start..start + length])
}
