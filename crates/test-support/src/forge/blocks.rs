//! What stands under an RSA signature: PKCS#1 v1.5 blocks, and numbers as wide as one.

use aws_lc_rs::digest::{self, SHA256};
use num_bigint::BigUint;

/// The length of a 2048-bit signature.
pub const SIGNATURE_BYTES: usize = 256;

/// `DigestInfo` of a SHA-256 digest up to the digest (RFC 8017, section 9.2, note 1).
pub const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The same without the NULL parameters, which some verifiers accept.
pub const DIGEST_INFO_WITHOUT_NULL: [u8; 17] = [
    0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04,
    0x20,
];

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

/// `number` in big-endian bytes, zeroes before it up to `width`.
pub fn to_width(number: &BigUint, width: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let zeroes = width.checked_sub(bytes.len()).expect("a number that fits");
    [vec![0; zeroes], bytes].concat()
}

/// The least number whose cube, as wide as a signature, starts with these bytes.
pub fn cube_that_starts_with(start: &[u8]) -> BigUint {
    let mut least = start.to_vec();
    least.resize(SIGNATURE_BYTES, 0);
    let least = BigUint::from_bytes_be(&least);
    let root = least.cbrt();
    if root.pow(3) < least {
        root + 1_u8
    } else {
        root
    }
}
