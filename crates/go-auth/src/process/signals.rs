//! Signals.

use std::io;

#[cfg(unix)]
use tokio::signal::unix;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Read the settings again (SIGHUP).
    Reload,
    /// Accept no more connections, end the open ones, and end (SIGTERM, SIGINT).
    Stop,
    /// Nothing: a signal of this name (SIGUSR1, SIGUSR2) that would end other processes.
    Ignored(&'static str),
}

/// Once installed, no signal ends the process by itself, and none is lost.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    user_defined_1: unix::Signal,
    user_defined_2: unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Needs a runtime, which may be entered and not run yet.
    pub(crate) fn install() -> io::Result<Self> {
        use unix::{SignalKind, signal};
        // A file that has reached a limit is an error of the write to it, as a full disk
        // is, and does not end the process: the handler stays.
        let limit_reached = rustix::process::Signal::XFSZ.as_raw();
        let _ = signal(SignalKind::from_raw(limit_reached))?;
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            user_defined_1: signal(SignalKind::user_defined1())?,
            user_defined_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next; several of a kind may count as one.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            () = either(&mut self.terminate, &mut self.interrupt) => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.user_defined_1.recv() => Signal::Ignored("SIGUSR1"),
            _ = self.user_defined_2.recv() => Signal::Ignored("SIGUSR2"),
        }
    }

    /// The next [`Stop`](Signal::Stop). A reload is kept for [`next`](Self::next).
    pub(crate) async fn stop(&mut self) {
        either(&mut self.terminate, &mut self.interrupt).await;
    }
}

#[cfg(unix)]
async fn either(one: &mut unix::Signal, other: &mut unix::Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Elsewhere there is only Ctrl-C.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Signals(());

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self(()))
    }

    pub(crate) async fn stop(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }

    pub(crate) async fn next(&mut self) -> Signal {
        self.stop().await;
        Signal::Stop
    }
}
