//! Tokens like GO's, and parts of them replaced by hand.

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::Mint;

use super::{AUDIENCE, ISSUER, KID, NOW, encode, good};

/// Tokens as GO sends them, of [`NOW`], by the [`good`] key.
pub fn mint() -> Mint {
    Mint::new(good().signing(), KID, ISSUER, AUDIENCE).at(UnixTime::from_secs(NOW))
}

/// A token of three segments as they are given, the signature over the first two by [`good`].
pub fn sign_segments(header: &str, payload: &str) -> String {
    let message = format!("{header}.{payload}");
    let signature = good().sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

/// A genuine signature over this header.
pub fn headed(header: impl Into<Vec<u8>>) -> String {
    mint().raw_header(header).token()
}

/// A genuine signature over this payload.
pub fn paid(payload: impl Into<Vec<u8>>) -> String {
    mint().raw_payload(payload).token()
}

/// Good claims of [`NOW`], those named replaced by raw JSON; `""` leaves one out.
pub fn claims(changes: &[(&str, &str)]) -> String {
    claims_of(NOW - 120, NOW, NOW + 300, changes)
}

/// The same, of these `nbf`, `iat` and `exp`.
pub fn claims_of(nbf: u64, iat: u64, exp: u64, changes: &[(&str, &str)]) -> String {
    let (exp, nbf, iat) = (exp.to_string(), nbf.to_string(), iat.to_string());
    let (iss, aud) = (format!("\"{ISSUER}\""), format!("\"{AUDIENCE}\""));
    let mut members = vec![
        ("iss", &*iss),
        ("aud", &*aud),
        ("exp", &*exp),
        ("nbf", &*nbf),
        ("iat", &*iat),
        ("sub", r#""ds-go-module""#),
        ("jti", r#""j""#),
    ];
    for (name, value) in changes {
        members.retain(|(known, _)| known != name);
        members.push((name, value));
    }
    let members: Vec<String> = members
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A genuine signature over good claims, one of them this.
pub fn claiming(name: &str, value: &str) -> String {
    paid(claims(&[(name, value)]))
}

/// The good payload's text with `more` inserted before its closing brace.
pub fn payload_and(more: &str) -> String {
    let text = mint().payload_text();
    format!("{},{more}}}", &text[..text.len() - 1])
}

/// A good header with `more` before its closing brace.
pub fn header_and(more: &str) -> String {
    format!(r#"{{"alg":"RS256","kid":"{KID}",{more}}}"#)
}

/// The three segments of a token.
pub fn segments(token: &str) -> [&str; 3] {
    let segments: Vec<&str> = token.split('.').collect();
    segments.try_into().expect("three segments")
}

/// `token` with another signature.
pub fn with_signature(token: &str, signature: &[u8]) -> String {
    let [header, payload, _] = segments(token);
    format!("{header}.{payload}.{}", encode(signature))
}

/// What the token's signature covers.
pub fn message(token: &str) -> &[u8] {
    token.rsplit_once('.').expect("a dot").0.as_bytes()
}
