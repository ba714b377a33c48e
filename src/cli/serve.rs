//! `go-auth serve`: the gate, set up by the command line.

use std::io;

use super::Exit;
use super::args::ServeArgs;
use super::console::{Console, Failure};
use crate::gate::{DEFAULT_LISTEN, ServeError, ServeOptions, Settings, serve};

pub(super) fn run(args: &ServeArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let vars = console.vars.clone();
    let listen = match &args.listen {
        Some(listen) => listen.clone(),
        None => variable(&vars, "LISTEN").unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
    };
    let status_listen = (args.status_listen.clone()).or_else(|| variable(&vars, "STATUS_LISTEN"));
    let options = ServeOptions {
        listen,
        status_listen,
        settings: Settings::new(args.config.clone(), vars),
    };
    serve(options, console.stdout())?;
    Ok(Exit::Good)
}

fn variable(vars: &[(std::ffi::OsString, std::ffi::OsString)], name: &str) -> Option<String> {
    let (_, value) = vars.iter().find(|(known, _)| known == name)?;
    Some(value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Settings(error) => Self::Settings(error),
            error => Self::System(io::Error::other(error.to_string())),
        }
    }
}
