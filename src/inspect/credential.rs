//! A whole `Authorization` header: whether there is one token in it.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::{Check, Explanation, Verdict};
use crate::inbound::{Credential, InvalidCredential, NoToken, Rejection};

/// The token in the value of an `Authorization` header, or why the gate finds none in it.
/// Nothing of the value is shown: it may be a password.
pub fn of_header(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Box<Explanation>> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(AUTHORIZATION, value);
    }
    let invalid = headers.is_empty();
    let none = match Credential::from_authorization(&headers) {
        _ if invalid => NoToken::Invalid(InvalidCredential::NotAscii),
        Credential::Token(token) => return Ok(Cow::into_owned(token).into_bytes().into()),
        Credential::Missing => NoToken::Missing,
        Credential::OtherScheme => NoToken::OtherScheme,
        Credential::Invalid(why) => NoToken::Invalid(why),
    };
    let rejection = Rejection::from(none);
    let found = match none {
        _ if invalid => "a character that no header can have: a line end inside, perhaps",
        _ => rejection.detail(),
    };
    let check = Check {
        name: "credential",
        expected: "one token, with or without Bearer before it".to_owned(),
        found: found.to_owned(),
        ok: Some(false),
        kind: Some(rejection.kind().as_str()),
        difference: None,
    };
    Err(Box::new(Explanation {
        verdict: Verdict::Refused,
        rejection: Some(rejection),
        checks: vec![check],
        claimed: None,
    }))
}
