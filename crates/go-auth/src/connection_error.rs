//! Why an address can't be reached, in plain words: above all what is wrong with a
//! certificate.

use std::error::Error;
use std::io;
use std::iter;

use rustls::CertificateError as Certificate;

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::inspect::show::{list, plain};
use derbysoft_go_auth::inspect::words::relative;

/// What is at the bottom of a client's error, where that is known.
pub(crate) fn words(error: &reqwest::Error) -> Option<String> {
    // An `io::Error` names the cause of the error in it as its own, and passes over that
    // error itself.
    iter::successors(error.source(), |&error| {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        inner.map_or_else(|| error.source(), |inner| Some(inner))
    })
    .find_map(of_one)
}

fn of_one(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return of_tls(error);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        let why = plain(&error.to_string());
        return (error.is_parse()).then(|| format!("the answer is not valid HTTP: {why}"));
    }
    let error = error.downcast_ref::<io::Error>()?;
    let words = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens there",
        io::ErrorKind::ConnectionReset => "the connection was reset",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "no route to that machine"
        }
        // Of Unix sockets.
        io::ErrorKind::NotFound => "there is no such socket",
        io::ErrorKind::PermissionDenied => "this user may not connect there",
        _ => return None,
    };
    Some(words.to_owned())
}

fn of_tls(error: &rustls::Error) -> Option<String> {
    Some(match error {
        rustls::Error::InvalidCertificate(certificate) => of_certificate(certificate),
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS: it may be plain http".to_owned()
        }
        rustls::Error::PeerIncompatible(_) => {
            "the server and this machine have no TLS version or no cipher in common".to_owned()
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
            "the server wants a client certificate: set client_cert and client_key".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            let alert = plain(&format!("{alert:?}"));
            format!("the server aborted the TLS handshake: {alert}")
        }
        _ => return None,
    })
}

fn of_certificate(error: &Certificate) -> String {
    let at = |time: &rustls::pki_types::UnixTime| UnixTime::from_secs(time.as_secs());
    let what = match error {
        Certificate::Expired => "has expired",
        Certificate::NotValidYet => "is not valid yet",
        Certificate::UnknownIssuer => {
            "is not trusted: it is self-signed, or its authority is neither among this machine's \
             nor, where ca_file is set, in that file"
        }
        Certificate::BadSignature => {
            "is not signed by the authority that it names: someone else may be answering"
        }
        Certificate::NotValidForName => "is for another name",
        Certificate::Revoked => "has been revoked",
        Certificate::ExpiredContext { time, not_after } => {
            let (now, end) = (at(time), at(not_after));
            return format!("its certificate expired {}, at {end}", relative(end, now));
        }
        Certificate::NotValidYetContext { time, not_before } => {
            let (now, start) = (at(time), at(not_before));
            return format!(
                "its certificate becomes valid {}, at {start}: check this machine's clock",
                relative(start, now),
            );
        }
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => {
            return format!(
                "its certificate is for another name: for {}, not for {}",
                list(presented.iter().map(|name| plain(&bare(name)))),
                plain(&expected.to_str()),
            );
        }
        other => {
            let why = plain(&other.to_string());
            return format!("its certificate is not acceptable: {why}");
        }
    };
    format!("its certificate {what}")
}

/// The name in `DnsName("id.example")`.
fn bare(name: &str) -> String {
    let inner = name
        .split_once("(\"")
        .and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(name).to_owned()
}
