//! The command line of `go-auth keys`. What stands here as documentation is the help.
#![expect(clippy::doc_markdown)]

use clap::Args;

use crate::settings::FetchArgs;

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    pub(super) fetching: FetchArgs,
}
