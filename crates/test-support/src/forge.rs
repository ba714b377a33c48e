//! What a forger has on the desk: keys, private exponents, tokens spelled by hand.
//!
//! Keys are generated once for the whole binary. Their private numbers are at hand, so that a test
//! can put any block at all under an RSA signature, which no signing library will do.

use std::sync::OnceLock;

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_auth::{Config, KeySet, UnixTime, Verified, Verifier, VerifyError};
use derbysoft_go_auth::{VerifyErrorKind as Kind, VerifyErrorKind};
use derbysoft_go_simulator::{Mint, PublishedKey, SigningKey};
use num_bigint::BigUint;
use serde_json::{Value, json};

pub const ISSUER: &str =
    "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
pub const AUDIENCE: &str = "ZKT";
pub const KID: &str = "394b56c3ea524ee59015f9a7e8866312";
/// A moment within the life of every token of [`mint`].
pub const NOW: u64 = 1_800_000_000;

/// The length of a 2048-bit signature.
pub const SIGNATURE_BYTES: usize = 256;

/// `DigestInfo` of a SHA-256 digest up to the digest (RFC 8017, section 9.2, note 1).
pub const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The same without the NULL parameters, which some verifiers let pass.
pub const DIGEST_INFO_WITHOUT_NULL: [u8; 17] = [
    0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04,
    0x20,
];

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

/// The key that GO publishes under [`KID`].
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

/// Tokens as GO sends them, of [`NOW`], by the [`good`] key.
pub fn mint() -> Mint {
    Mint::new(good().signing(), KID, ISSUER, AUDIENCE).at(NOW.cast_signed())
}

/// A document with these keys.
pub fn document(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// A key set with these keys.
#[track_caller]
pub fn key_set(keys: &[Value]) -> KeySet {
    KeySet::from_document(&document(keys)).expect("a usable key set")
}

/// The key set with the [`good`] key under [`KID`], as the simulator publishes it.
pub fn keys() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| {
        let published = PublishedKey::new(good().signing()).with_kid(KID);
        key_set(std::slice::from_ref(published.jwk()))
    })
}

/// The least configuration: one issuer, one audience.
pub fn config() -> Config {
    let mut config = Config::default();
    ISSUER.clone_into(&mut config.issuer);
    config.audience = vec![AUDIENCE.to_owned()];
    config
}

pub fn verifier() -> Verifier {
    config().verifier().expect("a good configuration")
}

/// A verifier whose configuration departs from the least one.
pub fn verifier_with(change: impl FnOnce(&mut Config)) -> Verifier {
    let mut config = config();
    change(&mut config);
    config.verifier().expect("a good configuration")
}

/// The least configuration's word on a token, with the usual keys, at [`NOW`].
pub fn judge(token: &str) -> Result<Verified, VerifyError> {
    judge_with(&verifier(), token)
}

pub fn judge_with(verifier: &Verifier, token: &str) -> Result<Verified, VerifyError> {
    verifier.verify(token, keys(), UnixTime::from_secs(NOW))
}

/// What is given, the token, and the kind of the refusal.
pub type Case = (String, String, Kind);

pub fn case(given: impl Into<String>, token: impl Into<String>, kind: Kind) -> Case {
    (given.into(), token.into(), kind)
}

/// Holds each case against the least configuration, and names all that fail.
#[track_caller]
pub fn assert_refused(cases: &[Case]) {
    assert_refused_with(&verifier(), keys(), cases);
}

#[track_caller]
pub fn assert_refused_with(verifier: &Verifier, keys: &KeySet, cases: &[Case]) {
    assert!(!cases.is_empty());
    let now = UnixTime::from_secs(NOW);
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|(given, token, expected)| {
            let verdict = match verifier.verify(token, keys, now) {
                Ok(_) => "accepted".to_owned(),
                Err(error) => {
                    assert_harmless(&error);
                    if error.kind() == *expected {
                        return None;
                    }
                    format!("{:?}", error.kind())
                }
            };
            Some(format!("given {given}: {verdict}, not {expected:?}"))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A refusal's text can go into a quoted header parameter as it is.
#[track_caller]
pub fn assert_harmless(error: &VerifyError) {
    let printable = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    for text in [error.detail(), &error.to_string(), error.kind().as_str()] {
        assert!(!text.is_empty() && text.chars().all(printable), "{text:?}");
    }
}

/// The kind of a refusal; a panic that names `given` where there is none.
#[track_caller]
pub fn refusal(given: &str, verdict: Result<Verified, VerifyError>) -> VerifyErrorKind {
    match verdict {
        Ok(_) => panic!("given {given}: accepted"),
        Err(error) => {
            assert_harmless(&error);
            error.kind()
        }
    }
}

/// A token of three segments as they are given, the signature over the first two by [`good`].
pub fn sign_segments(header: &str, payload: &str) -> String {
    let message = format!("{header}.{payload}");
    let signature = good().sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

/// A genuine signature over this header.
pub fn headed(header: impl Into<Vec<u8>>) -> String {
    mint().raw_header(header).token()
}

/// A genuine signature over this payload.
pub fn paid(payload: impl Into<Vec<u8>>) -> String {
    mint().raw_payload(payload).token()
}

/// The good payload's text with `more` inserted before its closing brace.
pub fn payload_and(more: &str) -> String {
    let text = mint().payload_text();
    format!("{},{more}}}", &text[..text.len() - 1])
}

/// A good header with `more` before its closing brace.
pub fn header_and(more: &str) -> String {
    format!(r#"{{"alg":"RS256","kid":"{KID}",{more}}}"#)
}

/// The three segments of a token.
pub fn segments(token: &str) -> [&str; 3] {
    let segments: Vec<&str> = token.split('.').collect();
    segments.try_into().expect("three segments")
}

/// `token` with another signature.
pub fn with_signature(token: &str, signature: &[u8]) -> String {
    let [header, payload, _] = segments(token);
    format!("{header}.{payload}.{}", encode(signature))
}

/// What the token's signature covers.
pub fn message(token: &str) -> &[u8] {
    token.rsplit_once('.').expect("a dot").0.as_bytes()
}

/// The RSASSA-PKCS1-v1_5 block of `message` as wide as a 2048-bit modulus, with any `DigestInfo`.
pub fn block(digest_info: &[u8], message: &[u8]) -> Vec<u8> {
    padded(
        &[digest_info, &sha256(message)[..]].concat(),
        SIGNATURE_BYTES,
    )
}

/// What PKCS#1 v1.5 puts before `end` to make it `width` bytes long (RFC 8017, section 9.2).
pub fn padded(end: &[u8], width: usize) -> Vec<u8> {
    let filler = width.checked_sub(3 + end.len()).expect("room for padding");
    [&[0, 1], &*vec![0xff; filler], &[0], end].concat()
}

pub fn sha256(message: &[u8]) -> Vec<u8> {
    digest::digest(&SHA256, message).as_ref().to_vec()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .expect("canonical base64url")
}

/// A number as JWKs spell it.
pub fn text(number: &BigUint) -> String {
    encode(number.to_bytes_be())
}

/// `number` in big-endian bytes, zeroes before it up to `width`.
pub fn to_width(number: &BigUint, width: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let zeroes = width.checked_sub(bytes.len()).expect("a number that fits");
    [vec![0; zeroes], bytes].concat()
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
