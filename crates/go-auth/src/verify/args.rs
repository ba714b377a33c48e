//! The command line of `go-auth verify`. What stands here as documentation is the help.

use std::path::PathBuf;

use clap::Args;

use crate::settings::SettingArgs;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Read the token from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// Verify as of this time: RFC 3339, or seconds since 1970. Default: now
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,

    /// The API that an Access Token has to be for. Default: availability-peer
    #[arg(long, value_name = "NAME")]
    pub(super) api: Option<String>,

    /// Take the keys from this key-set document instead of fetching them
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,

    #[command(flatten)]
    pub(super) settings: SettingArgs<true>,
}
