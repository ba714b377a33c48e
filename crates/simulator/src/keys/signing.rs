//! Key pairs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::hex::hex;

/// Keys generated in this process, handed out again once nobody else holds them.
static POOL: Mutex<Vec<SigningKey>> = Mutex::new(Vec::new());

/// An RSA key pair that signs tokens.
///
/// Cheap to clone. `Debug` shows the size and the [thumbprint](Self::thumbprint), nothing
/// private.
#[derive(Clone)]
pub struct SigningKey(Arc<RsaKeyPair>);

impl SigningKey {
    /// A 2048-bit key that nobody else in this process holds at the moment.
    ///
    /// Generating an RSA key is slow, so keys are reused after their last holder dropped
    /// them: a test binary with hundreds of simulators generates only as many keys as are
    /// held at once. Two keys held at the same time are never the same.
    ///
    /// # Panics
    ///
    /// Panics when the system's random generator fails.
    pub fn pooled() -> Self {
        let free = pool()
            .iter()
            .find(|key| Arc::strong_count(&key.0) == 1)
            .cloned();
        free.unwrap_or_else(|| {
            let key = Self::generate(2048).expect("a system with entropy can generate an RSA key");
            pool().push(key.clone());
            key
        })
    }

    /// A new key of 2048, 3072, 4096 or 8192 bits, outside the pool.
    ///
    /// # Errors
    ///
    /// Fails with [`KeyError::Size`] for any other size, with [`KeyError::Generate`] when
    /// the generator fails.
    pub fn generate(bits: u16) -> Result<Self, KeyError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            8192 => KeySize::Rsa8192,
            other => return Err(KeyError::Size(other)),
        };
        match RsaKeyPair::generate(size) {
            Ok(pair) => Ok(Self(Arc::new(pair))),
            Err(_) => Err(KeyError::Generate),
        }
    }

    /// The key in an unencrypted PKCS#8 DER document.
    ///
    /// # Errors
    ///
    /// Fails with [`KeyError::Rejected`] when the document isn't an RSA private key of
    /// 2048 to 8192 bits.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        match RsaKeyPair::from_pkcs8(der) {
            Ok(pair) => Ok(Self(Arc::new(pair))),
            Err(reason) => Err(KeyError::Rejected(reason.to_string())),
        }
    }

    /// 40 lower-case hexadecimal digits that identify the key: the first 20 bytes of the
    /// SHA-256 of its `RSAPublicKey` DER.
    pub fn thumbprint(&self) -> String {
        hex(&digest(&SHA256, self.public_pkcs1_der()).as_ref()[..20])
    }

    /// The size of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.0.public_modulus_len() * 8
    }

    /// The modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        let modulus = self.0.public_key().modulus();
        modulus.big_endian_without_leading_zero()
    }

    /// The public exponent, big-endian, without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        let exponent = self.0.public_key().exponent();
        exponent.big_endian_without_leading_zero()
    }

    /// The public key as PKCS#1 `RSAPublicKey` DER.
    pub fn public_pkcs1_der(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The public key as X.509 `SubjectPublicKeyInfo` DER.
    ///
    /// # Panics
    ///
    /// Panics when the cryptographic library fails to encode it.
    pub fn public_spki_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("an RSA key encodes");
        der.as_ref().to_vec()
    }

    /// The public key as `SubjectPublicKeyInfo` PEM, with a newline at its end.
    pub fn public_spki_pem(&self) -> String {
        let text = BASE64_STANDARD.encode(self.public_spki_der());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for (at, digit) in text.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(digit);
        }
        pem.push_str("\n-----END PUBLIC KEY-----\n");
        pem
    }

    pub(crate) fn sign(&self, scheme: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(scheme, &SystemRandom::new(), message, &mut signature)
            .expect("a key of at least 2048 bits signs any message");
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("bits", &self.bits())
            .field("thumbprint", &self.thumbprint())
            .finish_non_exhaustive()
    }
}

/// Why a [`SigningKey`] couldn't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Keys of this many bits aren't generated.
    #[error("RSA keys are generated with 2048, 3072, 4096 or 8192 bits, not {0}")]
    Size(u16),
    /// The generator failed.
    #[error("generating an RSA key failed")]
    Generate,
    /// The document isn't a usable RSA private key; the text is the cryptographic
    /// library's reason.
    #[error("not a usable RSA private key: {0}")]
    Rejected(String),
}

fn pool() -> MutexGuard<'static, Vec<SigningKey>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}
