//! How a connection begins: whose certificate a server has, and what it makes of TLS.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use test_support::company::Company;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use crate::server::{Act, Opening};

type Certified = (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>);

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// What a client may make of a server by its TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is whom the address names.
    Genuine,
    /// Anybody.
    Stranger,
}

/// What a server speaks within TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

impl Protocol {
    /// A server that speaks it.
    fn of(self, mut config: ServerConfig) -> ServerConfig {
        if self != Self::Http1 {
            config.alpn_protocols = vec![b"h2".to_vec()];
            // The client's TLS is the application's own, which resumes sessions: that checks no
            // certificate.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config
    }

    /// Another, by its name and in TLS.
    fn other(self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Http1 => ("http/2 alone", b"h2".to_vec()),
            #[cfg(feature = "http2")]
            Self::Http2 => ("http/0.9 alone", b"http/0.9".to_vec()),
        }
    }
}

/// The ways to begin.
pub(crate) struct Openings(Vec<(&'static str, Trust, Opening)>);

impl Openings {
    /// `company` is trusted, and `other` is not.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub(crate) fn of(company: &Company, other: &Company, protocol: Protocol) -> Self {
        let whole = 0;
        let tls = |versions, certified| protocol.of(tls(versions, certified));
        let plain = |certified| tls(BOTH, certified);
        // One server over time: its clients may resume what they have begun with another of its
        // certificates.
        let sessions = ServerSessionMemoryCache::new(64);
        let known = |change: fn(&mut CertificateParams)| {
            let mut config = plain(company.server_certificate(change));
            if protocol == Protocol::Http1 {
                config.session_storage = sessions.clone();
            }
            Opening::Tls(Arc::new(config), whole)
        };
        let genuine = || company.server_certificate(|_| ());
        let of = |config, single| Opening::Tls(Arc::new(config), single);
        let mut other_protocol = plain(genuine());
        let (name, alpn) = protocol.other();
        other_protocol.alpn_protocols = vec![alpn];
        let mut short_records = plain(genuine());
        short_records.max_fragment_size = Some(40);
        let mut without_sessions = plain(genuine());
        without_sessions.session_storage = Arc::new(NoServerSessionStorage {});
        without_sessions.send_tls13_tickets = 0;
        let alert = |description| vec![0x15, 3, 3, 0, 2, 2, description];
        let instead = |bytes: &[u8], end| Opening::Instead(bytes.to_vec(), end);
        use Trust::{Genuine, Stranger};
        Self(vec![
            ("genuine", Genuine, known(|_| ())),
            ("renewed", Genuine, known(|_| ())),
            ("tls 1.2", Genuine, of(tls(&[&TLS12], genuine()), whole)),
            ("short records", Genuine, of(short_records, whole)),
            ("byte by byte", Genuine, of(plain(genuine()), 4000)),
            ("no sessions", Genuine, of(without_sessions, whole)),
            (
                "asks for a client's certificate",
                Stranger,
                of(Company::new().strict_server(), whole),
            ),
            (
                "expired",
                Stranger,
                known(|it| {
                    it.not_before = date_time_ymd(2020, 1, 1);
                    it.not_after = date_time_ymd(2021, 1, 1);
                }),
            ),
            (
                "not yet valid",
                Stranger,
                known(|it| {
                    it.not_before = date_time_ymd(2090, 1, 1);
                    it.not_after = date_time_ymd(2091, 1, 1);
                }),
            ),
            (
                "another name",
                Stranger,
                known(|it| {
                    *it = CertificateParams::new(["elsewhere.example".to_owned()]).expect("a name");
                }),
            ),
            ("self-signed", Stranger, of(plain(self_signed()), whole)),
            (
                "another authority",
                Stranger,
                of(plain(other.server_certificate(|_| ())), whole),
            ),
            (
                "another authority, tls 1.2",
                Stranger,
                of(tls(&[&TLS12], other.server_certificate(|_| ())), whole),
            ),
            (name, Stranger, of(other_protocol, whole)),
            (
                "reset at the first flight",
                Stranger,
                instead(b"", Act::Reset),
            ),
            (
                "closed at the first flight",
                Stranger,
                instead(b"", Act::Close),
            ),
            ("alert", Stranger, instead(&alert(40), Act::Close)),
            ("unknown alert", Stranger, instead(&alert(250), Act::Close)),
            ("silent", Stranger, instead(b"", Act::Stall)),
            (
                "half a flight",
                Stranger,
                instead(&[0x16, 3, 3, 0x40, 0, 2, 0, 0], Act::Close),
            ),
            (
                "half a flight, then nothing",
                Stranger,
                instead(&[0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3], Act::Stall),
            ),
            (
                "another protocol",
                Stranger,
                instead(b"SSH-2.0-x\r\n", Act::Close),
            ),
            ("noise", Stranger, instead(&[0xa5; 3000], Act::Close)),
            (
                "no tls",
                Stranger,
                instead(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
                    Act::Close,
                ),
            ),
        ])
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// That of a server that is well.
    pub(crate) fn well(&self) -> &Opening {
        &self.0[0].2
    }

    /// This row, or one of those that a client trusts.
    pub(crate) fn draw(
        &self,
        row: Option<usize>,
        random: &mut fastrand::Rng,
    ) -> (&'static str, Trust, Opening) {
        let genuine = self.0.iter().filter(|it| it.1 == Trust::Genuine).count();
        // They are the first rows.
        self.0[row.unwrap_or_else(|| random.usize(..genuine))].clone()
    }
}

fn tls(versions: &[&'static SupportedProtocolVersion], (chain, key): Certified) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .expect("a certificate and its key")
}

fn self_signed() -> Certified {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    (vec![certificate.into()], key.serialize_der().into())
}
