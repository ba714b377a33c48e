//! Padding: the right key raised to any block but the one of RFC 8017, section 9.2, signs nothing.

use std::collections::HashSet;

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use num_bigint::BigUint;

use super::der::{Node, digest_info};
use super::digests::SHA256_OID;
use super::{forged, hold};
use test_support::forge::{
    Case, DIGEST_INFO, SIGNATURE_BYTES, block, case, decode, good, judge, message, mint, padded,
    sha256, to_width, with_signature,
};

/// Always the same, so that the number of blocks that differ is too.
fn token() -> String {
    mint().token_id("QXcqzneuVBbRPn194ks9AQ").token()
}

fn tree_of(token: &str) -> Node {
    digest_info(&SHA256_OID, &sha256(message(token)))
}

/// The control of every block forged here: the same tools, an honest block, a good verdict.
#[test]
fn the_right_block_raised_by_hand_is_accepted() {
    let token = token();
    let honest = padded(&tree_of(&token).der(), SIGNATURE_BYTES);
    assert_eq!(honest, block(&DIGEST_INFO, message(&token)));
    let (_, by_hand, _) = forged(&token, "the honest block", &honest);
    assert_eq!(by_hand, token);
    judge(&by_hand).expect("the honest block");
    // Nor does a tree change that is put together with one of its nodes in that node's place.
    let tree = tree_of(&token);
    for node in tree.all() {
        assert_eq!(tree.der_with(node.name, &node.der()), tree.der());
    }
}

#[test]
fn a_spoilt_digest_info_is_rejected() {
    let token = token();
    let tree = tree_of(&token);
    let nodes = tree.all();
    let expected = [
        ("DigestInfo", 69),
        ("AlgorithmIdentifier", 60),
        ("OBJECT IDENTIFIER", 59),
        ("NULL", 40),
        ("OCTET STRING", 56),
    ];
    assert_eq!(nodes.len(), expected.len());
    // What two nodes give alike counts for the first: a NULL after the one is one before the other.
    let mut seen = HashSet::from([tree.der()]);
    for (node, (name, count)) in nodes.into_iter().zip(expected) {
        assert_eq!(node.name, name);
        let cases: Vec<Case> = node
            .spoilt()
            .into_iter()
            .map(|(given, in_place)| (given, tree.der_with(name, &in_place)))
            .filter(|(_, spoilt)| seen.insert(spoilt.clone()))
            .map(|(given, spoilt)| {
                let block = padded(&spoilt, SIGNATURE_BYTES);
                forged(&token, format!("{name}: {given}"), &block)
            })
            .collect();
        hold(&format!("modified padding, {name}"), count, &cases);
    }
}

#[test]
fn a_wrong_block_by_the_right_key_is_rejected() {
    let token = token();
    let end = tree_of(&token).der();
    let right = padded(&end, SIGNATURE_BYTES);
    let mut seen = HashSet::from([right.clone()]);
    let cases: Vec<Case> = [
        bytes_changed(&right, &end),
        padding_changed(&right, &end),
        garbage_put_in(&end),
        other_formats(&token, &end),
    ]
    .concat()
    .into_iter()
    .filter(|(_, block)| seen.insert(block.clone()))
    .map(|(given, block)| forged(&token, given, &block))
    .collect();
    hold("modified padding, block", 84, &cases);
}

type Block = (String, Vec<u8>);

/// One byte of the block at a time.
fn bytes_changed(right: &[u8], end: &[u8]) -> Vec<Block> {
    let separator = SIGNATURE_BYTES - end.len() - 1;
    assert_eq!(right[separator], 0);
    let changes: [(&str, usize, &[u8]); 7] = [
        ("first byte", 0, &[1, 2, 0x7f]),
        ("block type", 1, &[0, 2, 3, 0xff]),
        ("first byte of the padding", 2, &[0, 1, 0xfe, 0xee]),
        ("byte of the padding's least part", 9, &[0, 0x7f, 0xfe]),
        ("byte amid the padding", separator / 2, &[0, 1, 0xfe]),
        ("last byte of the padding", separator - 1, &[0, 0xfe, 0xee]),
        ("separator", separator, &[1, 0xfe, 0xff]),
    ];
    changes
        .into_iter()
        .flat_map(|(given, at, bytes)| {
            bytes.iter().map(move |byte| {
                let mut block = right.to_vec();
                block[at] = *byte;
                (format!("{given} {byte:#04x}"), block)
            })
        })
        .collect()
}

/// All of the padding at once.
fn padding_changed(right: &[u8], end: &[u8]) -> Vec<Block> {
    let room = SIGNATURE_BYTES - 3 - end.len();
    let filled = |block_type: u8, filler: &dyn Fn(usize) -> u8| {
        let filler: Vec<u8> = (0..room).map(filler).collect();
        [&[0, block_type], &filler[..], &[0], end].concat()
    };
    let random = |at: usize| u8::try_from(at * 7 % 255 + 1).expect("a byte that is not zero");
    [
        ("zeros for padding", filled(1, &|_| 0)),
        ("ones for padding", filled(1, &|_| 1)),
        ("random padding", filled(1, &random)),
        ("random padding of type 2", filled(2, &random)),
        ("zeros for padding of type 0", filled(0, &|_| 0)),
        ("a block moved up", [&right[1..], &[0]].concat()),
        (
            "a block moved down",
            [&[0], &right[..2], &right[3..]].concat(),
        ),
        (
            "no first byte, one more of padding",
            [&[1, 0xff], &right[2..]].concat(),
        ),
        (
            "no separator",
            [&[0, 1, 0xff], &right[2..2 + room], end].concat(),
        ),
    ]
    .map(|(given, block)| (given.to_owned(), block))
    .to_vec()
}

/// Garbage behind the digest, before it, or in place of the padding.
fn garbage_put_in(end: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let room = SIGNATURE_BYTES - 3 - end.len();
    for padding in [0, 1, 7, 8, 9, room / 2, room - 8, room - 1] {
        let start = [&[0, 1], &vec![0xff; padding][..], &[0]].concat();
        for garbage in [0, 0x5a, 0xff] {
            let rest = vec![garbage; room - padding];
            blocks.push((
                format!("{padding} bytes of padding, {garbage:#04x} behind the digest"),
                [&start, end, &rest].concat(),
            ));
            blocks.push((
                format!("{padding} bytes of padding, {garbage:#04x} before the digest"),
                [&start, &rest[..], end].concat(),
            ));
        }
    }
    for garbage in [0, 0x5a, 0xff] {
        let rest = vec![garbage; room + 3];
        blocks.push((
            format!("{garbage:#04x} for all before the digest"),
            [&[0], &rest[1..], end].concat(),
        ));
    }
    blocks
}

/// Blocks of other schemes, and the like.
fn other_formats(token: &str, end: &[u8]) -> Vec<Block> {
    let digest = sha256(message(token));
    let encryption = |end: &[u8]| {
        let mut block = padded(end, SIGNATURE_BYTES);
        block[1] = 2;
        block
    };
    let other = [&DIGEST_INFO[..], &sha256(b"another")].concat();
    let x9_31 = {
        let filler = vec![0xbb; SIGNATURE_BYTES - 4 - digest.len()];
        [&[0x6b], &filler[..], &[0xba], &digest, &[0x34, 0xcc]].concat()
    };
    vec![
        ("the digest, encrypted".into(), encryption(&digest)),
        (
            "the digest of another message before the right one".into(),
            padded(&[&other, end].concat(), SIGNATURE_BYTES),
        ),
        (
            "the digest of another message behind the right one".into(),
            padded(&[end, &other].concat(), SIGNATURE_BYTES),
        ),
        (
            "the right digest twice".into(),
            padded(&[end, end].concat(), SIGNATURE_BYTES),
        ),
        ("a block of X9.31".into(), x9_31),
    ]
}

/// Numbers that are no signature of anything, or not below the modulus (RFC 8017, section 5.2.2).
#[test]
fn a_number_nobody_signed_is_rejected() {
    let token = token();
    let n = &good().n;
    let genuine = BigUint::from_bytes_be(&decode(token.rsplit_once('.').expect("a dot").1));
    let one = BigUint::from(1_u8);
    let mut cases: Vec<Case> = [
        ("0", BigUint::ZERO),
        ("1", one.clone()),
        ("2", BigUint::from(2_u8)),
        ("n / 2", n / 2_u8),
        ("n - 2", n - 2_u8),
        ("n - 1", n - &one),
        ("n", n.clone()),
        ("n + 1", n + &one),
        ("-1, in two's complement", (&one << 2048) - &one),
        ("2^2047", &one << 2047),
        ("n - s", n - &genuine),
        ("s - 1", &genuine - &one),
        ("s + 1", &genuine + &one),
        ("s / 2", &genuine / 2_u8),
        ("s * s", genuine.modpow(&BigUint::from(2_u8), n)),
        ("1 / s", genuine.modinv(n).expect("an inverse")),
        (
            "the block itself",
            BigUint::from_bytes_be(&block(&DIGEST_INFO, message(&token))),
        ),
        ("the block, encrypted", {
            let block = BigUint::from_bytes_be(&block(&DIGEST_INFO, message(&token)));
            block.modpow(&good().e, n)
        }),
    ]
    .map(|(given, number)| {
        let signature = to_width(&number, SIGNATURE_BYTES);
        case(given, with_signature(&token, &signature), Kind::Signature)
    })
    .into();
    let genuine = to_width(&genuine, SIGNATURE_BYTES);
    for (given, signature) in [
        ("nothing", Vec::new()),
        ("a zero before it", [&[0], &genuine[..]].concat()),
        ("two zeros before it", [&[0, 0], &genuine[..]].concat()),
        ("zeros after it", [&genuine[..], &[0, 0]].concat()),
        (
            "the other end first",
            genuine.iter().rev().copied().collect(),
        ),
        ("it twice", [&genuine[..], &genuine].concat()),
    ] {
        let token = with_signature(&token, &signature);
        cases.push(case(given, token, Kind::Signature));
    }
    hold("edge-case signatures", 24, &cases);
}
