//! A proxy's address, whose user name and password are never printed.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

/// Stands for the user name and the password where an address is printed.
const WITHHELD: &str = "***";

/// The address of a proxy: `http://user:password@host:port`, with `%40` for an `@` in the
/// user name or the password, and so on. User name and password may be missing; `https`
/// is for a proxy that is itself spoken to over TLS.
///
/// `Debug` and `Serialize` write `***` for the user name and the password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct ProxyAddress(String);

impl From<String> for ProxyAddress {
    fn from(address: String) -> Self {
        Self(address)
    }
}

impl From<&str> for ProxyAddress {
    fn from(address: &str) -> Self {
        Self(address.to_owned())
    }
}

/// A proxy that can be used.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Its host and port.
    pub(crate) name: String,
    pub(crate) setting: reqwest::Proxy,
}

impl ProxyAddress {
    /// # Errors
    /// With what is wrong, to follow the setting's name.
    pub(super) fn parse(&self) -> Result<Proxy, &'static str> {
        let url = self.url()?;
        if url.username() == WITHHELD {
            return Err("has *** for a user name, as it is printed");
        }
        let name = name(url.host_str(), url.port_or_known_default());
        let setting = reqwest::Proxy::all(url).map_err(|_| "can't be used")?;
        Ok(Proxy { name, setting })
    }

    fn url(&self) -> Result<Url, &'static str> {
        let url = Url::parse(&self.0)
            .map_err(|_| "is not an address such as http://proxy.example:3128")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("is neither http:// nor https://");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "has more than a host and a port: write /, ? and # in a password as \
                        %2F, %3F and %23",
            );
        }
        Ok(url)
    }

    fn shown(&self) -> String {
        match self.url() {
            Ok(url) if url.username().is_empty() && url.password().is_none() => self.0.clone(),
            // A user name alone may be a token.
            Ok(mut url) => match url.set_password(None).and(url.set_username(WITHHELD)) {
                Ok(()) => url.into(),
                Err(()) => WITHHELD.to_owned(),
            },
            // Nobody knows where in it the password is.
            Err(_) => WITHHELD.to_owned(),
        }
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyAddress").field(&self.shown()).finish()
    }
}

impl Serialize for ProxyAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

/// The proxy that the environment, or the system, names for this address.
pub(crate) fn named(address: &Url) -> Option<String> {
    let uri = address.as_str().parse().ok()?;
    let proxy = Matcher::from_system().intercept(&uri)?;
    Some(name_of(proxy.uri()))
}

/// The matcher gives every proxy a scheme.
fn name_of(proxy: &Uri) -> String {
    let default = if proxy.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    name(proxy.host(), proxy.port_u16().or(Some(default)))
}

fn name(host: Option<&str>, port: Option<u16>) -> String {
    let (host, port) = (host.unwrap_or_default(), port.unwrap_or_default());
    format!("{}:{port}", host.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_without_a_port_has_that_of_its_scheme() {
        for (proxy, name) in [
            ("http://proxy.example", "proxy.example:80"),
            ("https://proxy.example", "proxy.example:443"),
            ("https://proxy.example:3128", "proxy.example:3128"),
        ] {
            assert_eq!(name_of(&proxy.parse().expect("an address")), name);
        }
    }
}
