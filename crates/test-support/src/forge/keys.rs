//! RSA keys with all their numbers.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaEncoding};
use derbysoft_go_simulator::SigningKey;
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::{SIGNATURE_BYTES, text, to_width};

/// An RSA key of 2048 bits, all numbers known.
pub struct PrivateKey {
    pub n: BigUint,
    pub e: BigUint,
    pub d: BigUint,
    pub p: BigUint,
    pub q: BigUint,
    pair: Option<KeyPair>,
    signing: Option<SigningKey>,
}

impl PrivateKey {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().expect("its PKCS#8 form");
        let [modulus, public, private, first, second] = private_numbers(pkcs8.as_ref());
        let signing = SigningKey::from_pkcs8(pkcs8.as_ref()).expect("a signing key");
        Self {
            n: modulus,
            e: public,
            d: private,
            p: first,
            q: second,
            pair: Some(pair),
            signing: Some(signing),
        }
    }

    /// A key whose exponent is 3: from primes of which neither is 1 modulo 3.
    fn generate_cubic() -> Self {
        let (one, three) = (BigUint::from(1_u8), BigUint::from(3_u8));
        let mut primes = Vec::new();
        while primes.len() < 2 {
            let Self { p, q, .. } = Self::generate();
            primes.extend([p, q].into_iter().filter(|prime| prime % &three != one));
        }
        let (q, p) = (primes.remove(1), primes.remove(0));
        let order = (&p - &one) * (&q - &one);
        let d = three.modinv(&order).expect("3 is prime to the order");
        Self {
            n: &p * &q,
            e: three,
            d,
            p,
            q,
            pair: None,
            signing: None,
        }
    }

    /// For the simulator's mint.
    pub fn signing(&self) -> SigningKey {
        self.signing.clone().expect("a key with a usual exponent")
    }

    /// The honest signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_with(&RSA_PKCS1_SHA256, message)
    }

    /// An honest signature of any scheme.
    pub fn sign_with(&self, scheme: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; SIGNATURE_BYTES];
        self.pair()
            .sign(scheme, &SystemRandom::new(), message, &mut signature)
            .expect("a signature");
        signature
    }

    fn pair(&self) -> &KeyPair {
        self.pair.as_ref().expect("a key with a usual exponent")
    }

    /// The whole key as a PKCS#8 document.
    pub fn pkcs8(&self) -> Vec<u8> {
        let pkcs8: Pkcs8V1Der<'_> = self.pair().as_der().expect("its PKCS#8 form");
        pkcs8.as_ref().to_vec()
    }

    /// `block` to the power of the private exponent: the raw RSA operation.
    pub fn raise(&self, block: &[u8]) -> Vec<u8> {
        // By the Chinese remainder theorem, which makes it four times as fast.
        let number = BigUint::from_bytes_be(block);
        let power = |prime: &BigUint| number.modpow(&(&self.d % (prime - 1_u8)), prime);
        let (first, second) = (power(&self.p), power(&self.q));
        let inverse = self.q.modinv(&self.p).expect("two primes");
        let step = (inverse * (first + &self.p - &second % &self.p)) % &self.p;
        let number = second + step * &self.q;
        to_width(&number, SIGNATURE_BYTES)
    }

    /// The block under a signature: what a verifier gets to see.
    pub fn lower(&self, signature: &[u8]) -> Vec<u8> {
        let number = BigUint::from_bytes_be(signature).modpow(&self.e, &self.n);
        to_width(&number, SIGNATURE_BYTES)
    }

    /// The public half as a member of a key set.
    pub fn jwk(&self, kid: &str) -> Value {
        json!({
            "alg": "RS256", "e": text(&self.e), "kid": kid,
            "kty": "RSA", "n": text(&self.n), "use": "sig",
        })
    }
}

/// The key that GO publishes under [`KID`](super::KID).
pub fn good() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(PrivateKey::generate)
}

/// A key that nobody publishes.
pub fn foreign() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(PrivateKey::generate)
}

/// A key with exponent 3, which the rules allow.
pub fn cubic() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(PrivateKey::generate_cubic)
}

/// n, e, d, p and q of a PKCS#8 document (RFC 5208, section 5, and RFC 8017, appendix A.1.2).
fn private_numbers(pkcs8: &[u8]) -> [BigUint; 5] {
    let (_, info, _) = element(pkcs8);
    let (_, _version, rest) = element(info);
    let (_, _algorithm, rest) = element(rest);
    let (_, key, _) = element(rest);
    let (_, mut rest, _) = element(key);
    let mut numbers = Vec::new();
    while !rest.is_empty() && numbers.len() < 6 {
        let (_, number, after) = element(rest);
        numbers.push(BigUint::from_bytes_be(number));
        rest = after;
    }
    numbers.remove(0); // the version
    numbers.try_into().expect("five numbers")
}

/// Tag, content and what follows, of a DER element.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, short) = (der[0], usize::from(der[1]));
    let (start, length) = if short < 0x80 {
        (2, short)
    } else {
        let digits = &der[2..2 + (short & 0x7f)];
        let length = digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        (2 + digits.len(), length)
    };
    (tag, &der[start..start + length], &der[start + length..])
}
