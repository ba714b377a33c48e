//! Sockets that the service manager has bound: systemd's socket activation,
//! `sd_listen_fds(3)`.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use derbysoft_go_auth::inspect::show::{list, quoted};

/// The most sockets that are passed: one for each address, and some by mistake.
const MOST: usize = 16;

/// The sockets that this process was passed, and their names.
pub(crate) struct Passed {
    /// By their places.
    names: Vec<String>,
    used: Vec<usize>,
    sockets: ListenFd,
}

/// One of them.
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Passed {
    /// Those of these variables, if they are meant for this process. To be called once,
    /// before there are threads: it removes the variables from the environment.
    ///
    /// # Errors
    /// With what is wrong with a variable.
    pub(crate) fn take(vars: &[(OsString, OsString)]) -> Result<Self, String> {
        let nothing = Self {
            names: Vec::new(),
            used: Vec::new(),
            sockets: ListenFd::empty(),
        };
        let of = |name: &str| {
            let found = vars.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_string_lossy())
        };
        let own = std::process::id().to_string();
        let Some(count) = of("LISTEN_FDS").filter(|_| of("LISTEN_PID").is_some_and(|it| it == own))
        else {
            return Ok(nothing);
        };
        let count = (count.parse().ok()).filter(|count| *count <= MOST);
        let count = count.ok_or_else(|| format!("LISTEN_FDS is not a number up to {MOST}"))?;
        if count == 0 {
            return Ok(nothing);
        }
        // As systemd names them where it is not said.
        let names: Vec<_> = match of("LISTEN_FDNAMES") {
            Some(names) => names.split(':').map(str::to_owned).collect(),
            None => vec!["unknown".to_owned(); count],
        };
        if names.len() != count {
            return Err("LISTEN_FDNAMES has not as many names as LISTEN_FDS says".to_owned());
        }
        Ok(Self {
            names,
            used: Vec::new(),
            sockets: ListenFd::from_env(),
        })
    }

    /// The only one, or the only one of this name.
    ///
    /// # Errors
    /// If there is not exactly one, with what there is.
    pub(super) fn one(&mut self, name: Option<&str>) -> Result<Socket, String> {
        let is_it = |known: &str| name.is_none_or(|name| known == name);
        let found: Vec<_> = (0..self.names.len())
            .filter(|at| is_it(&self.names[*at]))
            .collect();
        match found[..] {
            [at] if self.used.contains(&at) => Err("it is another address already".to_owned()),
            [at] => {
                self.used.push(at);
                self.ready(at)
            }
            [] if self.names.is_empty() => {
                Err("the service manager has passed no socket".to_owned())
            }
            [] => Err(format!(
                "the service manager has passed only {}",
                listed(&self.names)
            )),
            [..] => {
                let all = listed(&self.names);
                Err(format!("the service manager has passed several: {all}"))
            }
        }
    }

    /// # Errors
    /// If some are not used: what connects to them would hang.
    pub(crate) fn all_used(&self) -> Result<(), String> {
        let unused = (0..self.names.len()).filter(|at| !self.used.contains(at));
        let unused: Vec<_> = unused.map(|at| self.names[at].clone()).collect();
        if unused.is_empty() {
            return Ok(());
        }
        Err(format!(
            "the service manager has passed sockets that no address names: {}",
            listed(&unused)
        ))
    }

    fn ready(&mut self, at: usize) -> Result<Socket, String> {
        const NOT_ONE: &str = "what the service manager has passed is not a listening stream socket \
                               (is Accept=yes set?)";
        let listening = |socket: Socket| {
            let listens = match &socket {
                Socket::Tcp(tcp) => {
                    tcp.set_nonblocking(true).is_ok() && socket_acceptconn(tcp) == Ok(true)
                }
                Socket::Unix(unix) => {
                    unix.set_nonblocking(true).is_ok() && socket_acceptconn(unix) == Ok(true)
                }
            };
            listens.then_some(socket)
        };
        // What is of the other kind stays where it is.
        let tcp = self.sockets.take_tcp_listener(at).ok().flatten();
        let socket = tcp.map(Socket::Tcp).or_else(|| {
            let unix = self.sockets.take_unix_listener(at).ok().flatten();
            unix.map(Socket::Unix)
        });
        socket.and_then(listening).ok_or_else(|| NOT_ONE.to_owned())
    }
}

fn listed(names: &[String]) -> String {
    list(names.iter().map(|name| quoted(name)))
}
