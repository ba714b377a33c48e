//! Wrong digests, none at all, and PSS: a signature by the right key over another digest or in
//! another scheme is rejected under the label RS256.

use aws_lc_rs::digest::{
    self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA3_256, SHA3_384, SHA3_512, SHA224, SHA256,
    SHA384, SHA512, SHA512_256,
};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};

use derbysoft_go_auth::authenticate::VerifyErrorKind;

use super::der::{digest_info, element};
use super::{forged, hold};
use test_support::forge::{
    Case, KID, SIGNATURE_BYTES, decode, encode, good, judge, message, mint, padded, segments,
    sha256, sign_segments,
};

/// The OBJECT IDENTIFIER of SHA-256, 2.16.840.1.101.3.4.2.1.
pub(super) const SHA256_OID: [u8; 11] = nist(1);

/// One of NIST's digests.
const fn nist(arc: u8) -> [u8; 11] {
    [6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc]
}

/// A digest's name, its OBJECT IDENTIFIER, and the digest where it can be computed.
type Hash = (&'static str, Vec<u8>, Option<&'static Algorithm>);

fn hashes() -> Vec<Hash> {
    let rsa = |arcs: &[u8]| {
        let company = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d];
        element(6, &[&company, arcs].concat())
    };
    let sm3 = element(6, &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11]);
    vec![
        ("MD2", rsa(&[2, 2]), None),
        ("MD5", rsa(&[2, 5]), None),
        (
            "SHA-1",
            element(6, &[0x2b, 0x0e, 0x03, 0x02, 0x1a]),
            Some(&SHA1_FOR_LEGACY_USE_ONLY),
        ),
        ("RIPEMD-160", element(6, &[0x2b, 0x24, 3, 2, 1]), None),
        ("SM3", sm3, None),
        ("SHA-224", nist(4).into(), Some(&SHA224)),
        ("SHA-384", nist(2).into(), Some(&SHA384)),
        ("SHA-512", nist(3).into(), Some(&SHA512)),
        ("SHA-512/224", nist(5).into(), None),
        ("SHA-512/256", nist(6).into(), Some(&SHA512_256)),
        ("SHA3-224", nist(7).into(), None),
        ("SHA3-256", nist(8).into(), Some(&SHA3_256)),
        ("SHA3-384", nist(9).into(), Some(&SHA3_384)),
        ("SHA3-512", nist(10).into(), Some(&SHA3_512)),
        ("SHAKE128", nist(11).into(), None),
        ("SHAKE256", nist(12).into(), None),
        ("RSA itself", rsa(&[1, 1, 1]), None),
        ("RSA with SHA-256", rsa(&[1, 1, 11]), None),
    ]
}

/// The block of an honest signature with this digest.
fn pkcs1(oid: &[u8], digest: &[u8]) -> Vec<u8> {
    padded(&digest_info(oid, digest).der(), SIGNATURE_BYTES)
}

fn digest(algorithm: &'static Algorithm, message: &[u8]) -> Vec<u8> {
    digest::digest(algorithm, message).as_ref().to_vec()
}

/// Asserts that a block is an honest one, of the scheme that it is meant to be of.
#[track_caller]
fn assert_honest(scheme: &'static RsaParameters, token: &str, block: &[u8]) {
    let key = UnparsedPublicKey::new(scheme, good().signing().public_pkcs1_der().to_vec());
    key.verify(message(token), &good().raise(block))
        .expect("an honest signature");
}

#[test]
fn another_digest_by_the_right_key_is_rejected() {
    let token = mint().token();
    let ours = sha256(message(&token));
    let mut cases = Vec::new();
    for (name, oid, algorithm) in hashes() {
        let mut add = |given: &str, block: &[u8]| cases.push(forged(&token, given, block));
        add(
            &format!("a SHA-256 digest called {name}"),
            &pkcs1(&oid, &ours),
        );
        if let Some(algorithm) = algorithm {
            let theirs = digest(algorithm, message(&token));
            add(&format!("an honest {name}"), &pkcs1(&oid, &theirs));
            add(
                &format!("a digest by {name} called SHA-256"),
                &pkcs1(&SHA256_OID, &theirs),
            );
        }
    }
    hold("wrong hash", 34, &cases);

    let honest = |oid: &[u8], algorithm| pkcs1(oid, &digest(algorithm, message(&token)));
    for (scheme, block) in [
        (
            &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            honest(&hashes()[2].1, &SHA1_FOR_LEGACY_USE_ONLY),
        ),
        (&RSA_PKCS1_2048_8192_SHA384, honest(&nist(2), &SHA384)),
        (&RSA_PKCS1_2048_8192_SHA512, honest(&nist(3), &SHA512)),
    ] {
        assert_honest(scheme, &token, &block);
    }
}

/// X.690, section 8.19: what a reader of OBJECT IDENTIFIERs may take for the one of SHA-256.
#[test]
fn an_oid_close_to_sha_256_is_rejected() {
    let token = mint().token();
    let digest = sha256(message(&token));
    let arcs = &SHA256_OID[2..];
    let (above, last) = arcs.split_at(arcs.len() - 1);
    let cases: Vec<Case> = [
        ("an arc 1 more", [arcs, &[1]].concat()),
        ("an arc 0 more", [arcs, &[0]].concat()),
        ("an arc less", above.to_vec()),
        (
            "the last arc with a leading zero",
            [above, &[0x80], last].concat(),
        ),
        (
            "the last arc with many leading zeros",
            [above, &[0x80; 12], last].concat(),
        ),
        ("the last arc unfinished", [above, &[0x81]].concat()),
        (
            "the last arc 2^32 more",
            [above, &[0x90, 0x80, 0x80, 0x80], last].concat(),
        ),
        (
            "the last arc 2^64 more",
            [
                above,
                &[0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
                last,
            ]
            .concat(),
        ),
        (
            "the last arc of 63 bits",
            [above, &[0xff; 9], last].concat(),
        ),
        ("the first arcs 0.0", [&[0], &arcs[1..]].concat()),
        ("another root", [&[0x88], arcs].concat()),
        ("the arcs twice", [arcs, arcs].concat()),
    ]
    .map(|(given, arcs)| forged(&token, given, &pkcs1(&element(6, &arcs), &digest)))
    .into();
    hold("object identifier", 12, &cases);
}

#[test]
fn a_block_without_the_digest_is_rejected() {
    // A message that fits in a block.
    let header = encode(format!(r#"{{"alg":"RS256","kid":"{KID}"}}"#));
    let token = sign_segments(&header, &encode("{}"));
    let [header, payload, _] = segments(&token);
    let ours = message(&token);
    let digest = sha256(ours);
    let of = |digest: &[u8]| pkcs1(&SHA256_OID, digest);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let reversed: Vec<u8> = digest.iter().rev().copied().collect();
    let plain = [decode(header), b".".into(), decode(payload)].concat();
    let encrypted = |end: &[u8]| {
        let mut block = padded(end, SIGNATURE_BYTES);
        block[1] = 2;
        block
    };

    let cases: Vec<Case> = [
        (
            "the digest without DigestInfo",
            padded(&digest, SIGNATURE_BYTES),
        ),
        (
            "the message without DigestInfo",
            padded(ours, SIGNATURE_BYTES),
        ),
        ("the message, encrypted", encrypted(ours)),
        ("the message as a digest", of(ours)),
        ("the digest in hexadecimal", of(hex.as_bytes())),
        ("the digest in base64url", of(encode(&digest).as_bytes())),
        ("the digest backwards", of(&reversed)),
        ("the digest of the digest", of(&sha256(&digest))),
        ("the digest of nothing", of(&sha256(b""))),
        ("the digest of the header", of(&sha256(header.as_bytes()))),
        ("the digest of the payload", of(&sha256(payload.as_bytes()))),
        ("the digest of both, decoded", of(&sha256(&plain))),
        (
            "the digest of the message and a dot",
            of(&sha256(&[ours, b"."].concat())),
        ),
        (
            "the digest of the whole token",
            of(&sha256(token.as_bytes())),
        ),
        ("32 zeros", of(&[0; 32])),
        ("an empty digest", of(&[])),
        ("half of the digest", of(&digest[..16])),
    ]
    .map(|(given, block)| forged(&token, given, &block))
    .into();
    hold("no hash", 17, &cases);
    // The token without a fault has no claims, and nothing else is wrong with it.
    let honest = judge(&token).expect_err("no claims");
    assert_eq!(honest.kind(), VerifyErrorKind::MissingClaim);
}

#[test]
fn a_pss_signature_by_the_right_key_is_rejected() {
    let token = mint().token();
    let mut cases = Vec::new();
    for (name, algorithm, salts) in [
        ("SHA-256", &SHA256, &[0, 1, 20, 31, 32, 33, 64, 222][..]),
        ("SHA-384", &SHA384, &[0, 20, 48]),
        ("SHA-512", &SHA512, &[0, 20, 64]),
    ] {
        for salt in salts {
            let block = pss(algorithm, *salt, message(&token));
            let given = format!("PSS with {name} and a salt of {salt} bytes");
            cases.push(forged(&token, given, &block));
        }
    }
    hold("PSS", 14, &cases);

    for (scheme, algorithm) in [
        (&RSA_PSS_2048_8192_SHA256, &SHA256),
        (&RSA_PSS_2048_8192_SHA384, &SHA384),
        (&RSA_PSS_2048_8192_SHA512, &SHA512),
    ] {
        let salt = algorithm.output_len();
        assert_honest(scheme, &token, &pss(algorithm, salt, message(&token)));
    }
}

/// EMSA-PSS-ENCODE for a modulus of 2048 bits: RFC 8017, section 9.1.1.
fn pss(algorithm: &'static Algorithm, salt: usize, message: &[u8]) -> Vec<u8> {
    let salt = vec![0x5a; salt];
    let hash = digest(
        algorithm,
        &[&[0; 8], &digest(algorithm, message)[..], &salt].concat(),
    );
    let room = SIGNATURE_BYTES - hash.len() - 1;
    let zeros = vec![0; room - 1 - salt.len()];
    let data = [&zeros[..], &[1], &salt].concat();
    // MGF1: appendix B.2.1.
    let mask = (0_u32..).flat_map(|counter| {
        let seed = [&hash[..], &counter.to_be_bytes()].concat();
        digest(algorithm, &seed)
    });
    let mut block: Vec<u8> = data
        .iter()
        .zip(mask)
        .map(|(data, mask)| data ^ mask)
        .collect();
    block[0] &= 0x7f;
    block.extend_from_slice(&hash);
    block.push(0xbc);
    block
}
