//! The command `go-auth serve`: the gate as a process.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::error::ServeError;
use super::events;
use super::metrics::Exposition;
use super::server::{Addresses, Gate};
use super::settings::Settings;
use crate::process::{Deadline, LAST_LINES, Signals, log_to_stderr};
use derbysoft_go_auth::flush_log;

/// Where it listens unless it is told otherwise: where the proxy of the same machine
/// reaches it, and nobody else.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8081";

/// How long what blocks may go on at the end: a snapshot that is being written, or a
/// disk that hangs.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// How long the process is there after its requests have ended, whatever else hangs: as
/// long as it waits for blocking work and twice for the log, and a second.
const LAST_STEPS: Duration =
    Duration::from_secs(LAST_WRITES.as_secs() + 2 * LAST_LINES.as_secs() + 1);

/// The status where the gate itself has panicked, as of what the process can't do.
const PANICKED: u8 = 2;

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::from)?;
    // Before anything that takes time: until then a signal ends the process.
    let signals = {
        let _entered = runtime.enter();
        Signals::install().map_err(ServeError::from)?
    };
    // Dropped last, when everything is logged.
    let log = log_to_stderr("info");
    let exposition = Exposition::install(log.dropped())?;
    let served = serve_on(&runtime, options, signals, exposition, announce);
    runtime.shutdown_timeout(LAST_WRITES);
    // What the crate logs passes through a thread of its own first.
    flush_log(LAST_LINES);
    served.map(drop)
}

/// Serves to the end, which has a time limit while what this gives is held.
fn serve_on<E: From<ServeError>>(
    runtime: &Runtime,
    options: ServeOptions,
    mut signals: Signals,
    exposition: Exposition,
    announce: impl FnOnce(Addresses) -> Result<(), E>,
) -> Result<Option<Deadline>, E> {
    let ServeOptions {
        listen,
        status_listen,
        settings,
    } = options;
    let gate = runtime.block_on(async {
        tokio::select! {
            gate = Gate::bind(&listen, status_listen.as_deref(), settings, exposition) => gate.map(Some),
            () = signals.stop() => Ok(None),
        }
    });
    let Some(gate) = gate? else {
        return Ok(None);
    };
    let addresses = gate.addresses().map_err(ServeError::from)?;
    log_panics();
    // Not on this thread, which may wait for a reader of what is announced.
    let running = runtime.spawn(async move {
        let ran = tokio::spawn(gate.run(signals)).await;
        let status = if ran.is_ok() { 0 } else { PANICKED };
        (ran, Deadline::exit_within(LAST_STEPS, status))
    });
    announce(addresses)?;
    match runtime.block_on(running) {
        Ok((Ok(()), deadline)) => Ok(Some(deadline)),
        Ok((Err(error), _)) | Err(error) => Err(ServeError::from(io::Error::from(error)).into()),
    }
}

/// From now on a panic is an event of the log. By default its thread would write it to
/// standard error itself, and wait there.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| events::panicked(&panic.to_string())));
}
