//! What a command needs that serves until it is stopped: signals, a log that nothing
//! waits for, and an end whatever hangs.

mod deadline;
mod in_thread;
mod log;
mod log_settings;
mod service_manager;
mod signals;

use std::time::Duration;
use std::{io, process, thread};

use tokio::runtime::Runtime;

use crate::console::{Console, Exit, Failure};
use crate::facts::Entry;
use derbysoft_go_auth::observe::flush_log;

pub(crate) use self::deadline::Deadline;
pub(crate) use self::in_thread::in_thread;
use self::log::Log;
pub(crate) use self::log::{DroppedLines, LAST_LINES};
pub(crate) use self::log_settings::LogArgs;
use self::log_settings::LogFormat;
pub(crate) use self::service_manager::{Phase, ServiceManager};
pub(crate) use self::signals::{Signal, Signals};

/// How long blocking work may go on at the end: a snapshot that is being written, or a
/// disk that hangs.
pub(crate) const LAST_WRITES: Duration = Duration::from_secs(5);

/// What it takes from the environment.
pub(crate) const VARIABLES: &[Entry] = &[
    (
        "RUST_LOG",
        "Which lines are logged: a level, or levels of targets, such as info,derbysoft_go_auth=debug.",
    ),
    (
        "LOG_FORMAT",
        "The format of the log, where no --log-format names one: text or json.",
    ),
];

/// What a server logs.
#[derive(Debug)]
pub(crate) struct Logging<'a> {
    pub(crate) args: &'a LogArgs,
    /// Where `RUST_LOG` says nothing.
    pub(crate) default_filter: &'static str,
    /// Logs a panic.
    pub(crate) panicked: fn(&str),
}

/// Runs a server until it returns, with a deadline for what is left to do. The log goes to
/// standard error, panics included. Signals are heard from the first moment on.
pub(crate) fn serve(
    logging: &Logging<'_>,
    console: &mut Console<'_>,
    run: impl FnOnce(
        &Runtime,
        Signals,
        DroppedLines,
        &mut Console<'_>,
    ) -> Result<(Exit, Option<Deadline>), Failure>,
) -> Exit {
    let settings = logging.args.settings(logging.default_filter, console);
    let log = match Log::to_stderr(&settings) {
        Ok(log) => log,
        Err(error) => return console.fail(&Failure::cannot("serve", error)),
    };
    handle_panics(logging.panicked, log.last_lines());
    let result = (settings.check().and_then(|()| start())).and_then(|(runtime, signals)| {
        let result = run(&runtime, signals, log.dropped(), console);
        runtime.shutdown_timeout(LAST_WRITES);
        // What the library logs passes through a thread of its own first.
        flush_log(LAST_LINES);
        result.map(|(exit, _deadline)| exit)
    });
    let failure = match result {
        // Without the deadline. The log comes last, when everything is logged.
        Ok(exit) => return exit,
        Err(failure) => failure,
    };
    // Nobody has to read it, for a process that runs by itself.
    let deadline = || Deadline::exit_within(LAST_LINES, failure.exit().code());
    match settings.format {
        LogFormat::Text => {
            drop(log);
            let _deadline = deadline();
            console.fail(&failure)
        }
        LogFormat::Json => {
            let _deadline = deadline();
            let exit = console.fail_in_log(&failure, |error, faults| log.last_words(error, faults));
            drop(log);
            exit
        }
    }
}

fn start() -> Result<(Runtime, Signals), Failure> {
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
    Ok((runtime, signals))
}

/// By default a thread that panics would write to standard error itself, and wait there.
/// The process ends with the main thread: unwinding that may wait for ever, as a runtime
/// does that could not start all of its threads.
fn handle_panics(panicked: fn(&str), last_lines: impl Fn() + Send + Sync + 'static) {
    let main = thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        panicked(&panic.to_string());
        if thread::current().id() == main {
            last_lines();
            process::exit(Exit::Unknown.code().into());
        }
    }));
}
