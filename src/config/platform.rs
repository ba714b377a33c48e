//! Variables that container platforms create for a service or link whose name begins with
//! `go-auth`, and which are not settings.
//!
//! Kubernetes creates them in `pkg/kubelet/envvars`, Docker in `daemon/links`. They are
//! recognised by name and value together, so that a misspelt setting is not ignored.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;

/// The port protocols that either platform knows.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

type IsValue = fn(&str) -> bool;

/// What follows the port in a name, `GO_AUTH_PORT_80_TCP`, and the form of its value;
/// those with `START` and `END` are Docker's, for port ranges.
const OF_A_PORT: [(&str, IsValue); 8] = [
    ("", is_address_and_port),
    ("_PROTO", is_protocol),
    ("_PORT", is_port),
    ("_ADDR", is_address),
    ("_START", is_address_and_port),
    ("_PORT_START", is_port),
    ("_END", is_address_and_port),
    ("_PORT_END", is_port),
];

/// Docker's links in an environment, each as its variables begin: `GO_AUTH_ENV_`.
pub(super) struct Links(HashSet<String>);

impl Links {
    pub(super) fn of(vars: &[(String, OsString)]) -> Self {
        let links = vars.iter().filter_map(|(name, value)| {
            let alias = name.strip_suffix("_NAME")?;
            is_path_to(value.to_str()?, alias).then(|| format!("{alias}_ENV_"))
        });
        Self(links.collect())
    }

    /// Whether a platform created this variable, whose name begins with `GO_AUTH`.
    pub(super) fn have_made(&self, name: &str, value: &OsStr) -> bool {
        let is_form = |value: &str| {
            is_of_service(name, value)
                || is_of_port(name, value)
                || (name.strip_suffix("_NAME")).is_some_and(|alias| is_path_to(value, alias))
        };
        // The environment of the linked container, whatever it contains.
        let is_of_link = || {
            let ends = name.match_indices("_ENV_").map(|(at, env)| at + env.len());
            ends.into_iter().any(|end| self.0.contains(&name[..end]))
        };
        value.to_str().is_some_and(is_form) || is_of_link()
    }
}

/// `GO_AUTH_SERVICE_HOST`, `GO_AUTH_SERVICE_PORT` and `GO_AUTH_SERVICE_PORT_HTTP`.
fn is_of_service(name: &str, value: &str) -> bool {
    let is_named_port = |(_, port): (&str, &str)| !port.is_empty();
    let is_port_name = name.ends_with("_SERVICE_PORT")
        || (name.split_once("_SERVICE_PORT_")).is_some_and(is_named_port);
    name.ends_with("_SERVICE_HOST") && is_address(value) || is_port_name && is_port(value)
}

/// `GO_AUTH_PORT`, `GO_AUTH_PORT_80_TCP` and its variants.
fn is_of_port(name: &str, value: &str) -> bool {
    name.ends_with("_PORT") && is_address_and_port(value)
        || OF_A_PORT.into_iter().any(|(end, is_value)| {
            name.strip_suffix(end).is_some_and(ends_with_port) && is_value(value)
        })
}

/// `GO_AUTH_PORT_80_TCP`
fn ends_with_port(name: &str) -> bool {
    let parts = name.rsplit_once('_').and_then(|(name, protocol)| {
        let (name, port) = name.rsplit_once('_')?;
        Some((name, port, protocol.to_lowercase()))
    });
    parts.is_some_and(|(name, port, protocol)| {
        name.ends_with("_PORT") && is_port(port) && is_protocol(&protocol)
    })
}

/// `/api/go-auth`, the value of `GO_AUTH_NAME`.
fn is_path_to(path: &str, alias: &str) -> bool {
    let link = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    link.is_some_and(|(_, name)| name.to_uppercase().replace('-', "_") == alias)
}

/// `tcp://10.0.0.1:80`, with or without brackets around an IPv6 address.
fn is_address_and_port(value: &str) -> bool {
    let parts = value.split_once("://").and_then(|(protocol, at)| {
        let (address, port) = at.rsplit_once(':')?;
        Some((protocol, address, port))
    });
    parts.is_some_and(|(protocol, address, port)| {
        let inner = address
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'));
        is_protocol(protocol) && is_address(inner.unwrap_or(address)) && is_port(port)
    })
}

fn is_protocol(value: &str) -> bool {
    PROTOCOLS.contains(&value)
}

fn is_address(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}

fn is_port(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<u16>().is_ok()
}
