//! Tokens: a genuine one that was changed is refused, and one that is accepted has one spelling.

use derbysoft_go_auth::KeySet;
use derbysoft_go_auth::simulator::Encoding;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::forge::{decode, encode, judge, mint, paid, segments, sign_segments};

/// What a token of the fixed text sounds like; one for all cases, since only the change matters.
fn genuine() -> String {
    let token = mint().token_id("QXcqzneuVBbRPn194ks9AQ").token();
    judge(&token).expect("a genuine token");
    token
}

#[test]
fn given_a_genuine_token_when_any_byte_becomes_its_neighbour_then_refused() {
    let token = genuine();
    for at in 0..token.len() {
        for change in [1, 32] {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= change;
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(judge(&changed).is_err(), "byte {at} changed by {change}");
        }
        let mut shorter = token.clone();
        shorter.remove(at);
        assert!(judge(&shorter).is_err(), "byte {at} left out");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn given_a_genuine_token_when_one_byte_is_another_then_refused(
        at: Index, byte in 0_u8..128, insert: bool,
    ) {
        let token = genuine();
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        if insert {
            bytes.insert(at, byte);
        } else {
            bytes[at] = byte;
        }
        let changed = String::from_utf8(bytes).expect("ASCII");
        prop_assume!(changed != token);
        prop_assert!(judge(&changed).is_err());
    }

    #[test]
    fn given_a_genuine_token_when_any_text_is_put_into_it_then_refused(
        at: Index, text in "\\PC{1,3}|\\s|[A-Za-z0-9_.=+/-]{1,6}",
    ) {
        let mut token = genuine();
        token.insert_str(at.index(token.len() + 1), &text);
        prop_assert!(judge(&token).is_err());
    }

    #[test]
    fn given_any_spelling_when_a_token_is_accepted_then_it_is_the_only_spelling_of_its_bytes(
        spelling in 0..8_usize, pad in 0..6_usize, tail in "[A-Za-z0-9_-]{0,3}=?",
    ) {
        let mint = mint().claim("pad", "p".repeat(pad)).header("pad", "p".repeat(pad / 2));
        let token = match spelling {
            0 => mint.encoding(Encoding::Padded).token(),
            1 => mint.encoding(Encoding::StandardAlphabet).token(),
            2 => mint.encoding(Encoding::LooseSignatureBits).token(),
            3 => mint.encoding(Encoding::LoosePayloadBits).token(),
            4 => {
                let (header, payload) = (encode(mint.header_text()), encode(mint.payload_text()));
                sign_segments(&header, &format!("{payload}{tail}"))
            }
            5 => {
                let (header, payload) = (encode(mint.header_text()), encode(mint.payload_text()));
                sign_segments(&format!("{header}{tail}"), &payload)
            }
            6 => format!("{}{tail}", mint.token()),
            _ => mint.token(),
        };
        if judge(&token).is_ok() {
            let respelled = segments(&token).map(|segment| encode(decode(segment))).join(".");
            prop_assert_eq!(respelled, token);
        } else {
            prop_assert!(spelling < 7, "a canonical token is refused");
        }
    }

    #[test]
    fn given_any_bytes_when_read_as_a_token_or_a_document_then_nothing_panics(
        bytes in vec(any::<u8>(), 0..300), text in "\\PC{0,60}(\\.\\PC{0,60}){0,4}",
    ) {
        prop_assert!(KeySet::from_document(&bytes).is_err());
        prop_assert!(judge(&text).is_err());
        prop_assert!(judge(&mint().raw_header(bytes.clone()).token()).is_err());
        prop_assert!(judge(&paid(bytes)).is_err());
    }
}
