//! Which addresses may be asked for what decides about trust: a key document or a
//! token.

use reqwest::Url;

/// An address of configuration; its fault otherwise. `https`, or `http` to this
/// machine itself or where that danger was chosen.
///
/// # Errors
/// With what follows its name.
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
