//! `go-auth serve`: the gate, set up by the command line.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;

use super::Exit;
use super::args::ServeArgs;
use super::console::{Console, Failure};
use crate::gate::{
    DEFAULT_LISTEN, Deadline, LAST_LINES, ServeError, ServeOptions, Settings, serve,
};

pub(super) fn run(args: &ServeArgs, console: &mut Console<'_>) -> Exit {
    let listen = console.given(args.listen.as_deref(), "LISTEN");
    let options = ServeOptions {
        listen: listen.unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
        status_listen: console.given(args.status_listen.as_deref(), "STATUS_LISTEN"),
        settings: Settings::new(args.config.clone(), console.vars.clone()),
    };
    let served = serve(options, |addresses| {
        let told = Told {
            listening: format!("http://{}", addresses.verdicts),
            status: addresses.status.map(|address| format!("http://{address}")),
        };
        console.say(&told, |_| told.text())
    });
    served.map_or_else(|failure| fail(&failure, console), |()| Exit::Good)
}

/// Says why, to whoever reads it: nobody has to, for a process that runs by itself.
pub(super) fn fail(failure: &Failure, console: &mut Console<'_>) -> Exit {
    let _deadline = Deadline::exit_within(LAST_LINES, failure.exit().code());
    console.fail(failure)
}

/// What is said once it listens: a contract, told in `docs/guide/cli.md`.
#[derive(Serialize)]
struct Told {
    listening: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

impl Told {
    fn text(&self) -> String {
        let mut text = format!("listening on {}\n", self.listening);
        if let Some(status) = &self.status {
            let _ = writeln!(text, "listening on {status} for the status");
        }
        text
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Settings(error) => Self::Settings {
                error,
                have_flags: false,
            },
            error => Self::System(io::Error::other(error.to_string())),
        }
    }
}
