//! Where the gate listens, by flags and environment. Pure but for the group's number.

use std::ffi::OsStr;
use std::str::FromStr;

use super::serve::ServeArgs;
use crate::console::{self, Failure, Vars};
use crate::listen::{Access, Address};
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::inspect::{both, fault};

/// Where it listens by default: where a proxy on the same machine reaches it, and nobody
/// else.
fn default_listen() -> Address {
    Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 8081,
    }
}

/// The addresses, and who may connect to those that are Unix sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) verdicts: Address,
    /// Of `/healthz`, `/readyz` and `/metrics`, where they have an address of their own.
    pub(crate) status: Option<Address>,
    pub(crate) access: Access,
}

impl Listening {
    /// A flag, or else a variable that is not empty.
    ///
    /// # Errors
    /// With every fault.
    pub(super) fn of(args: &ServeArgs, vars: &Vars) -> Result<Self, ConfigError> {
        let verdicts = read(
            ("--listen", args.listen.as_ref()),
            ("LISTEN", vars),
            Address::from_str,
        );
        let status = read(
            ("--status-listen", args.status_listen.as_ref()),
            ("STATUS_LISTEN", vars),
            Address::from_str,
        );
        let mode = read(
            ("--socket-mode", args.socket_mode.as_ref()),
            ("SOCKET_MODE", vars),
            Access::mode_of,
        );
        let group = read(
            ("--socket-group", args.socket_group.as_ref()),
            ("SOCKET_GROUP", vars),
            group,
        );
        let ((verdicts, status), (mode, group)) = both(both(verdicts, status), both(mode, group))?;
        let verdicts = verdicts.map_or_else(default_listen, |(_, address)| address);
        if let Some((name, address)) = &status
            && *address == verdicts
            && !has_any_port(address)
        {
            let wrong = format!("{address} is the address of the verdicts");
            return Err(fault(name, [wrong]));
        }
        let status = status.map(|(_, address)| address);
        let is_unix = |address: &Address| matches!(address, Address::Unix(_));
        if !is_unix(&verdicts) && !status.as_ref().is_some_and(is_unix) {
            let unused = |name| Err(fault(name, ["no address is unix:PATH".to_owned()]));
            let mode = mode.as_ref().map_or(Ok(()), |(name, _)| unused(name));
            let group = group.as_ref().map_or(Ok(()), |(name, _)| unused(name));
            both(mode, group)?;
        }
        let default = Access::default();
        Ok(Self {
            verdicts,
            status,
            access: Access {
                mode: mode.map_or(default.mode, |(_, mode)| mode),
                group: group.map(|(_, group)| group),
            },
        })
    }
}

/// The address at which a gate with these variables has its status, unless a flag names
/// another.
///
/// # Errors
/// With what is wrong with it.
pub(crate) fn status_address(flag: Option<&String>, vars: &Vars) -> Result<Address, Failure> {
    let address = || {
        let listed = [(flag, "STATUS_LISTEN"), (None, "LISTEN")];
        for (given, variable) in listed {
            let found = read(("--status", given), (variable, vars), Address::from_str)?;
            if let Some((_, address)) = found {
                return Ok(address);
            }
        }
        Ok(default_listen())
    };
    address().map_err(|error: ConfigError| Failure::Usage(joined(&error)))
}

/// Faults that no file of settings has.
pub(super) fn joined(error: &ConfigError) -> String {
    error.faults().collect::<Vec<_>>().join("; ")
}

/// Whether the system chooses the port.
fn has_any_port(address: &Address) -> bool {
    matches!(
        address,
        Address::Tcp { port: 0, .. } | Address::Everywhere { port: 0 }
    )
}

/// The value of a flag or variable, and the name of the one that it has.
fn read<T>(
    (flag, given): (&'static str, Option<&String>),
    (variable, vars): (&'static str, &Vars),
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<(&'static str, T)>, ConfigError> {
    let parsed = |name, text: &str| match parse(text) {
        Ok(value) => Ok(Some((name, value))),
        Err(wrong) => Err(fault(name, [wrong])),
    };
    if let Some(text) = given {
        return parsed(flag, text);
    }
    match console::variable(vars, variable).map(OsStr::to_str) {
        None => Ok(None),
        Some(Some(text)) => parsed(variable, text),
        Some(None) => Err(fault(variable, ["it is not UTF-8".to_owned()])),
    }
}

/// The number of a group by its name, or as it is given where nobody knows names.
#[cfg(unix)]
fn group(text: &str) -> Result<u32, String> {
    use derbysoft_go_auth::inspect::show::quoted;

    // The last number means none.
    if let Some(number) = text.parse().ok().filter(|number| *number != u32::MAX) {
        return Ok(number);
    }
    match nix::unistd::Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!("this system has no group {}", quoted(text))),
        Err(error) => Err(format!(
            "the group {} can't be looked up ({error}): give its number",
            quoted(text)
        )),
    }
}

#[cfg(not(unix))]
fn group(_: &str) -> Result<u32, String> {
    Err("this system has no such groups".to_owned())
}
