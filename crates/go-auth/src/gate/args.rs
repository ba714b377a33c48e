//! The command line of `go-auth serve`. What stands here as documentation is the help.
#![expect(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A settings file, in TOML: the fields of `Config`. It overrides the environment
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The address to listen on. Default: the variable LISTEN, or 127.0.0.1:8081
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    /// A separate address for /healthz, /readyz and /metrics, so that the first one
    /// answers nothing but /auth. Default: the variable STATUS_LISTEN, or none
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) status_listen: Option<String>,
}
