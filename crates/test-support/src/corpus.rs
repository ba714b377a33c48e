//! Random tokens: most of them good or almost, from a seeded generator.
//!
//! They are issued now by the system's clock, for verifiers that read it. Times in them are ten
//! minutes or more from now, or random; of the latter those within [`MARGIN`] of now are left out,
//! so that no verdict depends on when it is made.

use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::{Encoding, Mint, PublicKeyForm, SignatureKind};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::forge::{self, AUDIENCE, ISSUER, KID, encode, foreign, segments, sign_segments};

/// Seconds: no number of a payload is closer to now, whatever mutated it.
pub const MARGIN: u64 = 300;

/// Seconds: the least distance of a time that is meant as one.
const FAR: u64 = 600;

/// The system's clock in seconds.
pub fn now() -> u64 {
    UnixTime::from(SystemTime::now()).as_secs()
}

/// Tokens like GO's, well within their life.
pub fn mint() -> Mint {
    let issued = UnixTime::from_secs(now() - FAR);
    forge::mint().at(issued).expires_in(2 * FAR.cast_signed())
}

fn pick<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

type Claims = Vec<(&'static str, Value)>;

fn good_claims(rng: &mut Rng) -> Claims {
    let now = now();
    let far = rng.u64(FAR..1_000_000);
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
                    json!(now + FAR),
                    json!(253_402_300_799_u64),
                ],
            ),
        ),
    ];
    if rng.bool() {
        members.push((
            "nbf",
            pick(rng, &[json!(now - FAR), json!(0), json!(now - far)]),
        ));
    }
    if rng.bool() {
        members.push(("iat", json!(now - FAR)));
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
    members
}

/// Puts something else in the place of a claim; once in a while it is as good.
fn spoil_a_claim(rng: &mut Rng, members: &mut Claims) {
    let now = now();
    let name = pick(rng, &["iss", "aud", "exp", "nbf", "sub"]);
    let value = [
        json!(null),
        json!([]),
        json!(""),
        json!(-1),
        json!(0),
        json!(now - FAR),
        json!(now + FAR),
        json!(u64::MAX),
        json!("x"),
        json!([ISSUER]),
        json!({"ZKT": null}),
        json!(1.5),
    ];
    members.retain(|member| member.0 != name);
    members.push((name, pick(rng, &value)));
}

/// Claims as JSON text: in any order, some spelled with escapes.
fn spell(rng: &mut Rng, mut members: Claims) -> String {
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

/// A good header. What `jsonwebtoken` reads as typed members is well typed.
fn good_header(rng: &mut Rng) -> Value {
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
    header
}

/// Puts something into a header that may not be there.
fn spoil_a_header(rng: &mut Rng, header: &mut Value) {
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

/// A token that every verifier of GO's tokens must accept.
pub fn genuine_token(rng: &mut Rng) -> String {
    let (header, claims) = (good_header(rng), good_claims(rng));
    let payload = spell(rng, claims);
    sign_segments(&encode(header.to_string()), &encode(payload))
}

/// A token of any kind; most are good or almost.
pub fn random_token(rng: &mut Rng) -> String {
    loop {
        let token = any_token(rng);
        if !is_near_a_limit(&token) {
            return token;
        }
    }
}

/// Whether any number of its payload is close to now: its `exp`, `nbf` or `iat` may be what differs
/// from one second to the next.
fn is_near_a_limit(token: &str) -> bool {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    payload
        .split(|byte| !byte.is_ascii_digit())
        .filter_map(|digits| str::from_utf8(digits).ok()?.parse().ok())
        .any(|number: u64| number.abs_diff(now()) < MARGIN)
}

fn any_token(rng: &mut Rng) -> String {
    let (mut header, mut claims) = (good_header(rng), good_claims(rng));
    if rng.u8(..8) == 0 {
        spoil_a_header(rng, &mut header);
    }
    if rng.u8(..8) == 0 {
        spoil_a_claim(rng, &mut claims);
    }
    let (mut header, mut payload) = (header.to_string(), spell(rng, claims));
    let genuine = |header: &str, payload: &str| sign_segments(&encode(header), &encode(payload));
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
            mint()
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
            let token = mint().encoding(encoding).token();
            let [header, payload, signature] = segments(&token);
            match rng.u8(..6) {
                0 => [payload, header, signature].join("."),
                1 => [header, payload, signature, ""].join("."),
                _ => token,
            }
        }
    }
}
