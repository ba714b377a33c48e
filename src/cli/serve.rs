//! `go-auth serve`: the gate, set up by the command line.

use std::io;

use super::Exit;
use super::args::ServeArgs;
use super::console::{Console, Failure};
use crate::gate::{DEFAULT_LISTEN, ServeError, ServeOptions, Settings, serve};

pub(super) fn run(args: &ServeArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let listen = console.given(args.listen.as_deref(), "LISTEN");
    let options = ServeOptions {
        listen: listen.unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
        status_listen: console.given(args.status_listen.as_deref(), "STATUS_LISTEN"),
        settings: Settings::new(args.config.clone(), console.vars.clone()),
    };
    serve(options, console.stdout())?;
    Ok(Exit::Good)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Settings(error) => Self::Settings(error),
            error => Self::System(io::Error::other(error.to_string())),
        }
    }
}
