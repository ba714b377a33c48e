//! The command `go-auth`: a look at tokens and keys with the gate's own eyes.
//!
//! No part of the crate's interface; it is public for the binary and the tests. It
//! reads no clock, stream or variable that [`Surroundings`] does not hand to it, but
//! for the time, and writes nothing elsewhere. A command is a function of its arguments
//! and the console: it says what it has to say once, as text or, with `--json`, as one
//! JSON document, and ends with an [`Exit`].

mod command_line;
mod connection_error;
mod console;
mod gate;
mod keys;
mod process;
mod settings;
mod simulate;
mod verify;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use self::command_line::{Command, manual};
use self::console::Console;
use self::console::terminal::Terminal;

pub use self::console::{Exit, Output, Surroundings};

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
    let when = command_line::colour_wanted(&surroundings.args);
    let arguments = match command_line::parse(&surroundings.args, surroundings.width()) {
        Ok(arguments) => arguments,
        Err(error) => return command_line::tell(&error, when, surroundings),
    };
    let mut console = Console::new(surroundings, arguments.json, when);
    let result = match arguments.command {
        Command::Verify(args) => verify::run(&args, &mut console),
        Command::Keys(args) => keys::run(&args, &mut console),
        Command::Serve(args) => Ok(gate::run(&args, &mut console)),
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
