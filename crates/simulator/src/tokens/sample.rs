//! Named sample tokens: GO's own, and one for each way in which a token can be bad.
//!
//! The expected verdicts follow RFC 7515 (JWS), RFC 7519 (JWT) and RFC 8725 (best
//! practices), and GO's documentation, which asks for the issuer, the audience and the
//! validity to be checked. Where these leave a choice, so does the list.

use serde::Serialize;
use serde_json::{Value, json};

use crate::keys::{PublishedKey, SigningKey};
use crate::tokens::{Encoding, Mint, PublicKeyForm, SignatureKind as Kind};

/// A named sample token.
///
/// ```
/// use derbysoft_go_simulator::{Expected, SampleToken, Simulator};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let go = Simulator::start().await?;
/// let auth = derbysoft_go_auth::GoAuth::builder()
///     .issuer(go.issuer())
///     .audience(go.audience())
///     .jwks_url(go.jwks_url())
///     .build()?;
/// for sample in SampleToken::all() {
///     let verdict = auth.verify(&go.sample_token(sample)).await;
///     match sample.expected {
///         Expected::LetIn => assert!(verdict.is_ok()),
///         Expected::Refused => assert!(verdict.is_err(), "{}", sample.name),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct SampleToken {
    /// Its name, which is stable: `other-key`.
    pub name: &'static str,
    /// Its description.
    pub about: &'static str,
    /// What a verifier must do with it.
    pub expected: Expected,
    /// The kind with which `derbysoft-go-auth` rejects it if only issuer, audience and
    /// key address are configured; `None` if it accepts it.
    pub refused_as: Option<&'static str>,
    #[serde(skip)]
    make: fn(Mint, &SigningKey) -> String,
}

/// What a verifier that accepts only GO must do with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expected {
    /// It accepts the token.
    LetIn,
    /// It rejects the token, whatever its settings: otherwise an attacker gets in.
    Refused,
    /// It may accept or reject the token: GO made it, and rules or settings decide.
    Either,
}

impl SampleToken {
    /// The token that GO sends.
    pub const GOOD: Self = SAMPLES[0];

    /// All samples, beginning with the good one.
    pub fn all() -> impl Iterator<Item = Self> {
        SAMPLES.into_iter()
    }

    /// The sample of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|sample| sample.name == name)
    }

    /// Makes the token from `mint`. `stranger` is a key that isn't GO's, to sign with.
    #[must_use]
    pub fn of(self, mint: Mint, stranger: &SigningKey) -> String {
        (self.make)(mint, stranger)
    }
}

/// A row is a name, the expected verdict, the kind of the rejection if there is one, a
/// description, and how to make the token from a good one and a key that isn't GO's.
macro_rules! samples {
    ($($name:literal: $expected:ident $(as $kind:literal)?, $about:literal, $make:expr;)*) => {
        const SAMPLES: [SampleToken; [$($name),*].len()] = [$(SampleToken {
            name: $name,
            about: $about,
            expected: Expected::$expected,
            refused_as: [$(Some($kind),)? None][0],
            make: $make,
        }),*];
    };
}

// The times are far beyond any allowance for clocks that differ.
samples! {
    // The first is `SampleToken::GOOD`.
    "good": LetIn, "as GO sends it", |mint, _| mint.token();

    "unsigned": Refused as "algorithm", "alg none, no signature",
        |mint, _| under(mint, "none", Kind::Empty);
    "no-signature": Refused as "signature", "RS256, but no signature",
        |mint, _| signed(mint, Kind::Empty);
    "corrupted": Refused as "signature", "one bit of the signature changed",
        |mint, _| signed(mint, Kind::Corrupted);
    "truncated": Refused as "signature", "the signature without its last byte",
        |mint, _| signed(mint, Kind::Truncated);
    "extended": Refused as "signature", "the signature with a byte more",
        |mint, _| signed(mint, Kind::Extended);
    "zeroes": Refused as "signature", "zeroes as a signature",
        |mint, _| signed(mint, Kind::Zeroes);
    "other-payload": Refused as "signature", "GO's signature of other claims",
        |mint, _| signed(mint, Kind::OfOtherPayload);
    "other-key": Refused as "signature", "a stranger's signature under GO's kid",
        |mint, key| signed(mint, Kind::OtherKey(key.clone()));
    "unknown-key": Refused as "unknown_key",
        "a stranger's signature, kid of nobody's, issued long ago",
        |mint, key| {
            // With a recent `iat`, GO might be about to publish the key: 503.
            let mint = mint.kid("nobodys").claim("iat", 1_600_000_000);
            signed(mint, Kind::OtherKey(key.clone()))
        };
    "embedded-key": Refused as "signature", "a stranger's signature, his key in it",
        |mint, key| {
            let jwk = PublishedKey::new(key.clone()).jwk().clone();
            signed(mint.header("jwk", jwk), Kind::OtherKey(key.clone()))
        };
    "key-address": Refused as "signature", "a stranger's signature, his jku in it",
        |mint, key| {
            let mint = mint.header("jku", "https://attacker.example/keys");
            signed(mint, Kind::OtherKey(key.clone()))
        };

    "hs256-pem": Refused as "algorithm", "HS256 with GO's public key: PEM",
        |mint, _| confused(mint, PublicKeyForm::SpkiPem);
    "hs256-der": Refused as "algorithm", "HS256 with GO's public key: DER",
        |mint, _| confused(mint, PublicKeyForm::SpkiDer);
    "hs256-pkcs1": Refused as "algorithm", "HS256 with GO's public key: PKCS#1",
        |mint, _| confused(mint, PublicKeyForm::Pkcs1Der);
    "hs256-modulus": Refused as "algorithm", "HS256 with GO's public key: modulus",
        |mint, _| confused(mint, PublicKeyForm::Modulus);
    "hs256-n": Refused as "algorithm", "HS256 with GO's public key: text of n",
        |mint, _| confused(mint, PublicKeyForm::ModulusText);
    "hs256-empty": Refused as "algorithm", "HS256 with an empty secret",
        |mint, _| under(mint, "HS256", Kind::Hs256(Vec::new()));
    "sha384-as-rs256": Refused as "signature", "SHA-384 under RS256",
        |mint, _| signed(mint, Kind::Rs384);
    "sha512-as-rs256": Refused as "signature", "SHA-512 under RS256",
        |mint, _| signed(mint, Kind::Rs512);
    "pss-as-rs256": Refused as "signature", "PSS under RS256",
        |mint, _| signed(mint, Kind::Ps256);
    // A key is for one algorithm (RFC 8725, 3.1), and GO's keys say which.
    "rs384": Refused as "algorithm", "RS384, by GO's key for RS256",
        |mint, _| under(mint, "RS384", Kind::Rs384);
    "rs512": Refused as "algorithm", "RS512, by GO's key for RS256",
        |mint, _| under(mint, "RS512", Kind::Rs512);
    "ps256": Refused as "algorithm", "PS256, by GO's key for RS256",
        |mint, _| under(mint, "PS256", Kind::Ps256);
    // RFC 7515, 4.1.11.
    "critical": Refused as "header", "a crit extension that nobody knows",
        |mint, _| mint.header("crit", json!(["x-unknown"])).header("x-unknown", true).token();

    // No "line breaks, whitespace, or other additional characters" (RFC 7515, 5.2).
    "padded": Refused as "malformed", "base64url with padding",
        |mint, _| mint.encoding(Encoding::Padded).token();
    "standard-alphabet": Refused as "malformed", "base64 with + and /",
        |mint, _| {
            // About one signature in 50,000 contains neither, and the token is good then.
            let mint = mint.encoding(Encoding::StandardAlphabet);
            let mut tokens = std::iter::repeat_with(|| mint.token()).take(100);
            let has_either = |token: &String| token.contains(['+', '/']);
            tokens.find(has_either).unwrap_or_default()
        };
    "interrupted": Refused as "malformed", "a ~ within each segment",
        |mint, _| mint.encoding(Encoding::Interrupted('~')).token();
    "no-jwt": Refused as "malformed", "a word without dots", |_, _| "53ac0777".to_owned();

    "other-issuer": Refused as "issuer", "GO's signature, iss of another",
        |mint, _| mint.issuer("https://evil.example").token();
    "no-issuer": Refused as "missing_claim", "no iss", |mint, _| mint.without("iss").token();
    "other-audience": Refused as "audience", "for another distributor",
        |mint, _| mint.audience("somebody-else").token();
    "no-audience": Refused as "missing_claim", "no aud", |mint, _| mint.without("aud").token();
    "expired": Refused as "expired", "expired an hour ago",
        |mint, _| mint.expires_in(-3600).not_before_offset(-4020).token();
    "no-expiry": Refused as "missing_claim", "no exp", |mint, _| mint.without("exp").token();
    "expiry-in-words": Refused as "claims", "exp is a text",
        |mint, _| mint.claim("exp", "soon").token();
    "not-yet-valid": Refused as "not_yet_valid", "valid in an hour",
        |mint, _| mint.expires_in(7200).not_before_offset(3600).token();
    "claims-in-a-list": Refused as "claims", "the claims are no object",
        |mint, _| {
            let claims = format!("[{}]", mint.payload_text());
            mint.raw_payload(claims).token()
        };

    "loose-signature-bits": Either as "malformed", "an unused bit set in the signature",
        |mint, _| mint.encoding(Encoding::LooseSignatureBits).token();
    "loose-payload-bits": Either as "malformed", "an unused bit set in the claims",
        |mint, _| mint.encoding(Encoding::LoosePayloadBits).token();
    "no-kid": Either as "header", "no kid", |mint, _| mint.without_header("kid").token();
    // RFC 7515, 4 and RFC 7519, 4: rejected, or the last one counts.
    "duplicate-alg": Either as "header", "alg twice, alike",
        |mint, _| mint.repeat_header("alg", "RS256").token();
    "duplicate-audience": Either as "claims", "aud twice, alike",
        |mint, _| {
            let audience = audience(&mint);
            mint.repeat_claim("aud", audience).token()
        };
    "too-long": Either as "too_long", "12 KiB long",
        |mint, _| mint.claim("x", "y".repeat(9000)).token();
    "audience-in-a-list": Either, "aud as the gateway spells it",
        |mint, _| {
            let audience = json!([audience(&mint)]);
            mint.claim("aud", audience).token()
        };
    "other-subject": Either, "another sub than ds-go-module",
        |mint, _| mint.subject("somebody-else").token();
    "no-token-id": Either, "no jti", |mint, _| mint.without("jti").token();
    "long-lived": Either, "good for a day", |mint, _| mint.expires_in(24 * 60 * 60).token();
}

fn signed(mint: Mint, kind: Kind) -> String {
    mint.signature(kind).token()
}

/// With another `alg`.
fn under(mint: Mint, alg: &str, kind: Kind) -> String {
    signed(mint.header("alg", alg), kind)
}

/// The public key, which anybody can fetch, as a secret.
fn confused(mint: Mint, form: PublicKeyForm) -> String {
    under(mint, "HS256", Kind::Hs256WithPublicKey(form))
}

/// The `aud` of an unchanged token.
fn audience(mint: &Mint) -> Value {
    let claims: Value = serde_json::from_str(&mint.payload_text()).unwrap_or_default();
    claims["aud"].clone()
}
