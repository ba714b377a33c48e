//! The command line. What stands here as documentation is the help.
#![expect(clippy::doc_markdown)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use super::simulate::SimulateArgs;
use super::terminal::{BAD, Terminal, When};
use super::withheld::without_tokens;
use super::{Exit, Surroundings};
use derbysoft_go_auth::inspect::Flag;

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

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// A file with settings, in TOML: the fields of `Config`. What it says counts before
    /// the environment
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The address to listen at. Default: the variable LISTEN, or 127.0.0.1:8081
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    /// Another address for /healthz, /readyz and /metrics, so that the first answers
    /// nothing but /auth. Default: the variable STATUS_LISTEN, or none
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) status_listen: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Reads the token from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// Judges as of this moment: RFC 3339, or seconds since 1970. Default: now
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,

    /// The API that an Access Token is to open. Default: availability-peer
    #[arg(long, value_name = "NAME")]
    pub(super) api: Option<String>,

    /// Takes the keys from this key-set document instead of fetching them
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    pub(super) fetching: FetchArgs,
}

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(flatten)]
    pub(super) fetching: FetchArgs,
}

/// What a token must say.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules (flag over file over environment)")]
pub(super) struct RuleArgs {
    /// The `iss` of GO's tokens [GO_AUTH_ISSUER]
    #[arg(long, value_name = "ISS")]
    issuer: Option<String>,

    /// The audiences of which a token must name one, with commas [GO_AUTH_AUDIENCE]
    #[arg(long, value_name = "AUD")]
    audience: Vec<String>,

    /// How much exp and nbf may be off, such as 30s [GO_AUTH_LEEWAY]
    #[arg(long, value_name = "TIME")]
    leeway: Option<String>,

    /// The subjects that are let in, with commas [GO_AUTH_SUBJECTS]
    #[arg(long, value_name = "SUB")]
    subjects: Vec<String>,

    /// Claims demanded beside iss, aud and exp: nbf, iat, jti, sub
    /// [GO_AUTH_REQUIRED_CLAIMS]
    #[arg(long, value_name = "NAMES")]
    required_claims: Vec<String>,

    /// The longest life of a token from iat to exp, such as 5m
    #[arg(long, value_name = "TIME")]
    max_lifetime: Option<String>,

    /// The longest token that is looked at [GO_AUTH_MAX_TOKEN_BYTES]
    #[arg(long, value_name = "BYTES")]
    max_token_bytes: Option<String>,

    /// The file of the Access Tokens [GO_AUTH_ACCESS_TOKENS]
    #[arg(long, value_name = "FILE")]
    access_tokens: Option<String>,

    /// The environment that is served, where the file tells of several issuers
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

/// Where the keys come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys (flag over file over environment)")]
pub(super) struct FetchArgs {
    /// A file with settings, in TOML: the fields of `Config`
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The key address [GO_AUTH_JWKS_URL]
    #[arg(long, value_name = "URL")]
    pub(super) jwks_url: Option<String>,

    /// How long a connection may take, such as 2s
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<String>,

    /// How long a fetch may take in all, such as 5s [GO_AUTH_FETCH_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    fetch_timeout: Option<String>,

    /// How long keys are fresh, such as 5m [GO_AUTH_REFRESH_INTERVAL]
    #[arg(long, value_name = "TIME")]
    refresh_interval: Option<String>,

    /// Allows http to other machines: whoever is on the way can put in keys
    #[arg(long)]
    danger_allow_http: bool,
}

impl RuleArgs {
    /// The settings that are given, by name.
    pub(super) fn flags(&self) -> Vec<Flag> {
        let joined = |values: &[String]| (!values.is_empty()).then(|| values.join(","));
        given([
            ("issuer", self.issuer.clone()),
            ("audience", joined(&self.audience)),
            ("leeway", self.leeway.clone()),
            ("subjects", joined(&self.subjects)),
            ("required_claims", joined(&self.required_claims)),
            ("max_lifetime", self.max_lifetime.clone()),
            ("max_token_bytes", self.max_token_bytes.clone()),
            ("access_tokens", self.access_tokens.clone()),
            ("environment", self.environment.clone()),
        ])
    }
}

impl FetchArgs {
    /// The settings that are given, by name.
    pub(super) fn flags(&self) -> Vec<Flag> {
        given([
            ("jwks_url", self.jwks_url.clone()),
            ("connect_timeout", self.connect_timeout.clone()),
            ("fetch_timeout", self.fetch_timeout.clone()),
            ("refresh_interval", self.refresh_interval.clone()),
            (
                "danger_allow_http",
                self.danger_allow_http.then(|| "true".to_owned()),
            ),
        ])
    }
}

fn given<const N: usize>(flags: [(&'static str, Option<String>); N]) -> Vec<Flag> {
    let flags = flags.into_iter();
    flags
        .filter_map(|(setting, value)| Some((setting, value?)))
        .collect()
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
