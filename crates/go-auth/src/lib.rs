//! The command `go-auth`: a look at tokens and keys by the gate's own code, the gate
//! itself, and GO for tests.
//!
//! No part of the crate's interface; it is public for the binary and the tests. A
//! command is a function of its arguments and the console, and ends with an [`Exit`]. It
//! uses no stream or variable that [`Surroundings`] does not hand to it.
//!
//! A room imports only from those above it:
//!
//! | room | what it does |
//! |---|---|
//! | `console`, `connection_error` | reads input, writes the result, explains failures |
//! | `settings` | flags over file over environment |
//! | `listen` | addresses to listen at: TCP, Unix sockets, systemd's |
//! | `process` | signals, a log that nothing waits for, an end whatever hangs |
//! | `verify`, `keys`, `simulate`, `gate`, `health` | the commands, each with its arguments |
//! | `command_line` | chooses between them; help, completions, manual |

mod command_line;
mod connection_error;
mod console;
mod gate;
mod health;
mod keys;
mod listen;
mod process;
mod settings;
mod simulate;
mod verify;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};

use self::command_line::{Command, manual};
use self::console::Console;

pub use self::console::{Exit, Output, Surroundings};

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let width = |terminal: Option<(terminal_size::Width, _)>| terminal.map(|it| it.0.0.into());
    let surroundings = Surroundings {
        args: std::env::args_os().collect(),
        vars: std::env::vars_os().collect(),
        stdin: &mut io::stdin().lock(),
        stdin_is_terminal: io::stdin().is_terminal(),
        stdout: Output {
            colour: AutoStream::choice(&stdout) != ColorChoice::Never,
            width: width(terminal_size::terminal_size_of(&stdout)),
            // Elsewhere these do nothing; on Windows they see to colours. Not locked:
            // other threads of the gate write to them, too.
            to: &mut AutoStream::always(stdout),
        },
        stderr: Output {
            colour: AutoStream::choice(&stderr) != ColorChoice::Never,
            width: width(terminal_size::terminal_size_of(&stderr)),
            to: &mut AutoStream::always(stderr),
        },
    };
    run(surroundings).code().into()
}

/// Runs a command.
pub fn run(surroundings: Surroundings<'_>) -> Exit {
    let colour = command_line::colour_wanted(&surroundings.args);
    let arguments = match command_line::parse(&surroundings) {
        Ok(arguments) => arguments,
        Err(error) => return command_line::show(&error, colour, surroundings),
    };
    let mut console = Console {
        surroundings,
        json: arguments.json,
        colour,
    };
    let result = match arguments.command {
        Command::Verify(args) => verify::run(&args, &mut console),
        Command::Keys(args) => keys::run(&args, &mut console),
        Command::Serve(args) => Ok(gate::run(&args, &mut console)),
        Command::Health(args) => health::run(&args, &mut console),
        Command::Simulate(args) => simulate::run(&args, &mut console),
        Command::Completions { shell } => manual::completions(shell, &mut console),
        Command::Man { command } => manual::page(&command, &mut console),
    };
    result.unwrap_or_else(|failure| console.fail(&failure))
}
