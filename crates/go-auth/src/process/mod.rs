//! What a command needs that serves until it is stopped: signals, a log that nothing
//! waits for, and an end whatever hangs.

mod deadline;
mod log;
mod service_manager;
mod signals;

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::console::{Console, Exit, Failure};
use derbysoft_go_auth::observe::flush_log;

pub(crate) use self::deadline::Deadline;
use self::log::Log;
pub(crate) use self::log::{DroppedLines, LAST_LINES};
pub(crate) use self::service_manager::{Phase, ServiceManager};
pub(crate) use self::signals::{Signal, Signals};

/// How long blocking work may go on at the end: a snapshot that is being written, or a
/// disk that hangs.
pub(crate) const LAST_WRITES: Duration = Duration::from_secs(5);

/// Runs a server until it returns, with a deadline for what is left to do. Signals are
/// heard from the first moment on; the log goes to standard error, filtered by `RUST_LOG`
/// or else by `filter`.
pub(crate) fn serve(
    filter: &str,
    console: &mut Console<'_>,
    run: impl FnOnce(
        &Runtime,
        Signals,
        DroppedLines,
        &mut Console<'_>,
    ) -> Result<(Exit, Option<Deadline>), Failure>,
) -> Exit {
    let result = start(filter).and_then(|(runtime, signals, log)| {
        let result = run(&runtime, signals, log.dropped(), console);
        runtime.shutdown_timeout(LAST_WRITES);
        // What the library logs passes through a thread of its own first.
        flush_log(LAST_LINES);
        // The log comes last, when everything is logged.
        result.map(|(exit, _deadline)| exit)
    });
    result.unwrap_or_else(|failure| {
        // Nobody has to read it, for a process that runs by itself.
        let _deadline = Deadline::exit_within(LAST_LINES, failure.exit().code());
        console.fail(&failure)
    })
}

fn start(filter: &str) -> Result<(Runtime, Signals, Log), Failure> {
    let cannot = |error: io::Error| Failure::cannot("serve", error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    // Before anything that takes time: until then a signal ends the process.
    let signals = {
        let _entered = runtime.enter();
        Signals::install().map_err(cannot)?
    };
    Ok((runtime, signals, Log::to_stderr(filter)))
}
