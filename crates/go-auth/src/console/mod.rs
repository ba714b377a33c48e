//! Where a command is told what it needs and says what it has to say.

mod json;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod withheld;

use std::ffi::OsString;
use std::io::{self, Read, Write};

use serde::Serialize;

use self::terminal::{BAD, Terminal, When};
use self::withheld::without_tokens;
use derbysoft_go_auth::ConfigError;
use derbysoft_go_auth::inspect::show;

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The token is valid; there are usable keys; the distributor answers as it should.
    Good,
    /// The token is refused; there are no usable keys; the distributor answers otherwise.
    Bad,
    /// Nothing can be said: keys or output were out of reach.
    Unknown,
    /// The command or the settings can't be used: `EX_USAGE` of `sysexits.h`.
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
pub struct Output<'a> {
    /// Where it goes.
    pub to: &'a mut dyn Write,
    /// Whether that is a terminal.
    pub is_terminal: bool,
    /// The terminal's width in columns.
    pub width: Option<usize>,
}

/// All that a command has to do with.
pub struct Surroundings<'a> {
    /// The command line, from the program's name on.
    pub args: Vec<OsString>,
    /// The environment.
    pub vars: Vec<(OsString, OsString)>,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Whether somebody types there.
    pub stdin_is_terminal: bool,
    /// Standard output.
    pub stdout: Output<'a>,
    /// Standard error.
    pub stderr: Output<'a>,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (f.debug_struct("Output").field("width", &self.width)).finish_non_exhaustive()
    }
}

/// What a command has to do with, once its line is read.
pub(crate) struct Console<'a> {
    args: Vec<OsString>,
    pub(crate) vars: Vec<(OsString, OsString)>,
    pub(crate) stdin: &'a mut dyn Read,
    pub(crate) stdin_is_terminal: bool,
    stdout: Output<'a>,
    stderr: Output<'a>,
    json: bool,
    when: When,
}

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(crate) enum Failure {
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
    pub(crate) fn of_file(flag: &str, error: &io::Error) -> Self {
        Self::Usage(format!("the file of {flag} can't be read: {error}"))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Settings { .. } => "settings",
            Self::System(_) => "system",
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
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
    pub(crate) fn new(surroundings: Surroundings<'a>, json: bool, when: When) -> Self {
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
    pub(crate) fn given(&self, flag: Option<&str>, variable: &str) -> Option<String> {
        if let Some(value) = flag {
            return Some(value.to_owned());
        }
        let (_, value) = self.vars.iter().find(|(known, _)| known == variable)?;
        Some(value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
    }

    /// Says what the command has found: as text, or as JSON where that is wanted.
    pub(crate) fn say(
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
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let to = &mut self.stdout.to;
        match to.write_all(bytes).and_then(|()| to.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::System(error)),
            _ => Ok(()),
        }
    }

    /// Says something beside the result.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.stderr.to, "{text}");
    }

    pub(crate) fn fail(&mut self, failure: &Failure) -> Exit {
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
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)?;
    Ok(runtime.block_on(future))
}
