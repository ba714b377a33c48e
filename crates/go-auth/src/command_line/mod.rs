//! The command line. What stands here as documentation is the help.
#![expect(clippy::doc_markdown)]

pub(super) mod manual;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::console::terminal::{BAD, Terminal, When};
use crate::console::withheld::without_tokens;
use crate::console::{Exit, Surroundings};
use crate::gate::ServeArgs;
use crate::keys::KeysArgs;
use crate::simulate::SimulateArgs;
use crate::verify::VerifyArgs;

const AFTER_HELP: &str = "\
Exit status: 0 valid, 1 refused, 2 could not tell, 64 wrong usage or settings.";

const NOT_AN_ARGUMENT: &str = "\
there is a word too many. A token is not given as an argument, which every user of this
machine can see and the shell remembers: give it on standard input, or in a file with
--token-file.";

/// Why a token from DerbySoft GO is accepted or refused, and what GO's key address
/// serves, judged as the gate judges.
#[derive(Debug, Parser)]
#[command(name = "go-auth", version, after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// One JSON document on standard output instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: When,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Says why a token is accepted or refused, check by check
    ///
    /// The token is read from standard input or from a file, bare or as a whole
    /// Authorization header. It is never given as an argument, which every user of
    /// the machine can see, and it is never printed.
    #[command(after_help = AFTER_HELP)]
    Verify(Box<VerifyArgs>),

    /// Says what the key address serves, and what of it can be used
    #[command(
        after_help = "Exit status: 0 there are usable keys, 1 the address answers without any, \
                      2 it can't be reached, 64 wrong usage or settings."
    )]
    Keys(KeysArgs),

    /// Serves as the gate for API servers of any language
    ///
    /// A proxy (nginx, Traefik, Envoy) asks it about each request at /auth. Settings
    /// are read from a file and, where that does not say, from the environment
    /// (GO_AUTH_*); the file is read again on SIGHUP.
    #[command(
        after_help = "Exit status: 0 it was told to stop, 2 it can't listen or go on, \
                      64 wrong usage or settings."
    )]
    Serve(ServeArgs),

    /// Plays GO on a port, for tests of an API in any language
    ///
    /// It publishes keys, mints tokens for whoever asks, good ones and bad ones by name,
    /// rotates its keys and fails on command: by HTTP, under /simulator. It has the
    /// gateway and GO's own APIs, too. It keeps no secret and asks nobody who he is: no
    /// API may trust it but in a test. It listens on this machine alone unless it is told
    /// another address.
    #[command(
        after_help = "Exit status: 0 it was told to stop, 2 it can't listen or go on, \
                      64 wrong usage."
    )]
    Simulate(SimulateArgs),

    /// Prints the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Prints the manual page, in roff
    Man {
        /// The command whose page it is; without it that of go-auth itself
        command: Vec<String>,
    },
}

pub(super) fn parse(args: &[OsString], width: usize) -> Result<Arguments, clap::Error> {
    let matches = command().term_width(width).try_get_matches_from(args)?;
    Arguments::from_arg_matches(&matches)
}

pub(super) fn command() -> clap::Command {
    Arguments::command()
}

/// What `--color` says, on a line that may be wrong otherwise.
pub(super) fn colour_wanted(args: &[OsString]) -> When {
    let texts = args.iter().map(|arg| arg.to_str().unwrap_or_default());
    let mut wanted = When::default();
    let mut is_next = false;
    for text in texts {
        let value = if is_next {
            Some(text)
        } else {
            text.strip_prefix("--color=")
        };
        wanted = value
            .and_then(|value| <When as clap::ValueEnum>::from_str(value, false).ok())
            .unwrap_or(wanted);
        is_next = text == "--color";
    }
    wanted
}

/// Help where it was asked for, and what is wrong with the command line otherwise.
pub(super) fn tell(error: &clap::Error, when: When, surroundings: Surroundings<'_>) -> Exit {
    let Surroundings {
        args,
        vars,
        stdout,
        stderr,
        ..
    } = surroundings;
    let (output, exit) = if error.use_stderr() {
        (stderr, Exit::Usage)
    } else {
        (stdout, Exit::Good)
    };
    let terminal = Terminal::of(when, &vars, &output);
    let text = if is_stray(error) {
        format!("{} {NOT_AN_ARGUMENT}\n", terminal.paint(BAD, "go-auth:"))
    } else if terminal.colour {
        error.render().ansi().to_string()
    } else {
        error.render().to_string()
    };
    let text = without_tokens(text, &args);
    // Nobody is left to tell of a failure.
    let _ = output.to.write_all(text.as_bytes());
    let _ = output.to.flush();
    exit
}

/// Whether a word stands where none may: a token, most likely.
fn is_stray(error: &clap::Error) -> bool {
    let word = error.get(ContextKind::InvalidArg);
    error.kind() == ErrorKind::UnknownArgument
        && matches!(word, Some(ContextValue::String(word)) if !word.starts_with('-'))
}
