//! Properties: what must hold for every token and every key document, not only for those that
//! somebody thought of.

use std::time::Duration;

use derbysoft_go_auth::simulator::Encoding;
use derbysoft_go_auth::{KeySet, UnixTime, VerifyErrorKind as Kind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::forge::{
    self, KID, NOW, decode, document, encode, good, judge, keys, mint, paid, segments,
    sign_segments, verifier_with,
};

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

/// Any JSON value, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{0,5}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Something that may stand in a key document and is not a usable key: its modulus, where it is one
/// at all, has less than 2048 bits.
fn junk_key() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        Just("kty".to_owned()),
        Just("use".to_owned()),
        Just("alg".to_owned()),
        Just("key_ops".to_owned()),
        Just("e".to_owned()),
        Just("x5c".to_owned()),
        "[a-z]{1,4}",
    ];
    let words = prop_oneof![
        Just(json!("RSA")),
        Just(json!("oct")),
        Just(json!("sig")),
        Just(json!("enc")),
        Just(json!("RS256")),
        Just(json!("AQAB")),
        Just(json!(["verify"])),
        any_json(),
    ];
    let object = (
        vec((member, words), 0..6),
        vec(any::<u8>(), 0..255),
        any::<bool>(),
    )
        .prop_map(|(members, modulus, ours)| {
            let mut key: Map<String, Value> = members.into_iter().collect();
            key.insert("n".to_owned(), encode(modulus).into());
            if ours {
                key.insert("kid".to_owned(), KID.into());
            }
            Value::Object(key)
        });
    prop_oneof![any_json(), object]
}

/// A moment around which exp and nbf lie, in seconds.
fn around_now() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => NOW - 400..NOW + 400,
        1 => Just(0_u64),
        1 => Just(253_402_300_799_u64),
        1 => 0..253_402_300_800_u64,
    ]
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
    fn given_a_good_document_when_junk_is_added_then_its_good_keys_stay(
        junk in vec((any::<Index>(), junk_key()), 0..12),
    ) {
        let mut entries = vec![good().jwk(KID), forge::foreign().jwk("second")];
        for (at, junk) in junk {
            entries.insert(at.index(entries.len() + 1), junk);
        }
        let set = KeySet::from_document(&document(&entries)).expect("two good keys");
        prop_assert_eq!(set.keys().map(|(kid, _)| kid).collect::<Vec<_>>(), [KID, "second"]);
        prop_assert_eq!(set.skipped().len(), entries.len() - 2);
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

    #[test]
    fn given_any_exp_nbf_leeway_and_now_when_verified_then_the_verdict_is_that_of_the_model(
        exp in around_now(),
        nbf in proptest::option::of(around_now()),
        leeway in 0..=300_u64,
        nows in vec(around_now(), 8),
        edges in -1..=1_i64,
    ) {
        let mut payload = json!({"iss": forge::ISSUER, "aud": forge::AUDIENCE, "exp": exp});
        if let Some(nbf) = nbf {
            payload["nbf"] = nbf.into();
        }
        let token = paid(payload.to_string());
        let verifier = verifier_with(|config| config.leeway = Duration::from_secs(leeway));
        // Beside random times, the two ends of the token and the seconds next to them.
        let ends = [exp + leeway, nbf.unwrap_or(0).saturating_sub(leeway)]
            .map(|end| end.saturating_add_signed(edges).min(253_402_300_799));
        for now in nows.into_iter().chain(ends) {
            // Saturation at the end of the calendar is not modelled.
            if exp + leeway > 253_402_300_799 && now == 253_402_300_799 {
                continue;
            }
            let expected = if now >= exp + leeway {
                Some(Kind::Expired)
            } else if nbf.is_some_and(|nbf| now + leeway < nbf) {
                Some(Kind::NotYetValid)
            } else {
                None
            };
            let verdict = verifier.verify(&token, keys(), UnixTime::from_secs(now));
            prop_assert_eq!(verdict.err().map(|error| error.kind()), expected, "now {}", now);
        }
    }
}
