//! The third segment of a token: genuine, forged or damaged.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::keys::SigningKey;

/// How a [`Mint`](super::Mint) signs.
///
/// The header stays the same: `alg` is `RS256` unless
/// [`Mint::header`](super::Mint::header) changes it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum SignatureKind {
    /// RSASSA-PKCS1-v1_5 with SHA-256, as GO signs.
    #[default]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// HMAC-SHA-256 with this secret.
    Hs256(Vec<u8>),
    /// HMAC-SHA-256 with the public key as the secret: the algorithm-confusion attack,
    /// which succeeds if a verifier lets the token choose the algorithm.
    Hs256WithPublicKey(PublicKeyForm),
    /// The RS256 signature of another key, with the `kid` unchanged.
    OtherKey(SigningKey),
    /// A genuine RS256 signature of the right key, over the same header and another
    /// payload.
    OfOtherPayload,
    /// A signature of zero bytes: the token ends with its second dot.
    Empty,
    /// The RS256 signature without its last byte.
    Truncated,
    /// The RS256 signature with one more byte, a zero.
    Extended,
    /// The RS256 signature with the lowest bit of its middle byte flipped.
    Corrupted,
    /// As many zero bytes as the modulus has.
    Zeroes,
}

/// Which form of the public key is the secret in [`SignatureKind::Hs256WithPublicKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyForm {
    /// `SubjectPublicKeyInfo` PEM text.
    SpkiPem,
    /// `SubjectPublicKeyInfo` DER.
    SpkiDer,
    /// PKCS#1 `RSAPublicKey` DER.
    Pkcs1Der,
    /// The modulus, big-endian.
    Modulus,
    /// The modulus as base64url text: the member `n` of the published key.
    ModulusText,
}

impl PublicKeyForm {
    /// All five, for a test that covers each.
    pub const ALL: [Self; 5] = [
        Self::SpkiPem,
        Self::SpkiDer,
        Self::Pkcs1Der,
        Self::Modulus,
        Self::ModulusText,
    ];

    fn of(self, key: &SigningKey) -> Vec<u8> {
        match self {
            Self::SpkiPem => key.public_spki_pem().into_bytes(),
            Self::SpkiDer => key.public_spki_der(),
            Self::Pkcs1Der => key.public_pkcs1_der().to_vec(),
            Self::Modulus => key.modulus().to_vec(),
            Self::ModulusText => BASE64_URL_SAFE_NO_PAD.encode(key.modulus()).into_bytes(),
        }
    }
}

impl SignatureKind {
    /// The signature's bytes for `header.payload`, both as they appear in the token.
    pub(crate) fn sign(&self, key: &SigningKey, header: &str, payload: &str) -> Vec<u8> {
        let message = format!("{header}.{payload}");
        let message = message.as_bytes();
        let genuine = || key.sign(&RSA_PKCS1_SHA256, message);
        let changed = |change: fn(&mut Vec<u8>)| {
            let mut signature = genuine();
            change(&mut signature);
            signature
        };
        match self {
            Self::Rs256 => genuine(),
            Self::Rs384 => key.sign(&RSA_PKCS1_SHA384, message),
            Self::Rs512 => key.sign(&RSA_PKCS1_SHA512, message),
            Self::Ps256 => key.sign(&RSA_PSS_SHA256, message),
            Self::Hs256(secret) => hs256(secret, message),
            Self::Hs256WithPublicKey(form) => hs256(&form.of(key), message),
            Self::OtherKey(other) => other.sign(&RSA_PKCS1_SHA256, message),
            Self::OfOtherPayload => {
                let other = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"somebody else"}"#);
                key.sign(&RSA_PKCS1_SHA256, format!("{header}.{other}").as_bytes())
            }
            Self::Empty => Vec::new(),
            Self::Truncated => changed(|signature| signature.truncate(signature.len() - 1)),
            Self::Extended => changed(|signature| signature.push(0)),
            Self::Corrupted => changed(|signature| {
                let middle = signature.len() / 2;
                signature[middle] ^= 1;
            }),
            Self::Zeroes => vec![0; key.modulus().len()],
        }
    }
}

fn hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}
