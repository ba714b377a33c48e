//! Which addresses may be used for what decides about trust: a key document or a token.

use reqwest::Url;

/// Parses a configured address. It must be `https`, or `http` to this machine itself or
/// if `danger_allow_http` is set.
///
/// # Errors
/// With what is wrong, to follow the setting's name.
pub fn parse(text: &str, danger_allow_http: bool) -> Result<Url, &'static str> {
    if text.is_empty() {
        return Err("is required");
    }
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or password in it");
    }
    if url.fragment().is_some() {
        return Err("has a fragment");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if danger_allow_http || url.host_str().is_some_and(is_loopback) => Ok(url),
        "http" => Err("is plain http to another machine"),
        _ => Err("is neither https nor http"),
    }
}

/// 127.0.0.0/8, `::1` or `localhost` (RFC 6761, section 6.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || (address.parse()).is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
