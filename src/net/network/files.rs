//! Certificates and keys in PEM.

use std::path::Path;

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use zeroize::Zeroizing;

use crate::fault::Faults;
use crate::file::guarded_file::{GuardedFile, Links, Writable};
use crate::net::tls;

/// The largest file of authorities: five times what a system comes with.
const MAX_ROOTS_BYTES: usize = 1024 * 1024;

/// The largest certificate chain and the largest key: a chain of ten certificates of 4096
/// bits takes a third of it.
const MAX_PAIR_BYTES: usize = 64 * 1024;

const ENCRYPTED: &str = "has a password: write the key without one, with openssl pkey";

/// # Errors
/// With what is wrong, to follow the setting's name.
pub(super) fn roots(file: &Path, writable: Writable) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read(file, MAX_ROOTS_BYTES, writable)?)? {
        let number = roots.len() + 1;
        (roots.add(certificate))
            .map_err(|_| format!("has a certificate that can't be read: number {number}"))?;
    }
    Ok(roots)
}

/// The chain and its key, if they belong together.
pub(super) fn identity(
    certificate: &Path,
    key: &Path,
    writable: Writable,
    faults: &mut Faults,
) -> Option<CertifiedKey> {
    let chain = read(certificate, MAX_PAIR_BYTES, writable).and_then(|text| certificates(&text));
    let chain = chain.map_err(|wrong| faults.add("client_cert", &wrong));
    let key = read(key, MAX_PAIR_BYTES, writable).and_then(|text| private_key(&text));
    let key = key.map_err(|wrong| faults.add("client_key", &wrong));
    let (chain, key) = (chain.ok()?, key.ok()?);
    let Some(provider) = tls::provider() else {
        faults.add(
            "client_key",
            &format!("can't be used: {}", tls::NO_PROVIDER),
        );
        return None;
    };
    match CertifiedKey::from_der(chain, key, &provider) {
        Ok(pair) => Some(pair),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let wrong = "is not the key of the first certificate in client_cert";
            faults.add("client_key", wrong);
            None
        }
        Err(Error::InvalidCertificate(_)) => {
            faults.add("client_cert", "has a first certificate that can't be read");
            None
        }
        Err(_) => {
            faults.add("client_key", "is not a key that TLS can sign with here");
            None
        }
    }
}

fn read(file: &Path, limit: usize, writable: Writable) -> Result<Zeroizing<Vec<u8>>, String> {
    // Never grown: what is left behind by growing is not wiped.
    let mut text = Zeroizing::new(Vec::with_capacity(limit + 1));
    (GuardedFile::open(file, Links::Followed, writable))
        .and_then(|file| file.read(limit, &mut text))
        // Without its path: it may be the text of a key, given in place of a path.
        .map_err(|error| format!("can't be used: {error}"))?;
    Ok(text)
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("has no certificate in PEM (BEGIN CERTIFICATE)".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(_) => Err("is not valid PEM".to_owned()),
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let is_encrypted = |line: &[u8]| {
        line.starts_with(b"-----BEGIN ENCRYPTED") || line.starts_with(b"Proc-Type: 4,ENCRYPTED")
    };
    if text.split(|byte| *byte == b'\n').any(is_encrypted) {
        return Err(ENCRYPTED.to_owned());
    }
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let (kind, der) = section.map_err(|_| "is not valid PEM".to_owned())?;
        keys.extend(PrivateKeyDer::from_pem(kind, der));
    }
    match keys.pop() {
        Some(key) if keys.is_empty() => Ok(key),
        Some(_) => Err("has more than one private key".to_owned()),
        None => Err("has no private key in PEM (BEGIN PRIVATE KEY)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_limits() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file.pem");
        for (limit, kib) in [(MAX_ROOTS_BYTES, 1024), (MAX_PAIR_BYTES, 64)] {
            for (bytes, is_read) in [(kib * 1024, true), (kib * 1024 + 1, false)] {
                std::fs::write(&file, vec![b' '; bytes]).expect("written");
                let read = read(&file, limit, Writable::Refused);
                assert_eq!(read.is_ok(), is_read, "{bytes}");
            }
        }
    }
}
