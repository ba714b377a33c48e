//! `go-auth serve`: the gate as a process.
//!
//! For a process that does nothing else, since it installs a recorder of metrics.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::check::{Ready, Wanted, check};
use super::events;
use super::metrics::Exposition;
use super::port::Port;
use super::server::Gate;
use super::shared::Shared;
use crate::console::{Console, Exit, Failure};
use crate::listen::Passed;
use crate::process::{
    self, Deadline, DroppedLines, LAST_LINES, LAST_WRITES, LogArgs, Logging, ServiceManager,
    Signals,
};
use derbysoft_go_auth::inspect::show::plain;

/// How long the process is there after its requests have ended, whatever else hangs: as
/// long as it waits for blocking work and twice for the log, and a second.
const LAST_STEPS: Duration = LAST_WRITES
    .saturating_add(LAST_LINES.saturating_mul(2))
    .saturating_add(Duration::from_secs(1));

/// The exit status where the gate itself has panicked, as where it can't go on.
const PANICKED: u8 = Exit::Unknown.code();

// What stands here as documentation is the help.
#[expect(clippy::doc_markdown)]
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A settings file, in TOML: the fields of `Config`. It overrides the environment.
    /// Default: the variable GO_AUTH_CONFIG, or none
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The address to listen on: HOST:PORT, :PORT (every address of this machine),
    /// unix:PATH, or a socket of systemd's: `systemd` for the only one, systemd:NAME for
    /// the one of that name. Default: the variable LISTEN, or 127.0.0.1:8081
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,

    /// A separate address for /healthz, /readyz and /metrics, so that the first one
    /// answers nothing but /auth. Default: the variable STATUS_LISTEN, or none
    #[arg(long, value_name = "ADDRESS")]
    pub(super) status_listen: Option<String>,

    /// Who may connect to unix:PATH, in octal. Default: the variable SOCKET_MODE, or 0660
    #[arg(long, value_name = "MODE")]
    pub(super) socket_mode: Option<String>,

    /// The group of unix:PATH, by name or number. Default: the variable SOCKET_GROUP, or
    /// the group of the process
    #[arg(long, value_name = "GROUP")]
    pub(super) socket_group: Option<String>,

    /// Only check the settings and addresses: report every fault, and listen at nothing,
    /// fetch nothing and write nothing
    #[arg(long)]
    pub(super) check: bool,

    /// With --check: also fetch the keys once, as `go-auth keys` does
    #[arg(long, requires = "check")]
    pub(super) online: bool,

    #[command(flatten)]
    log: LogArgs,
}

pub(crate) fn run(args: &ServeArgs, console: &mut Console<'_>) -> Exit {
    let vars = &console.surroundings.vars;
    let wanted = Wanted::of(args, vars);
    let logging = |default_filter| Logging {
        args: &args.log,
        default_filter,
        panicked: events::panicked,
    };
    if args.check {
        return process::serve(&logging("warn"), console, |runtime, signals, _, console| {
            let exit = check(wanted, args.online, runtime, signals, console)?;
            Ok((exit, None))
        });
    }
    // Before there are threads.
    let passed = Passed::take(vars);
    process::serve(
        &logging("info"),
        console,
        |runtime, signals, dropped, console| {
            let passed = passed.map_err(|wrong| Failure::cannot("listen", wrong))?;
            let deadline = serve(wanted, passed, runtime, signals, dropped, console)?;
            Ok((Exit::Good, deadline))
        },
    )
}

/// Serves until SIGTERM or SIGINT, and returns when the requests in flight have ended.
fn serve(
    wanted: Wanted,
    passed: Passed,
    runtime: &Runtime,
    mut signals: Signals,
    dropped: DroppedLines,
    console: &mut Console<'_>,
) -> Result<Option<Deadline>, Failure> {
    events::starting();
    let exposition = Exposition::install(dropped)?;
    let manager = ServiceManager::of(&console.surroundings.vars);
    let gate = runtime.block_on(async {
        let bound = async {
            let read = process::in_thread(|| wanted.read()).await;
            let read = read.map_err(|error| Failure::cannot("read the settings", error))?;
            let Ready {
                listening,
                settings,
                live,
                ..
            } = read?;
            let shared = Shared::new(live, settings, exposition, manager);
            Gate::bind(&listening, passed, shared).await
        };
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
        let name = |port: &Port| {
            let name = port.listener.name();
            name.map_err(|error| Failure::cannot("serve", error))
        };
        Ok(Self {
            listening: name(&gate.verdicts)?,
            status: gate.status.as_ref().map(name).transpose()?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("listening on {}\n", plain(&self.listening));
        if let Some(status) = &self.status {
            let _ = writeln!(text, "listening on {} for the status", plain(status));
        }
        text
    }
}
