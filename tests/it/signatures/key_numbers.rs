//! Keys whose numbers break the rules: a signature that verifies with one is of an unknown key, even
//! where it is published.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::{Published, hold_published, say};
use test_support::forge::{
    DIGEST_INFO, KID, NOW, cubic, foreign, good, key_set, message, mint, padded, sha256, text,
    to_width, verifier, with_signature,
};

/// An RSA key of any number of primes: a signature is right as long as each divides the modulus once.
struct Numbers {
    primes: Vec<BigUint>,
    e: BigUint,
}

impl Numbers {
    fn new(primes: &[&BigUint], e: u64) -> Self {
        Self {
            primes: primes.iter().map(|prime| (*prime).clone()).collect(),
            e: e.into(),
        }
    }

    /// With the first exponent from `least` on that has an inverse.
    fn with_exponent_from(primes: &[&BigUint], least: BigUint) -> Self {
        let mut key = Self::new(primes, 1);
        key.e = least;
        while key.private_exponents().is_none() {
            key.e += 2_u8;
        }
        key
    }

    fn modulus(&self) -> BigUint {
        self.primes.iter().product()
    }

    fn jwk(&self) -> Value {
        json!({
            "kty": "RSA", "kid": KID, "use": "sig", "alg": "RS256",
            "n": text(&self.modulus()), "e": text(&self.e),
        })
    }

    /// For each prime; none at all if the exponent is not prime to the order.
    fn private_exponents(&self) -> Option<Vec<BigUint>> {
        let one = BigUint::from(1_u8);
        let inverse = |prime: &BigUint| {
            let order = prime - &one;
            // Modulo 2, every power is the number itself.
            if order == one {
                Some(one.clone())
            } else {
                self.e.modinv(&order)
            }
        };
        self.primes.iter().map(inverse).collect()
    }

    /// The token with the signature that is right by these numbers.
    fn sign(&self, token: &str) -> String {
        let modulus = self.modulus();
        let width = usize::try_from(modulus.bits().div_ceil(8)).expect("a small number");
        let end = [&DIGEST_INFO[..], &sha256(message(token))].concat();
        let block = BigUint::from_bytes_be(&padded(&end, width));
        let exponents = self
            .private_exponents()
            .expect("an exponent with an inverse");
        // Garner's way from the remainders to the number.
        let (mut signature, mut product) = (BigUint::ZERO, BigUint::from(1_u8));
        for (prime, exponent) in self.primes.iter().zip(exponents) {
            let remainder = block.modpow(&exponent, prime);
            let inverse = product.modinv(prime).expect("different primes");
            let step = (remainder + prime - &signature % prime) * inverse % prime;
            signature += step * &product;
            product *= prime;
        }
        assert_eq!(signature.modpow(&self.e, &modulus), block, "a signature");
        with_signature(token, &to_width(&signature, width))
    }
}

fn primes() -> [&'static BigUint; 6] {
    let [ours, other, third] = [good(), foreign(), cubic()];
    [&ours.p, &ours.q, &other.p, &other.q, &third.p, &third.q]
}

/// The control: signatures made in the same way, by numbers that the rules allow.
#[test]
fn keys_with_numbers_within_the_rules_sign() {
    let primes = primes();
    let usual = &primes[..2];
    let keys = [
        ("two primes", Numbers::new(usual, 65537)),
        (
            "three primes, some 3072 bits",
            Numbers::new(&primes[..3], 65537),
        ),
        (
            "four primes, some 4096 bits",
            Numbers::new(&primes[..4], 65537),
        ),
        (
            "the least exponent with an inverse",
            Numbers::with_exponent_from(usual, 3_u8.into()),
        ),
        (
            "an exponent close to 2^32",
            Numbers::with_exponent_from(usual, BigUint::from((1_u64 << 32) + 1)),
        ),
    ];
    for (given, numbers) in &keys {
        let token = numbers.sign(&mint().token());
        let keys = key_set(&[numbers.jwk()]);
        let verdict = verifier().verify(&token, &keys, UnixTime::from_secs(NOW));
        assert!(verdict.is_ok(), "given {given}: {verdict:?}");
    }
    say("key numbers accepted", 5, keys.len());
}

#[test]
fn keys_with_other_numbers_are_unknown() {
    let primes = primes();
    let (one, usual) = (&primes[..1], &primes[..2]);
    let two = BigUint::from(2_u8);
    let above = |exponent: u32| (BigUint::from(1_u8) << exponent) + 1_u8;
    let keys = [
        // Whoever has the public key can sign: the signature is the block itself.
        ("the exponent 1", Numbers::new(usual, 1)),
        ("a modulus of 1024 bits", Numbers::new(one, 65537)),
        (
            "a modulus of 1024 bits and the exponent 1",
            Numbers::new(one, 1),
        ),
        (
            "an even modulus of 1025 bits",
            Numbers::new(&[&[&two], one].concat(), 65537),
        ),
        (
            "an even modulus of 2049 bits",
            Numbers::new(&[&[&two], usual].concat(), 65537),
        ),
        (
            "five primes, some 5120 bits",
            Numbers::new(&primes[..5], 65537),
        ),
        ("six primes, some 6144 bits", Numbers::new(&primes, 65537)),
        (
            "an exponent of 34 bits",
            Numbers::with_exponent_from(usual, above(33)),
        ),
        (
            "an exponent of 64 bits",
            Numbers::with_exponent_from(usual, above(63)),
        ),
        (
            "an exponent of 65 bits",
            Numbers::with_exponent_from(usual, above(64)),
        ),
        (
            "an exponent that is 65537 in 64 bits",
            wrapping_to_65537(usual),
        ),
        (
            "an exponent of 2047 bits",
            Numbers::with_exponent_from(usual, above(2046)),
        ),
    ];
    let cases: Vec<Published> = keys
        .iter()
        .map(|(given, numbers)| {
            let token = numbers.sign(&mint().token());
            Published::new(*given, &[numbers.jwk()], token, Kind::UnknownKey)
        })
        .collect();
    hold_published("key numbers", 12, &cases);
}

fn wrapping_to_65537(primes: &[&BigUint]) -> Numbers {
    let mut numbers = Numbers::new(primes, 65537);
    loop {
        numbers.e += BigUint::from(1_u8) << 64;
        if numbers.private_exponents().is_some() {
            return numbers;
        }
    }
}
