//! A forger's tools: keys with known private numbers, tokens spelled by hand, and the verdicts on
//! them.
//!
//! Keys are generated once for the whole binary. With their private numbers a test can put any block
//! at all under an RSA signature, which no signing library will do.

mod blocks;
mod keys;
mod tokens;
mod verdicts;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use num_bigint::BigUint;

pub use self::blocks::{
    DIGEST_INFO, DIGEST_INFO_WITHOUT_NULL, SIGNATURE_BYTES, block, cube_that_starts_with, padded,
    sha256, to_width,
};
pub use self::keys::{PrivateKey, cubic, foreign, good};
pub use self::tokens::{
    claiming, claims, claims_of, headed, header_and, message, mint, paid, payload_and, segments,
    sign_segments, with_signature,
};
pub use self::verdicts::{
    Case, assert_harmless, assert_refused, assert_refused_with, assert_serves, case, config,
    document, judge, judge_with, key_set, keys, refusal, verifier, verifier_with,
};

pub const ISSUER: &str =
    "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
pub const AUDIENCE: &str = "ZKT";
pub const KID: &str = "394b56c3ea524ee59015f9a7e8866312";
/// A moment within the life of every token of [`mint`].
pub const NOW: u64 = 1_800_000_000;

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
