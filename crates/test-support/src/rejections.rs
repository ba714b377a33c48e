//! A token for each kind of rejection, and the rules and statuses that go with them.

use derbysoft_go_auth::GoAuthBuilder;
use derbysoft_go_auth::authenticate::RequiredClaim;
use derbysoft_go_simulator::{Mint, SignatureKind};

use crate::secs;

/// The subject of GO's sample token.
pub const SUBJECT: &str = "ds-go-module";

/// One token for each kind of rejection that a token can cause, for [`strict`] rules.
pub fn refused_tokens(mint: &Mint) -> Vec<(&'static str, String)> {
    let mint = || mint.clone();
    vec![
        ("too_long", mint().claim("x", "y".repeat(9000)).token()),
        ("malformed", "53ac0777".to_owned()),
        ("header", mint().without_header("kid").token()),
        ("algorithm", mint().header("alg", "none").token()),
        (
            "unknown_key",
            // Issued long ago: the keys have been fetched since.
            (mint().kid("nobody's").claim("iat", 1_600_000_000)).token(),
        ),
        (
            "signature",
            mint().signature(SignatureKind::Corrupted).token(),
        ),
        ("claims", mint().claim("exp", "soon").token()),
        ("issuer", mint().issuer("https://evil.example").token()),
        ("audience", mint().audience("somebody else").token()),
        ("expired", mint().expires_in(-31).token()),
        ("not_yet_valid", mint().not_before_offset(90).token()),
        ("missing_claim", mint().without("jti").token()),
        ("lifetime", mint().expires_in(301).token()),
        ("subject", mint().subject("somebody else").token()),
    ]
}

/// The rules that [`refused_tokens`] break.
pub fn strict(builder: GoAuthBuilder) -> GoAuthBuilder {
    builder
        .subject(SUBJECT)
        .configure(|it| it.max_lifetime = Some(secs(300)))
        .configure(|it| it.required_claims.push(RequiredClaim::Jti))
}

/// The status of a rejection of this kind.
pub fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request" => 400,
        "subject" | "forbidden" => 403,
        "keys_unavailable" | "key_pending" => 503,
        _ => 401,
    }
}
