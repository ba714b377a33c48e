//! `go-auth serve`: the gate as a process.
//!
//! It does nothing else: it installs a recorder of metrics and a panic hook.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::events;
use super::metrics::Exposition;
use super::port::Port;
use super::server::Gate;
use super::settings::Settings;
use crate::console::{Console, Exit, Failure};
use crate::process::{
    self, Deadline, DroppedLines, LAST_LINES, LAST_WRITES, LogArgs, Logging, Signals,
};

/// Where it listens by default: where a proxy on the same machine reaches it, and nobody
/// else.
const DEFAULT_LISTEN: &str = "127.0.0.1:8081";

/// How long the process is there after its requests have ended, whatever else hangs: as
/// long as it waits for blocking work and twice for the log, and a second.
const LAST_STEPS: Duration =
    Duration::from_secs(LAST_WRITES.as_secs() + 2 * LAST_LINES.as_secs() + 1);

/// The exit status where the gate itself has panicked, as where it can't go on.
const PANICKED: u8 = Exit::Unknown.code();

// What stands here as documentation is the help.
#[expect(clippy::doc_markdown)]
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A settings file, in TOML: the fields of `Config`. It overrides the environment.
    /// Default: the variable GO_AUTH_CONFIG, or none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The address to listen on. Default: the variable LISTEN, or 127.0.0.1:8081
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,

    /// A separate address for /healthz, /readyz and /metrics, so that the first one
    /// answers nothing but /auth. Default: the variable STATUS_LISTEN, or none
    #[arg(long, value_name = "HOST:PORT")]
    status_listen: Option<String>,

    #[command(flatten)]
    log: LogArgs,
}

pub(crate) fn run(args: &ServeArgs, console: &mut Console<'_>) -> Exit {
    let logging = Logging {
        args: &args.log,
        default_filter: "info",
        panicked: events::panicked,
    };
    process::serve(&logging, console, |runtime, signals, dropped, console| {
        serve(args, runtime, signals, dropped, console)
    })
}

/// Serves until SIGTERM or SIGINT, and returns when the requests in flight have ended.
fn serve(
    args: &ServeArgs,
    runtime: &Runtime,
    mut signals: Signals,
    dropped: DroppedLines,
    console: &mut Console<'_>,
) -> Result<Option<Deadline>, Failure> {
    events::starting();
    let listen = console.given(args.listen.as_deref(), "LISTEN");
    let listen = listen.as_deref().unwrap_or(DEFAULT_LISTEN);
    let status_listen = console.given(args.status_listen.as_deref(), "STATUS_LISTEN");
    let settings = Settings::new(
        args.config.clone(),
        (console.surroundings.vars).iter().cloned(),
    );
    let exposition = Exposition::install(dropped)?;
    let gate = runtime.block_on(async {
        let bound = Gate::bind(listen, status_listen.as_deref(), settings, exposition);
        tokio::select! {
            gate = bound => gate.map(Some),
            () = signals.stop() => Ok(None),
        }
    });
    let Some(gate) = gate? else {
        return Ok(None);
    };
    let announcement = Announcement::of(&gate)?;
    // Not on this thread, which may wait for a reader of the announcement.
    let running = runtime.spawn(async move {
        let ran = tokio::spawn(gate.run(signals)).await;
        let status = if ran.is_ok() { 0 } else { PANICKED };
        (ran, Deadline::exit_within(LAST_STEPS, status))
    });
    console.say(&announcement, |_| announcement.text())?;
    match runtime.block_on(running) {
        Ok((Ok(()), deadline)) => Ok(Some(deadline)),
        Ok((Err(error), _)) | Err(error) => Err(Failure::cannot("serve", io::Error::from(error))),
    }
}

/// What is said once it listens: a contract, see `docs/guide/cli.md`.
#[derive(Serialize)]
struct Announcement {
    listening: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

impl Announcement {
    fn of(gate: &Gate) -> Result<Self, Failure> {
        let url = |port: &Port| Ok::<_, Failure>(format!("http://{}", port.address()?));
        Ok(Self {
            listening: url(&gate.verdicts)?,
            status: gate.status.as_ref().map(url).transpose()?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("listening on {}\n", self.listening);
        if let Some(status) = &self.status {
            let _ = writeln!(text, "listening on {status} for the status");
        }
        text
    }
}
