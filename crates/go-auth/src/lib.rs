//! The command `go-auth`: a look at tokens and keys with the gate's own eyes.
//!
//! No part of the crate's interface; it is public for the binary and the tests. It
//! reads no clock, stream or variable that [`Surroundings`] does not hand to it, but
//! for the time, and writes nothing elsewhere. A command is a function of its arguments
//! and the console: it says what it has to say once, as text or, with `--json`, as one
//! JSON document, and ends with an [`Exit`].

mod args;
mod console;
mod gate;
mod input;
mod json;
mod keys;
mod manual;
mod serve;
mod settings;
mod simulate;
mod table;
mod terminal;
mod trouble;
mod verify;
mod withheld;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read, Write};
use std::process::ExitCode;

use self::args::Command;
use self::console::Console;
use self::terminal::Terminal;

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

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let width = |terminal: Option<(terminal_size::Width, _)>| terminal.map(|it| it.0.0.into());
    let stdout_width = width(terminal_size::terminal_size_of(&stdout));
    let stderr_width = width(terminal_size::terminal_size_of(&stderr));
    let surroundings = Surroundings {
        args: std::env::args_os().collect(),
        vars: std::env::vars_os().collect(),
        stdin: &mut io::stdin().lock(),
        stdin_is_terminal: io::stdin().is_terminal(),
        stdout: Output {
            is_terminal: stdout.is_terminal(),
            width: stdout_width,
            // Elsewhere these do nothing; on Windows they see to colours. Not locked:
            // other threads of the gate write to them, too.
            to: &mut anstream::AutoStream::always(stdout),
        },
        stderr: Output {
            is_terminal: stderr.is_terminal(),
            width: stderr_width,
            to: &mut anstream::AutoStream::always(stderr),
        },
    };
    run(surroundings).code().into()
}

/// Runs a command.
pub fn run(surroundings: Surroundings<'_>) -> Exit {
    let when = args::colour_wanted(&surroundings.args);
    let arguments = match args::parse(&surroundings.args, surroundings.width()) {
        Ok(arguments) => arguments,
        Err(error) => return args::tell(&error, when, surroundings),
    };
    let mut console = Console::new(surroundings, arguments.json, when);
    let result = match arguments.command {
        Command::Verify(args) => verify::run(&args, &mut console),
        Command::Keys(args) => keys::run(&args, &mut console),
        Command::Serve(args) => Ok(serve::run(&args, &mut console)),
        Command::Simulate(args) => simulate::run(&args, &mut console),
        Command::Completions { shell } => manual::completions(shell, &mut console),
        Command::Man { command } => manual::page(&command, &mut console),
    };
    result.unwrap_or_else(|failure| console.fail(&failure))
}

impl Surroundings<'_> {
    fn width(&self) -> usize {
        Terminal::width_of(&self.vars, &self.stdout)
    }
}
