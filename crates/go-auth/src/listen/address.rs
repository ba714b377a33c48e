//! How an address to listen at is written. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use derbysoft_go_auth::inspect::show::quoted;

/// The longest path of a Unix socket, in bytes: of the 108 on Linux (104 elsewhere) the
/// last is 0.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// An address to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `HOST:PORT`
    Tcp {
        /// A name, or an IP address without brackets.
        host: String,
        port: u16,
    },
    /// `:PORT`: every address of this machine.
    Everywhere { port: u16 },
    /// `unix:PATH`
    Unix(PathBuf),
    /// `systemd`, or `systemd:NAME`: the only socket that is passed, or the one of this
    /// `FileDescriptorName=`.
    Passed(Option<String>),
}

/// Who may connect to a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    /// The group's number. Without it, the group is that of the process.
    pub(crate) group: Option<u32>,
}

impl Default for Access {
    /// The gate's user and group, which the proxy joins.
    fn default() -> Self {
        Self {
            mode: 0o660,
            group: None,
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// The error: what is wrong, after the name of the setting and a colon.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path).map_err(|wrong| format!("{} {wrong}", quoted(text)));
        }
        match text.split_once(':') {
            None if text == "systemd" => return Ok(Self::Passed(None)),
            Some(("systemd", name)) if !name.bytes().all(|digit| digit.is_ascii_digit()) => {
                return Ok(Self::Passed(Some(name.to_owned())));
            }
            _ => {}
        }
        tcp(text).ok_or_else(|| {
            let forms = "HOST:PORT, :PORT, unix:PATH, systemd or systemd:NAME";
            format!("{} is not {forms}", quoted(text))
        })
    }
}

fn unix(path: &str) -> Result<Address, String> {
    let fault = match path.as_bytes() {
        _ if cfg!(not(unix)) => "is not possible on this system",
        [] | [.., b'/'] => "names no socket",
        [b'@', ..] => "is an abstract socket: it has no permissions, so that anybody may connect",
        path if path.len() > LONGEST_PATH => {
            return Err(format!(
                "is too long for a socket: {} bytes, at most {LONGEST_PATH}",
                path.len()
            ));
        }
        _ => return Ok(Address::Unix(path.into())),
    };
    Err(fault.to_owned())
}

fn tcp(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let is_number = port.bytes().all(|digit| digit.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number)?;
    if host.is_empty() {
        return Some(Address::Everywhere { port });
    }
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some(host) = in_brackets {
        // With a zone perhaps: fe80::1%eth0.
        let bare = host.split('%').next().unwrap_or_default();
        bare.parse::<Ipv6Addr>().ok()?;
    } else {
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        host.chars().all(is_of_names).then_some(())?;
    }
    let host = in_brackets.unwrap_or(host);
    Some(Address::Tcp {
        host: host.to_owned(),
        port,
    })
}

impl Address {
    /// Where a client on this machine finds what listens here: a host and a port, or a
    /// path.
    pub(crate) fn nearby(&self) -> Result<Nearby<'_>, &'static str> {
        Ok(match self {
            Self::Unix(path) => Nearby::Path(path),
            Self::Passed(_) => return Err("does not say where the socket is"),
            Self::Tcp { port: 0, .. } | Self::Everywhere { port: 0 } => {
                return Err("does not say which port it is");
            }
            Self::Everywhere { port } => Nearby::Loopback(*port),
            Self::Tcp { host, port } => match host.parse() {
                Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => {
                    Nearby::of(Ipv4Addr::LOCALHOST.into(), *port)
                }
                Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Nearby::Loopback(*port),
                Ok(ip) => Nearby::of(ip, *port),
                Err(_) => Nearby::Authority(self.to_string()),
            },
        })
    }
}

/// Where to connect to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Nearby<'a> {
    /// `HOST:PORT`
    Authority(String),
    /// This port, at 127.0.0.1 or `::1`: a container often has only the first.
    Loopback(u16),
    Path(&'a Path),
}

impl Nearby<'_> {
    fn of(ip: IpAddr, port: u16) -> Self {
        Self::Authority(SocketAddr::new(ip, port).to_string())
    }
}

/// As it is written.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Everywhere { port } => write!(f, ":{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Passed(None) => f.write_str("systemd"),
            Self::Passed(Some(name)) => write!(f, "systemd:{name}"),
        }
    }
}

impl Access {
    /// A mode in octal digits.
    ///
    /// # Errors
    /// With what is wrong.
    pub(crate) fn mode_of(text: &str) -> Result<u32, String> {
        let is_octal =
            (1..=4).contains(&text.len()) && text.bytes().all(|c| matches!(c, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| is_octal && *mode <= 0o777);
        match mode {
            None => Err(format!("{} is not a mode such as 0660", quoted(text))),
            // To connect is to write.
            Some(mode) if mode & 0o200 == 0 => Err(format!(
                "{} does not even let the gate's user connect",
                quoted(text)
            )),
            Some(mode) => Ok(mode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn every_form_is_read_and_written_alike() {
        for (text, address) in [
            ("127.0.0.1:8081", tcp("127.0.0.1", 8081)),
            ("localhost:0", tcp("localhost", 0)),
            ("gate_1.example-a:65535", tcp("gate_1.example-a", 65535)),
            ("[::1]:8081", tcp("::1", 8081)),
            ("[fe80::1%eth0]:80", tcp("fe80::1%eth0", 80)),
            (":8081", Address::Everywhere { port: 8081 }),
            (
                "unix:/run/go-auth/gate",
                Address::Unix("/run/go-auth/gate".into()),
            ),
            ("unix:gate.sock", Address::Unix("gate.sock".into())),
            ("systemd", Address::Passed(None)),
            ("systemd:gate", Address::Passed(Some("gate".to_owned()))),
            ("systemd:8081", tcp("systemd", 8081)),
        ] {
            assert_eq!(text.parse(), Ok(address.clone()), "{text}");
            assert_eq!(address.to_string(), text);
        }
        let longest = format!("unix:/{}", "a".repeat(LONGEST_PATH - 1));
        assert!(longest.parse::<Address>().is_ok());
    }

    #[test]
    fn any_other_form_is_a_fault() {
        let too_long = format!("unix:/{}", "a".repeat(LONGEST_PATH));
        for (text, part) in [
            ("", "is not HOST:PORT"),
            ("127.0.0.1", "is not HOST:PORT"),
            ("8081", "is not HOST:PORT"),
            ("127.0.0.1:", "is not HOST:PORT"),
            ("127.0.0.1:65536", "is not HOST:PORT"),
            ("127.0.0.1:+80", "is not HOST:PORT"),
            ("127.0.0.1:http", "is not HOST:PORT"),
            ("::1:8081", "is not HOST:PORT"),
            ("[::1]", "is not HOST:PORT"),
            ("[127.0.0.1]:80", "is not HOST:PORT"),
            ("http://127.0.0.1:8081", "is not HOST:PORT"),
            ("a b:80", "is not HOST:PORT"),
            ("*:80", "is not HOST:PORT"),
            ("/run/gate", "is not HOST:PORT"),
            ("systemd:", "is not HOST:PORT"),
            ("unix:", "names no socket"),
            ("unix:/run/", "names no socket"),
            ("unix:@gate", "is an abstract socket"),
            (&*too_long, "bytes, at most"),
        ] {
            let wrong = text.parse::<Address>().expect_err(text);
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    #[test]
    fn a_client_nearby_connects_to_loopback() {
        for (text, authority) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("10.1.2.3:80", "10.1.2.3:80"),
            ("gate:80", "gate:80"),
        ] {
            let address: Address = text.parse().expect(text);
            let authority = Nearby::Authority(authority.to_owned());
            assert_eq!(address.nearby(), Ok(authority), "{text}");
        }
        for text in [":8081", "[::]:8081", "[0:0::0]:8081"] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.nearby(), Ok(Nearby::Loopback(8081)), "{text}");
        }
        let socket: Address = "unix:/run/gate".parse().expect("a path");
        assert_eq!(socket.nearby(), Ok(Nearby::Path(Path::new("/run/gate"))));
        for text in ["systemd", "systemd:gate", ":0", "127.0.0.1:0"] {
            let address: Address = text.parse().expect(text);
            address.nearby().expect_err(text);
        }
    }

    #[test]
    fn a_mode_is_octal_and_lets_the_user_connect() {
        for (text, mode) in [
            ("0660", 0o660),
            ("600", 0o600),
            ("0777", 0o777),
            ("0200", 0o200),
        ] {
            assert_eq!(Access::mode_of(text), Ok(mode));
        }
        for text in [
            "", "0", "0460", "0678", "1777", "00660", "+660", "0o660", "rw",
        ] {
            Access::mode_of(text).expect_err(text);
        }
    }
}
