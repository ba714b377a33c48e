//! Tokens: a genuine one that was changed is rejected, and one that is accepted has one spelling.

use std::cell::Cell;
use std::task::Poll;
use std::time::SystemTime;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::clock::{ManualClock, UnixTime};
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_simulator::{Encoding, Mint, SigningKey};
use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use test_support::corpus::random_token;
use test_support::forge::{
    self, AUDIENCE, ISSUER, KID, NOW, encode, good, judge, judge_with, key_set, keys, mint, paid,
    segments, sign_segments,
};
use test_support::property::{hold, report};
use test_support::{Api, at_once, request};

/// What a token of the fixed text sounds like; one for all cases, since only the change matters.
fn genuine() -> String {
    let token = mint().token_id("QXcqzneuVBbRPn194ks9AQ").token();
    judge(&token).expect("a genuine token");
    token
}

/// Genuine tokens that differ in all that a change could meet, and a handle that has verified each
/// of them before, so that its cache is tempted too.
fn shapes() -> (GoAuth, Vec<(&'static str, String)>) {
    let wide = SigningKey::generate(3072).expect("a key");
    let wide_jwk = serde_json::json!({
        "kty": "RSA", "kid": "wide",
        "n": encode(wide.modulus()), "e": encode(wide.exponent()),
    });
    let wide = Mint::new(wide, "wide", ISSUER, AUDIENCE).at(UnixTime::from_secs(NOW));
    let array = mint().audiences(["other", AUDIENCE]).header("typ", "JWT");
    let tokens = vec![
        ("as GO sends it", genuine()),
        ("an array of audiences and typ", array.token()),
        ("a signature of 3072 bits", wide.token()),
        (
            "the least claims, spelled with escapes",
            paid(format!(
                r#" {{"\u0069ss":"{ISSUER}","aud":["\u005aKT"],"exp":1.8000003e9}} "#
            )),
        ),
    ];
    // The key under names that are a change away from its own, too: it is the signature that
    // tells them apart.
    let neighbours = (0..KID.len()).map(|at| {
        let mut kid = KID.as_bytes().to_vec();
        kid[at] ^= 1;
        good().jwk(&String::from_utf8(kid).expect("ASCII"))
    });
    let published: Vec<_> = neighbours.chain([good().jwk(KID), wide_jwk]).collect();
    let auth = forge::config()
        .into_builder()
        .keys(key_set(&published))
        .clock(ManualClock::new(UnixTime::from_secs(NOW)))
        .build()
        .expect("a good configuration");
    for (shape, token) in &tokens {
        // Until it has a place of its own in the cache, which one use in 64 gives it.
        for _ in 0..500 {
            assert!(accepts(&auth, token), "{shape}");
        }
    }
    (auth, tokens)
}

fn accepts(auth: &GoAuth, token: &str) -> bool {
    match at_once(auth.verify(token)) {
        Poll::Ready(verdict) => verdict.is_ok(),
        Poll::Pending => panic!("the keys are known"),
    }
}

/// At every place: of GO's own form half of the 127 other bytes that text can have, of the others
/// an eighth, other ones at the next place and in the next run; and the byte left out, and said
/// twice.
#[test]
fn a_token_with_any_byte_changed_is_rejected() {
    let (auth, tokens) = shapes();
    let first = fastrand::usize(..8);
    let mut cases = 0;
    for (nth, (shape, token)) in tokens.iter().enumerate() {
        let one_in = if nth == 0 { 2 } else { 8 };
        for at in 0..token.len() {
            let others = (0..128_u8)
                .filter(|byte| *byte != token.as_bytes()[at])
                .filter(|byte| (usize::from(*byte) + at + first).is_multiple_of(one_in));
            let mut changed: Vec<Vec<u8>> = others
                .map(|byte| {
                    let mut bytes = token.clone().into_bytes();
                    bytes[at] = byte;
                    bytes
                })
                .collect();
            let (before, after) = token.as_bytes().split_at(at);
            changed.push([before, &after[1..]].concat());
            changed.push([before, &after[..1], after].concat());
            cases += changed.len();
            for changed in changed {
                let changed = String::from_utf8(changed).expect("ASCII");
                assert!(!accepts(&auth, &changed), "{shape}: byte {at}: {changed}");
            }
        }
        assert!(accepts(&auth, token), "{shape}");
    }
    report("one-byte change of a token", cases);
}

/// The same in a header, which can hold bytes that no text has.
#[tokio::test]
async fn a_request_with_any_byte_changed_is_rejected() {
    let (auth, tokens) = shapes();
    let api = Api::behind(auth.layer());
    let mut rng = Rng::new();
    let mut cases = 0;
    for (shape, token) in &tokens {
        let genuine = format!("Bearer {token}").into_bytes();
        assert_eq!(api.send(request(&[&genuine])).await.status(), 200);
        for at in b"Bearer ".len()..genuine.len() {
            // One that no text has, and a quarter of a chance for one that it may.
            for byte in [rng.u8(0x80..), rng.u8(0x20..0x7f)] {
                let mut changed = genuine.clone();
                changed[at] = byte;
                if changed == genuine || byte < 0x80 && rng.u8(..4) > 0 {
                    continue;
                }
                let answer = api.send(request(&[&changed])).await;
                let expected: &[u16] = if byte < 0x80 { &[400, 401] } else { &[400] };
                assert!(
                    expected.contains(&answer.status()),
                    "{shape}: byte {at} becomes {byte}: {}",
                    answer.status()
                );
                cases += 1;
            }
        }
    }
    assert_eq!(api.calls(), tokens.len());
    report("one-byte change of a header", cases);
}

#[test]
fn a_token_with_any_text_inserted_is_rejected() {
    let (auth, tokens) = shapes();
    let texts = "\\PC{1,3}|\\s|[A-Za-z0-9_.=+/-]{1,6}";
    // A quarter each at both ends, where readers like to trim.
    let values = (0..tokens.len(), 0..4, any::<Index>(), texts);
    hold(
        "text put into a token",
        1024,
        values,
        |(nth, place, at, text)| {
            let mut token = tokens[nth].1.clone();
            let at = match place {
                0 => 0,
                1 => token.len(),
                _ => at.index(token.len() + 1),
            };
            token.insert_str(at, &text);
            prop_assert!(!accepts(&auth, &token));
            Ok(())
        },
    );
}

/// The segments of an accepted token, decoded and encoded again by another library, which accepts
/// them in any spelling.
fn respelled(token: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let lenient = GeneralPurpose::new(&URL_SAFE, config);
    let decoded = segments(token).map(|segment| lenient.decode(segment).ok());
    let [header, payload, signature] = decoded.map(|bytes| bytes.map(encode));
    Some([header?, payload?, signature?].join("."))
}

#[test]
fn an_accepted_token_has_no_other_spelling() {
    let accepted = Cell::new(0);
    let values = (0..8_usize, 0..6_usize, "[A-Za-z0-9_-]{0,3}=?");
    hold("one spelling", 512, values, |(spelling, pad, tail)| {
        let mint = mint()
            .claim("pad", "p".repeat(pad))
            .header("pad", "p".repeat(pad / 2));
        let (header, payload) = (encode(mint.header_text()), encode(mint.payload_text()));
        let token = match spelling {
            0 => mint.encoding(Encoding::Padded).token(),
            1 => mint.encoding(Encoding::StandardAlphabet).token(),
            2 => mint.encoding(Encoding::LooseSignatureBits).token(),
            3 => mint.encoding(Encoding::LoosePayloadBits).token(),
            4 => sign_segments(&header, &format!("{payload}{tail}")),
            5 => sign_segments(&format!("{header}{tail}"), &payload),
            6 => format!("{}{tail}", mint.token()),
            _ => mint.token(),
        };
        match judge(&token) {
            Ok(verified) => {
                accepted.set(accepted.get() + 1);
                prop_assert_eq!(respelled(&token), Some(token.clone()));
                let claims = verified.claims().expect("a JWT").as_json();
                prop_assert_eq!(encode(claims), segments(&token)[1]);
            }
            Err(_) => prop_assert!(spelling < 7, "a canonical token is rejected"),
        }
        Ok(())
    });
    assert!((50..450).contains(&accepted.get()), "{}", accepted.get());
}

#[test]
fn an_accepted_mutation_has_no_other_spelling() {
    let mut rng = Rng::new();
    let gate = forge::verifier();
    let (tokens, mut accepted) = (1200, 0);
    for _ in 0..tokens {
        let token = random_token(&mut rng);
        let now = UnixTime::from(SystemTime::now());
        let Ok(verified) = gate.verify(&token, keys(), now) else {
            continue;
        };
        accepted += 1;
        assert_eq!(respelled(&token), Some(token.clone()));
        let claims = verified.claims().expect("a JWT").as_json();
        assert_eq!(encode(claims), segments(&token)[1]);
    }
    assert!((120..1080).contains(&accepted), "{accepted} of {tokens}");
    report("re-encoding of accepted tokens", accepted);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let verifier = forge::verifier();
    let values = (vec(any::<u8>(), 0..300), "\\PC{0,60}(\\.\\PC{0,60}){0,4}");
    hold("any bytes", 256, values, |(bytes, text)| {
        prop_assert!(KeySet::from_document(&bytes).is_err());
        prop_assert!(judge_with(&verifier, &text).is_err());
        let headed = mint().raw_header(bytes.clone()).token();
        prop_assert!(judge_with(&verifier, &headed).is_err());
        prop_assert!(judge_with(&verifier, &paid(bytes)).is_err());
        Ok(())
    });
}
