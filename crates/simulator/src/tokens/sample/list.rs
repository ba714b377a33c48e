//! The list.

use serde_json::{Value, json};

use super::Expected;
use crate::keys::{PublishedKey, SigningKey};
use crate::tokens::{Encoding, Mint, PublicKeyForm, SignatureKind};

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) expected: Expected,
    pub(super) refused_as: Option<&'static str>,
    pub(super) make: Make,
}

type Make = fn(Mint, &SigningKey) -> String;

pub(super) const GOOD: Sample = Sample {
    name: "good",
    about: "as GO sends it",
    expected: Expected::LetIn,
    refused_as: None,
    make: |mint, _| mint.token(),
};

/// One that nobody may let in.
const fn bad(kind: &'static str, name: &'static str, about: &'static str, make: Make) -> Sample {
    Sample {
        name,
        about,
        expected: Expected::Refused,
        refused_as: Some(kind),
        make,
    }
}

/// One that this crate's gate refuses as `kind`, if it does, and others need not.
const fn open(
    kind: Option<&'static str>,
    name: &'static str,
    about: &'static str,
    make: Make,
) -> Sample {
    Sample {
        name,
        about,
        expected: Expected::Either,
        refused_as: kind,
        make,
    }
}

fn signed(mint: Mint, kind: SignatureKind) -> String {
    mint.signature(kind).token()
}

/// Under an `alg` of its own.
fn under(mint: Mint, alg: &str, kind: SignatureKind) -> String {
    signed(mint.header("alg", alg), kind)
}

/// The public key, which anybody can fetch, as a secret.
fn confused(mint: Mint, form: PublicKeyForm) -> String {
    under(mint, "HS256", SignatureKind::Hs256WithPublicKey(form))
}

/// The `aud` that it would have.
fn audience(mint: &Mint) -> Value {
    let claims: Value = serde_json::from_str(&mint.payload_text()).unwrap_or_default();
    claims["aud"].clone()
}

/// The times are far beyond what any gate allows for clocks that differ.
pub(super) static SAMPLES: &[Sample] = &[
    bad(
        "algorithm",
        "unsigned",
        "alg none, no signature",
        |mint, _| under(mint, "none", SignatureKind::Empty),
    ),
    bad(
        "signature",
        "no-signature",
        "RS256, but no signature",
        |mint, _| signed(mint, SignatureKind::Empty),
    ),
    bad(
        "signature",
        "corrupted",
        "one bit of the signature changed",
        |mint, _| signed(mint, SignatureKind::Corrupted),
    ),
    bad(
        "signature",
        "truncated",
        "the signature without its last byte",
        |mint, _| signed(mint, SignatureKind::Truncated),
    ),
    bad(
        "signature",
        "extended",
        "the signature with a byte more",
        |mint, _| signed(mint, SignatureKind::Extended),
    ),
    bad("signature", "zeroes", "zeroes as a signature", |mint, _| {
        signed(mint, SignatureKind::Zeroes)
    }),
    bad(
        "signature",
        "other-payload",
        "GO's signature of other claims",
        |mint, _| signed(mint, SignatureKind::OfOtherPayload),
    ),
    bad(
        "signature",
        "other-key",
        "a stranger's signature under GO's kid",
        |mint, key| signed(mint, SignatureKind::OtherKey(key.clone())),
    ),
    bad(
        "unknown_key",
        "unknown-key",
        "a stranger's signature, kid of nobody's, issued long ago",
        |mint, key| {
            // A key of just now may be one that GO is about to publish: 503.
            let mint = mint.kid("nobodys").claim("iat", 1_600_000_000);
            signed(mint, SignatureKind::OtherKey(key.clone()))
        },
    ),
    bad(
        "signature",
        "embedded-key",
        "a stranger's signature, his key in it",
        |mint, key| {
            let jwk = PublishedKey::new(key.clone()).jwk().clone();
            signed(
                mint.header("jwk", jwk),
                SignatureKind::OtherKey(key.clone()),
            )
        },
    ),
    bad(
        "signature",
        "key-address",
        "a stranger's signature, his jku in it",
        |mint, key| {
            let mint = mint.header("jku", "https://attacker.example/keys");
            signed(mint, SignatureKind::OtherKey(key.clone()))
        },
    ),
    bad(
        "algorithm",
        "hs256-pem",
        "HS256 with GO's public key: PEM",
        |mint, _| confused(mint, PublicKeyForm::SpkiPem),
    ),
    bad(
        "algorithm",
        "hs256-der",
        "HS256 with GO's public key: DER",
        |mint, _| confused(mint, PublicKeyForm::SpkiDer),
    ),
    bad(
        "algorithm",
        "hs256-pkcs1",
        "HS256 with GO's public key: PKCS#1",
        |mint, _| confused(mint, PublicKeyForm::Pkcs1Der),
    ),
    bad(
        "algorithm",
        "hs256-modulus",
        "HS256 with GO's public key: modulus",
        |mint, _| confused(mint, PublicKeyForm::Modulus),
    ),
    bad(
        "algorithm",
        "hs256-n",
        "HS256 with GO's public key: text of n",
        |mint, _| confused(mint, PublicKeyForm::ModulusText),
    ),
    bad(
        "algorithm",
        "hs256-empty",
        "HS256 with an empty secret",
        |mint, _| under(mint, "HS256", SignatureKind::Hs256(Vec::new())),
    ),
    bad(
        "signature",
        "sha384-as-rs256",
        "SHA-384 under RS256",
        |mint, _| signed(mint, SignatureKind::Rs384),
    ),
    bad(
        "signature",
        "sha512-as-rs256",
        "SHA-512 under RS256",
        |mint, _| signed(mint, SignatureKind::Rs512),
    ),
    bad("signature", "pss-as-rs256", "PSS under RS256", |mint, _| {
        signed(mint, SignatureKind::Ps256)
    }),
    // A key serves one algorithm (RFC 8725, 3.1), and GO's keys say which.
    bad(
        "algorithm",
        "rs384",
        "RS384, by GO's key for RS256",
        |mint, _| under(mint, "RS384", SignatureKind::Rs384),
    ),
    bad(
        "algorithm",
        "rs512",
        "RS512, by GO's key for RS256",
        |mint, _| under(mint, "RS512", SignatureKind::Rs512),
    ),
    bad(
        "algorithm",
        "ps256",
        "PS256, by GO's key for RS256",
        |mint, _| under(mint, "PS256", SignatureKind::Ps256),
    ),
    // RFC 7515, 4.1.11.
    bad(
        "header",
        "critical",
        "a crit extension that nobody knows",
        |mint, _| {
            let mint = mint.header("crit", json!(["x-unknown"]));
            mint.header("x-unknown", true).token()
        },
    ),
    // No "line breaks, whitespace, or other additional characters" (RFC 7515, 5.2).
    bad(
        "malformed",
        "padded",
        "base64url with padding",
        |mint, _| mint.encoding(Encoding::Padded).token(),
    ),
    bad(
        "malformed",
        "standard-alphabet",
        "base64 with + and /",
        |mint, _| {
            // About one signature in 50,000 has neither, and is good then.
            let mint = mint.encoding(Encoding::StandardAlphabet);
            let mut tokens = std::iter::repeat_with(|| mint.token()).take(100);
            let has_either = |token: &String| token.contains(['+', '/']);
            tokens.find(has_either).unwrap_or_default()
        },
    ),
    bad(
        "malformed",
        "interrupted",
        "a ~ within each segment",
        |mint, _| mint.encoding(Encoding::Interrupted('~')).token(),
    ),
    bad("malformed", "no-jwt", "a word without dots", |_, _| {
        "53ac0777".to_owned()
    }),
    bad(
        "issuer",
        "other-issuer",
        "GO's signature, iss of another",
        |mint, _| mint.issuer("https://evil.example").token(),
    ),
    bad("missing_claim", "no-issuer", "no iss", |mint, _| {
        mint.without("iss").token()
    }),
    bad(
        "audience",
        "other-audience",
        "for another distributor",
        |mint, _| mint.audience("somebody-else").token(),
    ),
    bad("missing_claim", "no-audience", "no aud", |mint, _| {
        mint.without("aud").token()
    }),
    bad("expired", "expired", "expired an hour ago", |mint, _| {
        mint.expires_in(-3600).not_before_offset(-4020).token()
    }),
    bad("missing_claim", "no-expiry", "no exp", |mint, _| {
        mint.without("exp").token()
    }),
    bad("claims", "expiry-in-words", "exp is a text", |mint, _| {
        mint.claim("exp", "soon").token()
    }),
    bad(
        "not_yet_valid",
        "not-yet-valid",
        "valid in an hour",
        |mint, _| mint.expires_in(7200).not_before_offset(3600).token(),
    ),
    bad(
        "claims",
        "claims-in-a-list",
        "the claims are no object",
        |mint, _| {
            let claims = format!("[{}]", mint.payload_text());
            mint.raw_payload(claims).token()
        },
    ),
    open(
        Some("malformed"),
        "loose-signature-bits",
        "an unused bit set in the signature",
        |mint, _| mint.encoding(Encoding::LooseSignatureBits).token(),
    ),
    open(
        Some("malformed"),
        "loose-payload-bits",
        "an unused bit set in the claims",
        |mint, _| mint.encoding(Encoding::LoosePayloadBits).token(),
    ),
    open(Some("header"), "no-kid", "no kid", |mint, _| {
        mint.without_header("kid").token()
    }),
    // RFC 7515, 4 and RFC 7519, 4: refused, or the last one counts.
    open(
        Some("header"),
        "duplicate-alg",
        "alg twice, alike",
        |mint, _| mint.repeat_header("alg", "RS256").token(),
    ),
    open(
        Some("claims"),
        "duplicate-audience",
        "aud twice, alike",
        |mint, _| {
            let audience = audience(&mint);
            mint.repeat_claim("aud", audience).token()
        },
    ),
    open(Some("too_long"), "too-long", "12 KiB long", |mint, _| {
        mint.claim("x", "y".repeat(9000)).token()
    }),
    open(
        None,
        "audience-in-a-list",
        "aud as the gateway spells it",
        |mint, _| {
            let audience = json!([audience(&mint)]);
            mint.claim("aud", audience).token()
        },
    ),
    open(
        None,
        "other-subject",
        "another sub than ds-go-module",
        |mint, _| mint.subject("somebody-else").token(),
    ),
    open(None, "no-token-id", "no jti", |mint, _| {
        mint.without("jti").token()
    }),
    open(None, "long-lived", "good for a day", |mint, _| {
        mint.expires_in(24 * 60 * 60).token()
    }),
];
