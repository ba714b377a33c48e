//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3): the only signature check in
//! this crate.
//!
//! The key is prepared once, when its document is loaded: rebuilding it for each token
//! costs about a fifth of the verification itself. aws-lc checks the size of a prepared
//! key only when it verifies, so size, parity and exponent are checked here, at load.

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

/// The smallest modulus in bits: RFC 7518, section 3.3, "MUST".
pub(crate) const MIN_MODULUS_BITS: usize = 2048;

/// The largest modulus in bits. GO's keys have 2048; the cost of a check grows with the
/// square, so a published 16384-bit key would be a weapon.
pub(crate) const MAX_MODULUS_BITS: usize = 4096;

/// The largest exponent: aws-lc's own limit is 33 bits.
const MAX_EXPONENT: u64 = 1 << 33;

/// Why an RSA public key can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFault {
    ModulusSize,
    EvenModulus,
    Exponent,
    Rejected,
}

/// An RSA public key, ready to verify.
pub(crate) struct PublicKey {
    prepared: ParsedPublicKey,
    modulus: Box<[u8]>,
    exponent: u64,
}

impl PublicKey {
    /// From a modulus and an exponent, big-endian, leading zeros allowed.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyFault> {
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);
        if !(MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&bits(modulus)) {
            return Err(KeyFault::ModulusSize);
        }
        if modulus.last().is_none_or(|last| last % 2 == 0) {
            return Err(KeyFault::EvenModulus);
        }
        if exponent.len() > size_of::<u64>() {
            return Err(KeyFault::Exponent);
        }
        let value = exponent
            .iter()
            .fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        if !(3..=MAX_EXPONENT).contains(&value) || value % 2 == 0 {
            return Err(KeyFault::Exponent);
        }
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        let prepared = components
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyFault::Rejected)?;
        Ok(Self {
            prepared,
            modulus: modulus.into(),
            exponent: value,
        })
    }

    /// Whether `signature` was made with this key over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // RFC 8017, section 8.2.2, step 1.
        signature.len() == self.modulus.len()
            && self.prepared.verify_sig(message, signature).is_ok()
    }

    pub(crate) fn modulus_bits(&self) -> usize {
        bits(&self.modulus)
    }

    pub(crate) fn same_material(&self, other: &Self) -> bool {
        self.modulus == other.modulus && self.exponent == other.exponent
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("modulus_bits", &self.modulus_bits())
            .field("exponent", &self.exponent)
            .finish_non_exhaustive()
    }
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// The length in bits of a number without leading zero bytes.
fn bits(number: &[u8]) -> usize {
    number
        .first()
        .map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// The length in bits of a number that may have leading zero bytes.
pub(crate) fn bits_of(number: &[u8]) -> usize {
    bits(without_leading_zeros(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulus(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= bits.div_ceil(8) * 8 - bits;
        modulus
    }

    #[test]
    fn the_size_is_2048_to_4096_bits() {
        for (bits, usable) in [
            (512, false),
            (1024, false),
            (2047, false),
            (2048, true),
            (2049, true),
            (3072, true),
            (4096, true),
            (4097, false),
            (16384, false),
        ] {
            let key = PublicKey::new(&modulus(bits), &[1, 0, 1]);
            assert_eq!(
                key.as_ref().err(),
                (!usable).then_some(&KeyFault::ModulusSize),
                "{bits}"
            );
            if let Ok(key) = key {
                assert_eq!(key.modulus_bits(), bits);
            }
        }
        assert_eq!(
            PublicKey::new(&[], &[3]).unwrap_err(),
            KeyFault::ModulusSize
        );
    }

    #[test]
    fn an_even_modulus_is_rejected() {
        let mut even = modulus(2048);
        even[255] = 0xfe;
        assert_eq!(
            PublicKey::new(&even, &[1, 0, 1]).unwrap_err(),
            KeyFault::EvenModulus
        );
    }

    #[test]
    fn the_exponent_is_odd_and_3_to_2_to_the_33rd() {
        let modulus = modulus(2048);
        for exponent in [
            &[3][..],
            &[1, 0, 1],
            &[0, 0, 1, 0, 1],
            &[1, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(PublicKey::new(&modulus, exponent).is_ok(), "{exponent:?}");
        }
        for exponent in [&[][..], &[0], &[1], &[2], &[4], &[2, 0, 0, 0, 1], &[1; 9]] {
            let key = PublicKey::new(&modulus, exponent);
            assert_eq!(key.unwrap_err(), KeyFault::Exponent, "{exponent:?}");
        }
    }

    #[test]
    fn leading_zeros_change_nothing() {
        let plain = PublicKey::new(&modulus(2048), &[1, 0, 1]).unwrap();
        let mut padded = vec![0, 0];
        padded.extend(modulus(2048));
        let padded = PublicKey::new(&padded, &[0, 1, 0, 1]).unwrap();
        assert!(plain.same_material(&padded));
        assert_eq!(padded.modulus_bits(), 2048);
    }
}
