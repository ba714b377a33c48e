//! Notifications of the service manager about this process: `sd_notify(3)` of systemd.
//!
//! A datagram that does not wait: a service manager that does not read delays nothing,
//! and gets the present state once it does.

use std::io;
use std::sync::{Mutex, PoisonError};

#[cfg(unix)]
use self::socket::Target;
use crate::console::Vars;
#[cfg(unix)]
use crate::console::variable;

/// What the process does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Ready,
    /// Reloads its settings.
    Reloading,
    /// For good.
    Stopping,
}

/// The service manager, if there is one.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    #[cfg(unix)]
    target: Option<Target>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// A line for people.
    status: String,
    /// Of these two, what it does not know yet.
    news: News,
}

#[derive(Debug, Clone, Copy, Default)]
struct News {
    phase: bool,
    status: bool,
}

impl ServiceManager {
    /// That of `NOTIFY_SOCKET`.
    #[cfg_attr(not(unix), expect(unused_variables))]
    pub(crate) fn of(vars: &Vars) -> Self {
        Self {
            #[cfg(unix)]
            target: variable(vars, "NOTIFY_SOCKET").map(Target::of),
            state: Mutex::new(State {
                phase: Phase::Starting,
                status: String::new(),
                news: News::default(),
            }),
        }
    }

    pub(crate) fn exists(&self) -> bool {
        #[cfg(unix)]
        return self.target.is_some();
        #[cfg(not(unix))]
        false
    }

    /// Notifies it of what the process does now, and how it is.
    ///
    /// # Errors
    /// If that can't be sent; [`update`](Self::update) tries again.
    pub(crate) fn enter(&self, phase: Phase, status: String) -> io::Result<()> {
        self.change(status, |state| {
            if state.phase != Phase::Stopping {
                state.phase = phase;
                state.news.phase = true;
            }
        })
    }

    /// Notifies it of how the process is, if that is news.
    ///
    /// # Errors
    /// If it can't be sent.
    pub(crate) fn update(&self, status: String) -> io::Result<()> {
        self.change(status, |_| ())
    }

    fn change(&self, status: String, change: impl FnOnce(&mut State)) -> io::Result<()> {
        if !self.exists() {
            return Ok(());
        }
        // Until it is sent, so that the last state is sent last. Sending never waits.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.news.status |= state.status != status;
        state.status = status;
        if state.news.phase || state.news.status {
            #[cfg(unix)]
            if let Some(target) = &self.target {
                target.send(&message(&state))?;
            }
            state.news = News::default();
        }
        Ok(())
    }
}

#[cfg(unix)]
fn message(state: &State) -> String {
    let phase = match state.phase {
        Phase::Starting => String::new(),
        _ if !state.news.phase => String::new(),
        Phase::Ready => "READY=1\n".to_owned(),
        // The moment distinguishes this reload from one that was asked for later.
        Phase::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\n", socket::microseconds()),
        Phase::Stopping => "STOPPING=1\n".to_owned(),
    };
    format!("{phase}STATUS={}", state.status)
}

#[cfg(unix)]
mod socket {
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::path::Path;

    use rustix::time::{ClockId, clock_gettime};

    /// Where it listens.
    #[derive(Debug)]
    pub(super) struct Target(Option<SocketAddr>);

    impl Target {
        pub(super) fn of(address: &OsStr) -> Self {
            Self(match address.as_bytes() {
                [b'/', ..] => SocketAddr::from_pathname(Path::new(address)).ok(),
                [b'@', name @ ..] => of_abstract_name(name),
                // Of another machine: vsock.
                _ => None,
            })
        }

        pub(super) fn send(&self, message: &str) -> io::Result<()> {
            let Some(address) = &self.0 else {
                let wrong = "NOTIFY_SOCKET is neither a path nor an abstract socket";
                return Err(io::Error::new(io::ErrorKind::Unsupported, wrong));
            };
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.send_to_addr(message.as_bytes(), address)?;
            Ok(())
        }
    }

    #[cfg(target_os = "linux")]
    fn of_abstract_name(name: &[u8]) -> Option<SocketAddr> {
        use std::os::linux::net::SocketAddrExt as _;
        SocketAddr::from_abstract_name(name).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn of_abstract_name(_: &[u8]) -> Option<SocketAddr> {
        None
    }

    /// Of the monotonic clock.
    pub(super) fn microseconds() -> i64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
    }
}
