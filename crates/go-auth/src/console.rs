//! Where a command is told what it needs and says what it has to say.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use serde::Serialize;

use super::json;
use super::terminal::{BAD, Terminal, When};
use super::withheld::without_tokens;
use super::{Exit, Output, Surroundings};
use derbysoft_go_auth::ConfigError;
use derbysoft_go_auth::inspect::show;

/// What a command has to do with, once its line is read.
pub(super) struct Console<'a> {
    args: Vec<OsString>,
    pub(super) vars: Vec<(OsString, OsString)>,
    pub(super) stdin: &'a mut dyn Read,
    pub(super) stdin_is_terminal: bool,
    stdout: Output<'a>,
    stderr: Output<'a>,
    json: bool,
    when: When,
}

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line can't be used, for this fault.
    Usage(String),
    /// The settings can't.
    Settings {
        error: ConfigError,
        /// Whether the command has flags for them, beside file and environment.
        have_flags: bool,
    },
    /// The output could not be written, or the runtime not be started.
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
    /// A file of the command line's, and why it can't be read. Its name is not
    /// repeated: it may be a token at the wrong place.
    pub(super) fn of_file(flag: &str, error: &io::Error) -> Self {
        Self::Usage(format!("the file of {flag} can't be read: {error}"))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Settings { .. } => "settings",
            Self::System(_) => "system",
        }
    }

    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Settings { .. } => Exit::Usage,
            Self::System(_) => Exit::Unknown,
        }
    }

    fn faults(&self) -> Vec<String> {
        match self {
            Self::Usage(fault) => vec![fault.clone()],
            Self::Settings { error, .. } => error.faults().map(str::to_owned).collect(),
            Self::System(error) => vec![show::plain(&error.to_string())],
        }
    }
}

impl<'a> Console<'a> {
    pub(super) fn new(surroundings: Surroundings<'a>, json: bool, when: When) -> Self {
        let Surroundings {
            vars,
            stdin,
            stdin_is_terminal,
            stdout,
            stderr,
            args,
        } = surroundings;
        Self {
            args,
            vars,
            stdin,
            stdin_is_terminal,
            stdout,
            stderr,
            json,
            when,
        }
    }

    /// What a flag says, or else a variable of the environment that is not empty.
    pub(super) fn given(&self, flag: Option<&str>, variable: &str) -> Option<String> {
        if let Some(value) = flag {
            return Some(value.to_owned());
        }
        let (_, value) = self.vars.iter().find(|(known, _)| known == variable)?;
        Some(value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
    }

    /// Says what the command has found: as text, or as JSON where that is wanted.
    pub(super) fn say(
        &mut self,
        json: &impl Serialize,
        text: impl FnOnce(&Terminal) -> String,
    ) -> Result<(), Failure> {
        let text = if self.json {
            json::line(json)
        } else {
            text(&Terminal::of(self.when, &self.vars, &self.stdout))
        };
        self.write(text.as_bytes())
    }

    /// Writes to standard output. Whoever has stopped listening has heard enough.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let to = &mut self.stdout.to;
        match to.write_all(bytes).and_then(|()| to.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::System(error)),
            _ => Ok(()),
        }
    }

    /// Says something beside the result.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.stderr.to, "{text}");
    }

    pub(super) fn fail(&mut self, failure: &Failure) -> Exit {
        let faults: Vec<_> = (failure.faults().into_iter())
            .map(|fault| without_tokens(fault, &self.args))
            .collect();
        if self.json {
            #[derive(Serialize)]
            struct Failed<'a> {
                error: &'a str,
                faults: &'a [String],
            }
            let error = failure.name();
            let document = Failed {
                error,
                faults: &faults,
            };
            let _ = self.write(json::line(&document).as_bytes());
            // Where nothing can be written there, it is told all the same.
            if !matches!(failure, Failure::System(_)) {
                return failure.exit();
            }
        }
        let terminal = Terminal::of(self.when, &self.vars, &self.stderr);
        let name = terminal.paint(BAD, "go-auth:");
        let text = match failure {
            Failure::Settings { have_flags, .. } => {
                let faults: String = faults.iter().map(|it| format!("\n- {it}")).collect();
                let (flag, gap) = if *have_flags {
                    ("a flag (--jwks-url), ", '\n')
                } else {
                    ("", ' ')
                };
                format!(
                    "{name} the settings can't be used:{faults}\n\n\
                     A setting is {flag}a field of the file of --config (jwks_url){gap}\
                     or a variable (GO_AUTH_JWKS_URL); the first of them counts."
                )
            }
            Failure::Usage(_) | Failure::System(_) => format!("{name} {}", faults.join("; ")),
        };
        self.note(&text);
        failure.exit()
    }
}

/// Runs what has to wait.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)?;
    Ok(runtime.block_on(future))
}
