//! Key pairs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaEncoding, RsaKeyPair};
use aws_lc_rs::{digest, digest::SHA256};
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
pub struct SigningKey(Arc<Material>);

struct Material {
    pair: RsaKeyPair,
    spki: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    thumbprint: String,
}

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
        RsaKeyPair::generate(size)
            .ok()
            .and_then(Self::from_pair)
            .ok_or(KeyError::Generate)
    }

    /// The key in an unencrypted PKCS#8 DER document.
    ///
    /// # Errors
    ///
    /// Fails with [`KeyError::Rejected`] when the document isn't an RSA private key of
    /// 2048 to 8192 bits.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair =
            RsaKeyPair::from_pkcs8(der).map_err(|reason| KeyError::Rejected(reason.to_string()))?;
        Self::from_pair(pair).ok_or_else(|| KeyError::Rejected("no public part".to_owned()))
    }

    fn from_pair(pair: RsaKeyPair) -> Option<Self> {
        let public = pair.public_key();
        let spki: PublicKeyX509Der<'static> = public.as_der().ok()?;
        let (modulus, exponent) = rsa_public_key(public.as_ref())?;
        let thumbprint = hex(&digest::digest(&SHA256, public.as_ref()).as_ref()[..20]);
        Some(Self(Arc::new(Material {
            spki: spki.as_ref().to_vec(),
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
            thumbprint,
            pair,
        })))
    }

    /// 40 lower-case hexadecimal digits that identify the key: the first 20 bytes of the
    /// SHA-256 of its `RSAPublicKey` DER.
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    /// The size of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.0.pair.public_modulus_len() * 8
    }

    /// The modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.0.modulus
    }

    /// The public exponent, big-endian, without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.0.exponent
    }

    /// The public key as PKCS#1 `RSAPublicKey` DER.
    pub fn public_pkcs1_der(&self) -> &[u8] {
        self.0.pair.public_key().as_ref()
    }

    /// The public key as X.509 `SubjectPublicKeyInfo` DER.
    pub fn public_spki_der(&self) -> &[u8] {
        &self.0.spki
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
        let mut signature = vec![0; self.0.pair.public_modulus_len()];
        self.0
            .pair
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

fn pool() -> std::sync::MutexGuard<'static, Vec<SigningKey>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Modulus and exponent of a DER `RSAPublicKey`, a sequence of two integers (RFC 8017,
/// A.1.1).
fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    let (sequence, _) = element(SEQUENCE, der)?;
    let (modulus, rest) = element(INTEGER, sequence)?;
    let (exponent, _) = element(INTEGER, rest)?;
    Some((unsigned(modulus), unsigned(exponent)))
}

fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_first_chunk::<2>()?;
    if head[0] != tag {
        return None;
    }
    let (length, rest) = match head[1] {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
    };
    rest.split_at_checked(length)
}

fn unsigned(integer: &[u8]) -> &[u8] {
    let zeroes = integer.iter().take_while(|byte| **byte == 0).count();
    &integer[zeroes..]
}
