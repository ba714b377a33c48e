//! The command line. What stands here as documentation is the help.
#![expect(clippy::doc_markdown)]

pub(super) mod completions;
mod described;
pub(super) mod manual;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ColorChoice, FromArgMatches as _, Parser, Subcommand, ValueEnum as _};
use clap_complete::Shell;

use self::manual::ManArgs;
use crate::console::terminal::{BAD, Terminal, paint};
use crate::console::withheld::without_tokens;
use crate::console::{Exit, Surroundings};
use crate::gate::ServeArgs;
use crate::health::HealthArgs;
use crate::settings::SettingArgs;
use crate::simulate::SimulateArgs;
use crate::verify::VerifyArgs;

const NOT_AN_ARGUMENT: &str = "\
unexpected argument. A token is not passed as an argument, where every user of this
machine can see it and the shell remembers it: pass it on standard input, or in a file
with --token-file.";

/// Explains why a token from DerbySoft GO is accepted or rejected, and what GO's key
/// address serves, by the same code as the gate.
#[derive(Debug, Parser)]
#[command(name = "go-auth", version)]
pub(super) struct Arguments {
    /// Print one JSON document on standard output instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// When to use colours; `auto` heeds NO_COLOR, CLICOLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explains why a token is accepted or rejected, check by check
    ///
    /// The token is read from standard input or from a file, bare or as a whole
    /// Authorization header. It is never passed as an argument, where every user of the
    /// machine can see it, and it is never printed.
    Verify(Box<VerifyArgs>),

    /// Shows what the key address serves, and which keys are usable
    ///
    /// Of the settings it checks only those that a fetch needs: `serve --check` checks all
    /// of them.
    Keys(SettingArgs<false>),

    /// Runs the gate for API servers of any language
    ///
    /// A proxy (nginx, Envoy, HAProxy and others) asks it about each request at /auth. Settings come
    /// from a file and, for what the file does not set, from the environment (GO_AUTH_*).
    /// SIGHUP reloads the file; --check checks it.
    Serve(ServeArgs),

    /// Asks a running gate whether it serves
    ///
    /// For the health check of a container: it needs no shell and no other program, and
    /// answers within 3 seconds.
    Health(HealthArgs),

    /// Runs GO as a process, for testing an API in any language
    ///
    /// It publishes keys, mints good and bad tokens by name, rotates its keys and fails
    /// on command, all controlled over HTTP under /simulator. It has the gateway and GO's
    /// own APIs, too. It keeps no secret and authenticates nobody: no API may trust it
    /// outside tests. By default only this machine can reach it.
    Simulate(SimulateArgs),

    /// Prints completions for a shell
    ///
    /// They go where the shell looks for them: see FILES in the manual page.
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Prints a manual page, in roff
    Man(ManArgs),
}

pub(super) fn parse(surroundings: &Surroundings<'_>) -> Result<Arguments, clap::Error> {
    let width = Terminal::of(&surroundings.vars, &surroundings.stdout).width;
    let matches =
        (described::command().term_width(width)).try_get_matches_from(&surroundings.args)?;
    Arguments::from_arg_matches(&matches)
}

/// The value of `--color`, on a line that may be wrong otherwise.
pub(super) fn colour_wanted(args: &[OsString]) -> ColorChoice {
    let mut wanted = ColorChoice::default();
    let mut is_next = false;
    for text in args.iter().map(|arg| arg.to_str().unwrap_or_default()) {
        let value = if is_next {
            Some(text)
        } else {
            text.strip_prefix("--color=")
        };
        wanted = value
            .and_then(|value| ColorChoice::from_str(value, false).ok())
            .unwrap_or(wanted);
        is_next = text == "--color";
    }
    wanted
}

/// Help where it was asked for, and what is wrong with the command line otherwise.
pub(super) fn show(
    error: &clap::Error,
    colour: ColorChoice,
    surroundings: Surroundings<'_>,
) -> Exit {
    let (mut output, exit) = if error.use_stderr() {
        (surroundings.stderr, Exit::Usage)
    } else {
        (surroundings.stdout, Exit::Good)
    };
    let text = if is_stray(error) {
        format!("{} {NOT_AN_ARGUMENT}\n", paint(BAD, "go-auth:"))
    } else {
        error.render().ansi().to_string()
    };
    // There is nowhere left to report a failure.
    let _ = output.write(colour, &without_tokens(text, &surroundings.args));
    exit
}

/// Whether there is a positional argument too many: a token, most likely.
fn is_stray(error: &clap::Error) -> bool {
    let word = error.get(ContextKind::InvalidArg);
    error.kind() == ErrorKind::UnknownArgument
        && matches!(word, Some(ContextValue::String(word)) if !word.starts_with('-'))
}
