//! Random tokens: most of them good or almost, from a seeded generator.

use std::time::SystemTime;

use derbysoft_go_auth::UnixTime;
use derbysoft_go_auth::simulator::{Encoding, PublicKeyForm, SignatureKind};
use fastrand::Rng;
use serde_json::json;

use crate::forge::{AUDIENCE, ISSUER, KID, encode, foreign, mint, segments, sign_segments};

/// The system's clock in seconds.
pub(crate) fn now() -> u64 {
    UnixTime::from(SystemTime::now()).as_secs()
}

fn pick<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

/// Claims, most of them good, as JSON text: members in any order, some spelled with escapes.
fn random_payload(rng: &mut Rng) -> String {
    let now = now();
    let far = rng.u64(90..1_000_000);
    let mut members = vec![
        ("iss", json!(ISSUER)),
        (
            "aud",
            pick(
                rng,
                &[
                    json!(AUDIENCE),
                    json!([AUDIENCE]),
                    json!(["other", AUDIENCE]),
                ],
            ),
        ),
        (
            "exp",
            pick(
                rng,
                &[
                    json!(now + far),
                    json!(now + 90),
                    json!(253_402_300_799_u64),
                ],
            ),
        ),
    ];
    if rng.bool() {
        members.push((
            "nbf",
            pick(
                rng,
                &[json!(now - 90), json!(0), json!(now.saturating_sub(far))],
            ),
        ));
    }
    if rng.bool() {
        members.push(("iat", json!(now)));
    }
    if rng.bool() {
        members.push((
            "sub",
            pick(rng, &[json!("ds-go-module"), json!(""), json!("é\"\\\n😀")]),
        ));
    }
    if rng.bool() {
        members.push(("jti", json!(format!("{:x}", rng.u64(..)))));
    }
    if rng.bool() {
        members.push((
            "extra",
            pick(
                rng,
                &[
                    json!(null),
                    json!({"a": [1.5, -0.0, {"b": "c"}]}),
                    json!(u64::MAX),
                ],
            ),
        ));
    }
    if rng.u8(..8) == 0 {
        let name = pick(rng, &["iss", "aud", "exp", "nbf", "sub"]);
        let value = [
            json!(null),
            json!([]),
            json!(""),
            json!(-1),
            json!(0),
            json!(now - 90),
            json!(now + 90),
            json!(u64::MAX),
            json!("x"),
            json!([ISSUER]),
            json!({"ZKT": null}),
            json!(1.5),
        ];
        members.retain(|member| member.0 != name);
        members.push((name, pick(rng, &value)));
    }
    rng.shuffle(&mut members);
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| {
            let value = value.to_string();
            let value = if rng.u8(..8) == 0 {
                value.replace('/', "\\/")
            } else {
                value
            };
            match rng.u8(..16) {
                0 => format!("\"\\u{:04x}{}\" : {value}", name.as_bytes()[0], &name[1..]),
                1 => format!("\r\n\"{name}\":\t{value} "),
                _ => format!("\"{name}\":{value}"),
            }
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A header, most often a good one. What `jsonwebtoken` reads as typed members is well typed.
fn random_header(rng: &mut Rng) -> String {
    let mut header = json!({ "alg": "RS256", "kid": KID });
    for _ in 0..rng.usize(..3) {
        let (name, value) = pick(
            rng,
            &[
                ("typ", json!("JWT")),
                ("typ", json!("at+jwt")),
                ("cty", json!("json")),
                ("x5t", json!("AAAA")),
                ("jku", json!("https://attacker.example")),
                ("x5u", json!("https://attacker.example")),
                ("x5c", json!(["AAAA"])),
                ("jwk", foreign().jwk("attacker")),
                ("unheard-of", json!([{"a": 1}])),
            ],
        );
        header[name] = value;
    }
    if rng.u8(..8) == 0 {
        let (name, value) = pick(
            rng,
            &[
                ("alg", json!("none")),
                ("alg", json!("RS384")),
                ("alg", json!({"RS256": null})),
                ("crit", json!(["exp"])),
                ("b64", json!(false)),
                ("zip", json!("DEF")),
                ("kid", json!("other")),
                ("kid", json!(null)),
                ("typ", json!(1)),
                ("cty", json!("JWT")),
            ],
        );
        header[name] = value;
    }
    header.to_string()
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.usize(..bytes.len());
    match rng.u8(..5) {
        0 => bytes[at] ^= 1 << rng.u8(..7),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, pick(rng, b" \n\t{}[]\",:0192eE+-_=./\\uA")),
        3 => bytes.insert(at, bytes[at]),
        _ => bytes[at] = rng.u8(b' '..0x7f),
    }
}

pub(crate) fn random_token(rng: &mut Rng) -> String {
    let (mut header, mut payload) = (random_header(rng), random_payload(rng));
    let genuine = |header: &str, payload: &str| sign_segments(&encode(header), &encode(payload));
    let minted = || mint().at(now().cast_signed());
    match rng.u8(..10) {
        0..4 => genuine(&header, &payload),
        // A mutated text that is signed as it is.
        4 | 5 => {
            let text = if rng.u8(..3) == 0 {
                &mut header
            } else {
                &mut payload
            };
            let mut bytes = std::mem::take(text).into_bytes();
            for _ in 0..rng.usize(1..3) {
                mutate(rng, &mut bytes);
            }
            *text = String::from_utf8_lossy(&bytes).into_owned();
            genuine(&header, &payload)
        }
        // A mutated token.
        6 | 7 => {
            let mut bytes = genuine(&header, &payload).into_bytes();
            mutate(rng, &mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        8 => {
            let kinds = [
                SignatureKind::Rs256,
                SignatureKind::Rs384,
                SignatureKind::Rs512,
                SignatureKind::Ps256,
                SignatureKind::OfOtherPayload,
                SignatureKind::Empty,
                SignatureKind::Truncated,
                SignatureKind::Extended,
                SignatureKind::Corrupted,
                SignatureKind::Zeroes,
                SignatureKind::OtherKey(foreign().signing()),
                SignatureKind::Hs256WithPublicKey(pick(rng, &PublicKeyForm::ALL)),
            ];
            let alg = pick(rng, &["RS256", "RS256", "HS256", "none", "PS256"]);
            minted()
                .signature(pick(rng, &kinds))
                .header("alg", alg)
                .token()
        }
        _ => {
            let encoding = pick(
                rng,
                &[
                    Encoding::Canonical,
                    Encoding::Padded,
                    Encoding::StandardAlphabet,
                    Encoding::LoosePayloadBits,
                    Encoding::LooseSignatureBits,
                    Encoding::Interrupted('\n'),
                ],
            );
            let token = minted().encoding(encoding).token();
            let [header, payload, signature] = segments(&token);
            match rng.u8(..6) {
                0 => [payload, header, signature].join("."),
                1 => [header, payload, signature, ""].join("."),
                _ => token,
            }
        }
    }
}
