//! The credential that a request presents (RFC 9110, section 11.6.2; RFC 6750, section
//! 2.1).
//!
//! GO's documents show its token both as `Authorization: Bearer TOKEN` and as
//! `Authorization: TOKEN`, with no scheme; both are read.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use memchr::memchr3;

/// The credential that a request presents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// Nothing: 401.
    Missing,
    /// Something for another kind of authentication: 401.
    OtherScheme,
    /// Something that cannot be read as one credential: 400.
    Invalid(InvalidCredential),
    /// A token that was not checked yet.
    Token(Cow<'a, str>),
}

/// Why something cannot be read as one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidCredential {
    /// There are several field lines.
    Several,
    /// It has a comma, which would join two of them (RFC 9110, section 5.3).
    Comma,
    /// It is empty, or the scheme alone.
    Empty,
    /// There is a space within or around the token.
    Space,
    /// It has a tab.
    Tab,
    /// It has a character that is not ASCII.
    NotAscii,
}

/// A request without its body: for a custom [credential
/// source](super::GoAuthLayer::credentials) or [answer](super::Respond).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The extensions.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// The head of a request that is no [`http::Request`], without extensions.
    pub fn new(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        static NO_EXTENSIONS: LazyLock<Extensions> = LazyLock::new(Extensions::new);
        Self {
            method,
            uri,
            headers,
            extensions: &NO_EXTENSIONS,
        }
    }
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a Parts> for RequestHead<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

/// What a request presents instead of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoToken {
    Missing,
    OtherScheme,
    Invalid(InvalidCredential),
}

impl From<NoToken> for Credential<'_> {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::Missing => Self::Missing,
            NoToken::OtherScheme => Self::OtherScheme,
            NoToken::Invalid(why) => Self::Invalid(why),
        }
    }
}

/// Where to look for a request's credential.
#[derive(Clone)]
pub(crate) enum CredentialSource {
    Header(HeaderName),
    Own(Arc<OwnSource>),
}

pub(crate) type OwnSource = dyn for<'a> Fn(RequestHead<'a>) -> Credential<'a> + Send + Sync;

impl CredentialSource {
    /// The token that a request presents. It need not be valid text: it is only ever
    /// compared and decoded, byte by byte.
    pub(super) fn read<'a>(&self, request: RequestHead<'a>) -> Result<Cow<'a, [u8]>, NoToken> {
        match self {
            Self::Header(name) => from_header(request.headers, name).map(Into::into),
            Self::Own(read) => match read(request) {
                Credential::Missing => Err(NoToken::Missing),
                Credential::OtherScheme => Err(NoToken::OtherScheme),
                Credential::Invalid(why) => Err(NoToken::Invalid(why)),
                Credential::Token(Cow::Borrowed(token)) => Ok(token.as_bytes().into()),
                Credential::Token(Cow::Owned(token)) => Ok(token.into_bytes().into()),
            },
        }
    }
}

impl CredentialSource {
    /// The header that holds the credential of a request that is passed on.
    pub(super) fn header(&self) -> &HeaderName {
        match self {
            Self::Header(name) => name,
            Self::Own(_) => &AUTHORIZATION,
        }
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header(name) => name.as_str(),
            Self::Own(_) => "Own",
        })
    }
}

impl<'a> Credential<'a> {
    /// The credential of the `Authorization` header, in either of GO's forms.
    pub fn from_authorization(headers: &'a HeaderMap) -> Self {
        Self::from_header(headers, &AUTHORIZATION)
    }

    /// The credential of a header with another name, in the forms of `Authorization`.
    ///
    /// One field line, visible ASCII and spaces, no comma: `Bearer` (in any case), spaces
    /// and the token, or the token alone. Another word before a space is another scheme.
    pub fn from_header(headers: &'a HeaderMap, name: &HeaderName) -> Self {
        match from_header(headers, name) {
            Ok(token) => match str::from_utf8(token) {
                Ok(token) => Self::Token(token.into()),
                Err(_) => Self::Invalid(InvalidCredential::NotAscii),
            },
            Err(none) => none.into(),
        }
    }
}

fn from_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a [u8], NoToken> {
    let value = headers.get(name).ok_or(NoToken::Missing)?;
    // Otherwise no name has two values.
    if headers.len() > headers.keys_len() && headers.get_all(name).iter().nth(1).is_some() {
        return Err(NoToken::Invalid(InvalidCredential::Several));
    }
    clean_token(value.as_bytes()).ok_or_else(|| scrutinise(value))
}

/// The usual case: `Bearer`, spaces and a clean token, or a clean token alone.
fn clean_token(value: &[u8]) -> Option<&[u8]> {
    let token = match value.split_at_checked(BEARER.len()) {
        Some((scheme, [b' ', rest @ ..])) if scheme.eq_ignore_ascii_case(BEARER) => {
            let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
            &rest[spaces..]
        }
        _ if value.eq_ignore_ascii_case(BEARER) => return None,
        _ => value,
    };
    (!token.is_empty() && is_clean(token)).then_some(token)
}

/// The other cases: another scheme, or unusable.
#[cold]
fn scrutinise(value: &HeaderValue) -> NoToken {
    use InvalidCredential::{Comma, Empty, NotAscii, Space, Tab};

    // An ASCII value holds no control character but the tab.
    let Ok(value) = value.to_str() else {
        return NoToken::Invalid(NotAscii);
    };
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    NoToken::Invalid(if value.contains('\t') {
        Tab
    } else if is_scheme(scheme) {
        return NoToken::OtherScheme;
    } else if value.contains(',') {
        Comma
    } else if rest.trim_matches(' ').is_empty()
        && (scheme.is_empty() || scheme.as_bytes().eq_ignore_ascii_case(BEARER))
    {
        Empty
    } else {
        Space
    })
}

/// Whether this word before a space is the name of another scheme, a token of RFC 9110,
/// section 5.6.2.
fn is_scheme(word: &str) -> bool {
    let is_token = |byte: u8| match byte {
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => true,
        _ => byte.is_ascii_alphanumeric(),
    };
    !word.is_empty() && word.bytes().all(is_token) && !word.as_bytes().eq_ignore_ascii_case(BEARER)
}

const BEARER: &[u8] = b"bearer";

/// Whether a token is visible ASCII without a comma, which would join two of them (RFC
/// 9110, section 5.3). A [`HeaderValue`] has no control character but the tab.
fn is_clean(token: &[u8]) -> bool {
    memchr3(b' ', b'\t', b',', token).is_none() && token.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&[u8]]) -> Credential<'static> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        match Credential::from_authorization(&headers) {
            Credential::Token(token) => Credential::Token(Cow::Owned(token.into_owned())),
            Credential::Missing => Credential::Missing,
            Credential::OtherScheme => Credential::OtherScheme,
            Credential::Invalid(why) => Credential::Invalid(why),
        }
    }

    #[test]
    fn both_forms_of_gos_header_are_read() {
        let token = Credential::Token("53ac0777".into());
        for value in [
            "Bearer 53ac0777",
            "bearer 53ac0777",
            "BEARER 53ac0777",
            "Bearer   53ac0777",
            "53ac0777",
        ] {
            assert_eq!(read(&[value.as_bytes()]), token, "{value}");
        }
    }

    #[test]
    fn other_headers_with_several_values_do_not_matter() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("53ac0777"));
        for cookie in ["a=1", "b=2"] {
            headers.append("cookie", HeaderValue::from_static(cookie));
        }
        let token = Credential::Token("53ac0777".into());
        assert_eq!(Credential::from_authorization(&headers), token);
    }

    #[test]
    fn no_credential_and_other_schemes_are_told_apart() {
        assert_eq!(read(&[]), Credential::Missing);
        for value in [
            "Basic dXNlcg==",
            "Digest username=\"a\", realm=\"b\"",
            "BearerX abc",
            "a b",
            "a ",
        ] {
            assert_eq!(
                read(&[value.as_bytes()]),
                Credential::OtherScheme,
                "{value}"
            );
        }
    }

    #[test]
    fn an_unusable_header_is_invalid() {
        use InvalidCredential::{Comma, Empty, NotAscii, Several, Space, Tab};

        for (values, why) in [
            (&[&b"Bearer a"[..], b"Bearer a"][..], Several),
            (&[b"Bearer a", b"Basic b"], Several),
            (&[b"Bearer a, Bearer b"], Comma),
            (&[b"Bearer a,b"], Comma),
            (&[b"a,b"], Comma),
            (&[b"a, b"], Comma),
            (&[b"a, Bearer b"], Comma),
            (&[b"Bearer, b"], Comma),
            (&[b"(Basic) a"], Space),
            (&[b"Bearer"], Empty),
            (&[b"Bearer "], Empty),
            (&[b"Bearer   "], Empty),
            (&[b"bearer"], Empty),
            (&[b""], Empty),
            (&[b" "], Empty),
            (&[b" a"], Space),
            (&[b"Bearer a b"], Space),
            (&[b"Bearer a "], Space),
            (&[b"Bearer\ta"], Tab),
            (&[b"Bearer a\t"], Tab),
            (&[b"Basic\ta"], Tab),
            (&[b"Basic a\t"], Tab),
            (&[b"a\t"], Tab),
            (&[b"Bearer \xe9"], NotAscii),
            (&["Bearer é".as_bytes()], NotAscii),
            (&[b"\xff"], NotAscii),
        ] {
            assert_eq!(read(values), Credential::Invalid(why), "{values:?}");
        }
    }
}
