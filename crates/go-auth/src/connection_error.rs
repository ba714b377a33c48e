//! Why an address can't be reached, in words: certificates above all.

use std::error::Error;
use std::io;

use rustls::CertificateError as Certificate;

use derbysoft_go_auth::UnixTime;
use derbysoft_go_auth::inspect::show::{list, plain};
use derbysoft_go_auth::inspect::words::relative;

/// What is at the bottom of a client's error, where that is known.
pub(super) fn words(error: &reqwest::Error) -> Option<String> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(words) = of_one(error) {
            return Some(words);
        }
        next = inner(error);
    }
    None
}

/// What an error is about: an `io::Error` names the cause of the error in it as its
/// own, and passes over that error itself.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn of_one(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return of_tls(error);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        let words = "what answers there breaks the rules of HTTP";
        return (error.is_parse()).then(|| format!("{words}: {}", plain(&error.to_string())));
    }
    let error = error.downcast_ref::<io::Error>()?;
    let words = match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there: the connection was refused",
        io::ErrorKind::ConnectionReset => "the connection was reset",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no way to that machine"
        }
        _ => return None,
    };
    Some(words.to_owned())
}

fn of_tls(error: &rustls::Error) -> Option<String> {
    Some(match error {
        rustls::Error::InvalidCertificate(certificate) => of_certificate(certificate),
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS: it may be plain http".to_owned()
        }
        rustls::Error::PeerIncompatible(_) => {
            "it has no version of TLS or no cipher in common with this machine".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            format!(
                "it broke off the TLS handshake: {}",
                plain(&format!("{alert:?}"))
            )
        }
        _ => return None,
    })
}

fn of_certificate(error: &Certificate) -> String {
    let at = |time: &rustls::pki_types::UnixTime| UnixTime::from_secs(time.as_secs());
    match error {
        Certificate::Expired => "its certificate has expired".to_owned(),
        Certificate::ExpiredContext { time, not_after } => format!(
            "its certificate expired {}, at {}",
            relative(at(not_after), at(time)),
            at(not_after)
        ),
        Certificate::NotValidYet => "its certificate is not valid yet".to_owned(),
        Certificate::NotValidYetContext { time, not_before } => format!(
            "its certificate becomes valid {}, at {}: is this machine's clock right?",
            relative(at(not_before), at(time)),
            at(not_before)
        ),
        Certificate::UnknownIssuer => "its certificate is of nobody whom this machine trusts: \
             it is self-signed, or its authority is not among the system's"
            .to_owned(),
        Certificate::BadSignature => "its certificate is not signed by the authority that it \
             names: somebody else may be answering"
            .to_owned(),
        Certificate::NotValidForName => "its certificate is for another name".to_owned(),
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "its certificate is for another name: for {}, not for {}",
            list(presented.iter().map(|name| plain(&bare(name)))),
            plain(&expected.to_str()),
        ),
        Certificate::Revoked => "its certificate is revoked".to_owned(),
        other => format!(
            "its certificate is not acceptable: {}",
            plain(&other.to_string())
        ),
    }
}

/// The name in `DnsName("id.example")`.
fn bare(name: &str) -> String {
    let inner = name
        .split_once("(\"")
        .and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(name).to_owned()
}
