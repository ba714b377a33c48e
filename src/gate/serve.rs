//! The command `go-auth serve`: the gate as a process.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::error::ServeError;
use super::metrics::Exposition;
use super::server::{Addresses, Gate};
use super::settings::Settings;
use super::signals::Signals;

/// Where it listens unless it is told otherwise: where the proxy of the same machine
/// reaches it, and nobody else.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8081";

/// How long what blocks may go on at the end: a snapshot that is being written, or a
/// disk that hangs.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// How the gate is to serve.
#[derive(Debug)]
pub(crate) struct ServeOptions {
    /// The address to listen at, as `HOST:PORT`; port 0 for any that is free.
    pub(crate) listen: String,
    /// The address of `/healthz`, `/readyz` and `/metrics`, where they are not to be
    /// at `listen`.
    pub(crate) status_listen: Option<String>,
    /// Where the settings are read, and read again on SIGHUP.
    pub(crate) settings: Settings,
}

/// Serves until SIGTERM or SIGINT, and returns when the requests in flight have ended.
/// Once it is bound, `announce` is told where.
///
/// For a process that does nothing else: it installs a recorder of metrics, a log on
/// standard error (where there is none yet; `RUST_LOG` filters it) and handlers of
/// signals, and makes a runtime.
///
/// # Errors
/// Where the settings have faults, or the process can't do one of these.
pub(crate) fn serve<E: From<ServeError>>(
    options: ServeOptions,
    announce: impl FnOnce(Addresses) -> Result<(), E>,
) -> Result<(), E> {
    log_to_stderr("info");
    let exposition = Exposition::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::from)?;
    let served = runtime.block_on(async {
        let signals = Signals::install().map_err(ServeError::from)?;
        let ServeOptions {
            listen,
            status_listen,
            settings,
        } = options;
        let gate = Gate::bind(&listen, status_listen.as_deref(), settings, exposition).await?;
        announce(gate.addresses().map_err(ServeError::from)?)?;
        gate.run(signals).await;
        Ok(())
    });
    runtime.shutdown_timeout(LAST_WRITES);
    served
}

/// Filtered by `RUST_LOG`, or by `otherwise` where that is not set.
pub(crate) fn log_to_stderr(otherwise: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| otherwise.into());
    // Where the process has a log of its own, that one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
}
