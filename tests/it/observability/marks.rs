//! Bad tokens that carry an attacker's mark.

use derbysoft_go_simulator::Mint;

/// Each part of a credential that is long enough to give something away.
pub(super) fn parts(credential: &str) -> impl Iterator<Item = &str> {
    credential.split(['.', ' ']).filter(|part| part.len() > 8)
}

/// Tokens with the mark wherever text can stand; strict rules accept none of them.
pub(super) fn marked(mint: &Mint, mark: &str) -> Vec<String> {
    let mint = || mint.clone();
    vec![
        mint().kid(mark).token(),
        mint().header("alg", mark).token(),
        mint().header("typ", mark).token(),
        mint().header("crit", vec![mark]).token(),
        mint().issuer(mark).token(),
        mint().audience(mark).token(),
        mint().audiences([mark, "b"]).token(),
        mint().subject(mark).token(),
        mint().subject(mark).expires_in(-31).token(),
        mint().claim("exp", mark).token(),
        mint().repeat_claim("iss", mark).token(),
        mint().raw_header(mark).token(),
        mint().raw_payload(mark).token(),
        mark.to_owned(),
        format!("{mark}.{mark}.{mark}"),
    ]
}
