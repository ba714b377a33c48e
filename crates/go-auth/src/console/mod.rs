//! The console: what a command reads, and how it says once what it has found, as text
//! or, with `--json`, as one JSON document.

mod json;
pub(crate) mod keyboard;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod withheld;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Read, Write};

use clap::ColorChoice;
use serde::Serialize;

pub use self::keyboard::Keyboard;
use self::terminal::{BAD, Terminal, paint};
use self::withheld::without_tokens;
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::inspect::show;

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The token is valid; there are usable keys; the distributor answers as expected.
    Good,
    /// The token is rejected; there are no usable keys; the distributor answers
    /// otherwise.
    Bad,
    /// No verdict: keys or output were out of reach.
    Unknown,
    /// The command or the settings are invalid: `EX_USAGE` of `sysexits.h`.
    Usage,
}

impl Exit {
    /// The status of the process.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Unknown => 2,
            Self::Usage => 64,
        }
    }
}

/// A stream to write to.
#[expect(missing_debug_implementations, reason = "streams have none")]
pub struct Output<'a> {
    /// Where it goes.
    pub to: &'a mut dyn Write,
    /// Whether colours are wanted there, unless `--color` says otherwise.
    pub colour: bool,
    /// The terminal's width in columns, if it is one.
    pub width: Option<usize>,
}

/// Everything that a command has to do with.
#[expect(missing_debug_implementations, reason = "streams have none")]
pub struct Surroundings<'a> {
    /// The command line, from the program's name on.
    pub args: Vec<OsString>,
    /// The environment.
    pub vars: Vec<(OsString, OsString)>,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Where somebody types, in place of a stream.
    pub keyboard: Option<Keyboard>,
    /// Standard output.
    pub stdout: Output<'a>,
    /// Standard error.
    pub stderr: Output<'a>,
}

/// The surroundings of a command whose line is read.
pub(crate) struct Console<'a> {
    pub(crate) surroundings: Surroundings<'a>,
    pub(crate) json: bool,
    pub(crate) colour: ColorChoice,
}

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is invalid, with this fault.
    Usage(String),
    /// The settings are.
    Settings {
        error: ConfigError,
        /// Whether the command has flags for them, beside file and environment.
        have_flags: bool,
    },
    /// The output could not be written, or the system lacks something.
    System(io::Error),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Settings {
            error,
            have_flags: true,
        }
    }
}

impl Failure {
    /// A file given by a flag, and why it can't be read. Its name is not repeated: it
    /// may be a token at the wrong place.
    pub(crate) fn of_file(flag: &str, error: &io::Error) -> Self {
        Self::Usage(format!("can't read the file given by {flag}: {error}"))
    }

    /// What the system does not let the process do.
    pub(crate) fn cannot(what: impl Display, error: impl Display) -> Self {
        Self::System(io::Error::other(format!("can't {what}: {error}")))
    }

    pub(crate) fn cannot_listen(address: &str, error: &io::Error) -> Self {
        Self::cannot(format_args!("listen on {}", show::quoted(address)), error)
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Settings { .. } => Exit::Usage,
            Self::System(_) => Exit::Unknown,
        }
    }

    /// In words, with these of its faults.
    fn text(&self, faults: &[String]) -> String {
        let name = paint(BAD, "go-auth:");
        match self {
            Self::Settings { have_flags, .. } => {
                let faults: String = faults.iter().map(|it| format!("\n- {it}")).collect();
                let flag = if *have_flags {
                    "by a flag (--jwks-url), "
                } else {
                    ""
                };
                format!(
                    "{name} invalid settings:{faults}\n\n\
                     Set each {flag}in the file of --config or GO_AUTH_CONFIG (jwks_url)\n\
                     or by a variable (GO_AUTH_JWKS_URL); the first of them counts."
                )
            }
            Self::Usage(_) | Self::System(_) => format!("{name} {}", faults.join("; ")),
        }
    }

    /// Its name in JSON, and every fault.
    fn faults(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Usage(fault) => ("usage", vec![fault.clone()]),
            Self::Settings { error, .. } => {
                ("settings", error.faults().map(str::to_owned).collect())
            }
            Self::System(error) => ("system", vec![show::plain(&error.to_string())]),
        }
    }
}

impl Console<'_> {
    /// The value of a flag, or else of a variable of the environment that is not empty.
    pub(crate) fn given(&self, flag: Option<&str>, variable: &str) -> Option<String> {
        if let Some(value) = flag {
            return Some(value.to_owned());
        }
        let value = self::variable(&self.surroundings.vars, variable)?;
        Some(value.to_string_lossy().into_owned())
    }

    /// Says what the command has found: as text, or as JSON where that is wanted.
    pub(crate) fn say(
        &mut self,
        json: &impl Serialize,
        text: impl FnOnce(&Terminal) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            return self.write(json::line(json).as_bytes());
        }
        let Surroundings { vars, stdout, .. } = &mut self.surroundings;
        let text = text(&Terminal::of(vars, stdout));
        written(stdout.write(self.colour, &text))
    }

    /// Writes to standard output, as it is.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let to = &mut self.surroundings.stdout.to;
        written(to.write_all(bytes).and_then(|()| to.flush()))
    }

    /// Says something beside the result.
    pub(crate) fn note(&mut self, text: &str) {
        let stderr = &mut self.surroundings.stderr;
        let _ = stderr.write(self.colour, &format!("{text}\n"));
    }

    /// Says why a command has failed.
    pub(crate) fn fail(&mut self, failure: &Failure) -> Exit {
        let (name, faults) = self.faults(failure);
        if self.json {
            self.write_failure(name, &faults);
        }
        // Where nothing can be written there, it is said all the same.
        if !self.json || matches!(failure, Failure::System(_)) {
            self.note(&failure.text(&faults));
        }
        failure.exit()
    }

    /// The same for a server whose log is for programs: `log` takes the place of what
    /// people read.
    pub(crate) fn fail_in_log(
        &mut self,
        failure: &Failure,
        log: impl FnOnce(&str, &[String]),
    ) -> Exit {
        let (name, faults) = self.faults(failure);
        log(name, &faults);
        if self.json {
            self.write_failure(name, &faults);
        }
        failure.exit()
    }

    fn faults(&self, failure: &Failure) -> (&'static str, Vec<String>) {
        let (name, faults) = failure.faults();
        let args = &self.surroundings.args;
        let faults = faults.into_iter();
        (name, faults.map(|it| without_tokens(it, args)).collect())
    }

    fn write_failure(&mut self, name: &str, faults: &[String]) {
        let document = serde_json::json!({ "error": name, "faults": faults });
        let _ = self.write(json::line(&document).as_bytes());
    }
}

/// The environment of a process.
pub(crate) type Vars = [(OsString, OsString)];

/// The value of a variable that is not empty.
pub(crate) fn variable<'v>(vars: &'v Vars, name: &str) -> Option<&'v OsStr> {
    let (_, value) = vars.iter().find(|(known, _)| known == name)?;
    Some(&**value).filter(|value| !value.is_empty())
}

/// A reader that has gone away has read enough.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::System(error)),
        _ => Ok(()),
    }
}

/// Runs what has to wait, and leaves behind what it does not wait for any more: the
/// system looks up names without a time limit.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_waited_for_no_more_delays_nothing() {
        let (end, ended) = mpsc::channel::<()>();
        let (started, starts) = tokio::sync::oneshot::channel();
        let name = async {
            drop(tokio::task::spawn_blocking(move || {
                let _ = started.send(());
                ended.recv_timeout(Duration::from_secs(20))
            }));
            starts.await
        };
        let output = block_on(name).expect("a runtime");
        output.expect("it has begun");
        end.send(()).expect("it goes on");
    }
}
