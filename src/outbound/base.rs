//! Decides which base address a call is for: pure, and wary of addresses that two readers
//! could read differently.
//!
//! The token is chosen by the request's address as written; the server decides what is
//! called, and may resolve dots, join slashes and undo escapes first. Where a path under
//! one base could thus become one under another, the call fails instead of being resolved
//! here: this crate cannot know what the server does.

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue, Uri};

use super::error::CallRefused;
use crate::net::address::is_loopback;

/// A scheme, an authority and a path prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    secure: bool,
    /// In lower case.
    host: Box<str>,
    port: u16,
    /// Empty, or starting with a slash and not ending with one.
    path: Box<str>,
}

/// The origin that a request's address names.
struct Origin<'a> {
    secure: bool,
    host: &'a str,
    port: u16,
}

impl Base {
    /// A configured base, or what is wrong with it.
    pub(super) fn parse(text: &str, danger_allow_http: bool) -> Result<Self, &'static str> {
        // The parser would drop a fragment silently.
        if text.contains(['?', '#']) {
            return Err("has a query or a fragment");
        }
        let uri: Uri = text.parse().map_err(|_| "is not an address")?;
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err("has a user name or password in it");
        }
        let Some(origin) = Origin::of(&uri) else {
            return Err("is not an address of https or http");
        };
        if !origin.secure && !danger_allow_http && !is_loopback(origin.host) {
            return Err("is plain http to another machine");
        }
        let path = uri.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        // An escape has several spellings, of which only one would match.
        if path.contains('%') || path.ends_with('/') || !is_unmistakable(path) {
            return Err("has a path with escapes, dots for a segment, or an empty segment");
        }
        Ok(Self {
            secure: origin.secure,
            host: origin.host.to_ascii_lowercase().into(),
            port: origin.port,
            path: path.into(),
        })
    }

    fn is_at(&self, origin: &Origin<'_>) -> bool {
        self.secure == origin.secure
            && self.port == origin.port
            && self.host.eq_ignore_ascii_case(origin.host)
    }

    /// Whether `path` is the base's own or below it, by whole segments.
    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&*self.path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The place in `bases` of the longest base that a request is under, if it may carry that
/// base's token.
///
/// If any base at the origin has a path, a path that the server could resolve to another
/// one is an error.
pub(super) fn admit<'b>(
    bases: impl Iterator<Item = &'b Base> + Clone,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<usize, CallRefused> {
    if headers.contains_key(AUTHORIZATION) {
        return Err(CallRefused::AlreadyAuthorized);
    }
    let at = find(bases, uri)?;
    // A `Host` header that is set is sent unchanged, and the server goes by it.
    let names_another = |host: &HeaderValue| {
        let host = host.as_bytes();
        !(uri.authority()).is_some_and(|authority| {
            let names = [authority.as_str(), authority.host()];
            (names.iter()).any(|name| host.eq_ignore_ascii_case(name.as_bytes()))
        })
    };
    if headers.get_all(HOST).iter().any(names_another) {
        return Err(CallRefused::Stranger);
    }
    Ok(at)
}

fn find<'b>(
    bases: impl Iterator<Item = &'b Base> + Clone,
    uri: &Uri,
) -> Result<usize, CallRefused> {
    let origin = Origin::of(uri).ok_or(CallRefused::Stranger)?;
    let here = (bases.enumerate()).filter(|(_, base)| base.is_at(&origin));
    let path = uri.path();
    let mut with_path = here.clone().filter(|(_, base)| !base.path.is_empty());
    if with_path.next().is_some() && !is_unmistakable(path) {
        return Err(CallRefused::MistakablePath);
    }
    here.filter(|(_, base)| base.holds(path))
        .max_by_key(|(_, base)| base.path.len())
        .map(|(at, _)| at)
        .ok_or(CallRefused::Stranger)
}

impl<'a> Origin<'a> {
    /// `None` if the address is relative, has another scheme, or could be read as another
    /// one's: with user information or without a proper port.
    fn of(uri: &'a Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let secure = scheme.eq_ignore_ascii_case("https");
        if !secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let authority = uri.authority()?;
        let host = authority.host();
        // Fails if there is user information.
        let port = authority.as_str().strip_prefix(host)?;
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => [80, 443][usize::from(secure)],
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            _ => return None,
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        (!host.is_empty() && host.bytes().all(is_plain)).then_some(Self { secure, host, port })
    }
}

/// Whether every server sees the same segments in a path: no empty ones but the last, no
/// dot segments, not even before a parameter (`..;x`), no backslash, and no escape of
/// what would matter (`.`, `/`, `\`, `;`, `%`, control characters) or of what is not
/// UTF-8.
fn is_unmistakable(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return path.is_empty();
    };
    if path.contains('\\') || !has_harmless_escapes(path) {
        return false;
    }
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split(';').next().unwrap_or_default();
        if [".", ".."].contains(&name) || (name.is_empty() && segments.peek().is_some()) {
            return false;
        }
    }
    true
}

fn has_harmless_escapes(path: &str) -> bool {
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match digit().zip(digit()).map(|(high, low)| 16 * high + low) {
            Some(b'.' | b'/' | b'\\' | b';' | b'%' | 0..=0x1f | 0x7f) | None => return false,
            Some(byte) => decoded.push(byte),
        }
    }
    str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Base {
        Base::parse(text, false).expect(text)
    }

    fn found(bases: &[&str], uri: &str) -> Result<usize, CallRefused> {
        let bases: Vec<_> = bases.iter().map(|text| base(text)).collect();
        find(bases.iter(), &uri.parse().expect(uri))
    }

    #[test]
    fn a_base_is_https_or_http_to_this_machine() {
        for good in [
            "https://go.example",
            "https://go.example/",
            "https://go.example:8443/a/b/",
            "http://127.0.0.1:80/a",
            "http://[::1]/a",
            "http://localhost:8080",
        ] {
            assert!(Base::parse(good, false).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "go.example",
            "ftp://go.example",
            "http://go.example",
            "http://localhost.example",
            "https://user@go.example",
            "https://user:password@go.example/a",
            "https://go.example/?",
            "https://go.example/a?b=c",
            "https://go.example/a#b",
            "https://go.example:/a",
            "https://go.example:99999/a",
            "https://go.example:4x3/a",
            "https://go.example:+443/a",
            "https:///a",
            "https://go.example/a/../b",
            "https://go.example/a/./b",
            "https://go.example//a",
            "https://go.example/a//",
            "https://go.example/a%2fb",
            "https://go.example/%61",
            "https://go.example/a\\b",
            "https://go.example/a b",
            "https://go!.example/a",
        ] {
            assert!(Base::parse(bad, false).is_err(), "{bad}");
        }
        assert!(Base::parse("http://go.example/a", true).is_ok());
        assert!(Base::parse("ftp://go.example/a", true).is_err());
    }

    #[test]
    fn spellings_of_one_base_are_equal() {
        for same in [
            "https://GO.example:443/a/",
            "HTTPS://go.EXAMPLE/a",
            "https://go.example:0443/a",
        ] {
            assert_eq!(base("https://go.example/a"), base(same), "{same}");
        }
        for other in [
            "https://go.example/A",
            "https://go.example/a/b",
            "https://go.example:8443/a",
            "https://go.example",
            "https://go.example.",
        ] {
            assert_ne!(base("https://go.example/a"), base(other), "{other}");
        }
    }

    #[test]
    fn the_longest_base_on_whole_segments_wins() {
        let bases = [
            "https://go.example/usb",
            "https://go.example/usb/v4",
            "https://shop.example",
        ];
        for (uri, expected) in [
            ("https://go.example/usb", Some(0)),
            ("https://go.example/usb/", Some(0)),
            ("https://go.example/usb?x=/../y", Some(0)),
            ("https://GO.example:443/usb/ping", Some(0)),
            ("https://go.example/usb/v4", Some(1)),
            ("https://go.example/usb/v4/ping", Some(1)),
            ("https://go.example/usb/v45/ping", Some(0)),
            ("https://shop.example/usb/v4/ping", Some(2)),
            ("https://shop.example", Some(2)),
            ("https://go.example/usbx/ping", None),
            ("https://go.example/USB/ping", None),
            ("https://go.example/", None),
            ("https://go.example:8443/usb/ping", None),
            ("http://go.example/usb/ping", None),
            ("http://go.example:443/usb/ping", None),
            ("https://go.example.evil.example/usb/ping", None),
            ("https://go.example./usb/ping", None),
            ("https://go.example@evil.example/usb/ping", None),
            ("https://evil.example@go.example/usb/ping", None),
            ("https://go.example@go.example/usb/ping", None),
            ("https://go.example:99999/usb/ping", None),
            ("https://go.example:/usb/ping", None),
            ("/usb/ping", None),
            ("go.example:443", None),
        ] {
            let expected = expected.ok_or(CallRefused::Stranger);
            assert_eq!(found(&bases, uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_host_header_names_the_host_of_the_address() {
        let bases = [base("https://go.example:8443/usb")];
        let uri = Uri::from_static("https://go.example:8443/usb/ping");
        let mut headers = HeaderMap::new();
        for (host, admitted) in [
            ("go.example:8443", true),
            ("GO.example", true),
            ("evil.example", false),
            ("go.example:9443", false),
            ("", false),
        ] {
            headers.insert(HOST, HeaderValue::from_static(host));
            let result = admit(bases.iter(), &uri, &headers);
            assert_eq!(result.is_ok(), admitted, "{host}");
        }
        headers.insert(HOST, HeaderValue::from_static("go.example"));
        headers.append(HOST, HeaderValue::from_static("evil.example"));
        let result = admit(bases.iter(), &uri, &headers);
        assert_eq!(result, Err(CallRefused::Stranger));
    }

    #[test]
    fn a_path_that_could_be_resolved_elsewhere_fails() {
        for path in [
            "/usb/../shop/ping",
            "/usb/..",
            "/usb/./ping",
            "/usb/.",
            "/usb//ping",
            "//usb/ping",
            "/usb/..;/shop",
            "/usb/..;a=b/shop",
            "/usb/.;/shop",
            "/usb/;/shop",
            "/usb/%2e%2e/shop",
            "/usb/%2E./shop",
            "/usb/.%2e/shop",
            "/usb/..%2fshop",
            "/usb/..%5Cshop",
            "/usb/..\\shop",
            "/usb\\..\\shop",
            "/usb/%252e%252e/shop",
            "/usb/..%3b/shop",
            "/usb/%00",
            "/usb/%0a",
            "/usb/%c0%ae%c0%ae/shop",
            "/usb/%",
            "/usb/%2",
            "/usb/%%32e",
            "/usb/%zz",
        ] {
            let uri = format!("https://go.example{path}");
            let refused = Err(CallRefused::MistakablePath);
            assert_eq!(found(&["https://go.example/usb"], &uri), refused, "{path}");
            // Nor may the token for the whole origin be sent to a part of it.
            let both = ["https://go.example", "https://go.example/usb"];
            assert_eq!(found(&both, &uri), refused, "{path}");
            // Where the token is for the whole origin, a path stays within it.
            assert_eq!(found(&["https://go.example"], &uri), Ok(0), "{path}");
        }
        for path in [
            "/usb/hotel/a.b/..c/d..",
            "/usb/hotel/caf%C3%A9/100%20",
            "/usb/a;b=c/...",
            "/usb/ping/",
        ] {
            let uri = format!("https://go.example{path}");
            assert_eq!(found(&["https://go.example/usb"], &uri), Ok(0), "{path}");
        }
    }
}
