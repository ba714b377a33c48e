//! What the gate needs beyond the public interface: settings from several places, and a
//! successor that takes over while its predecessor is at work.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::config::layers::{Flag, Reading};
use crate::fault::ConfigError;
use crate::go_auth::GoAuth;
use crate::inbound::Reject;

pub use crate::authenticate::authenticator::distrusted::union;
pub use crate::config::layers::both;

/// The settings of flags, file and environment, not checked yet, and how they were read.
/// Without a `file`, `GO_AUTH_CONFIG` names it. Blocks.
///
/// # Errors
/// If the file can't be read or is not TOML: then its settings are unknown.
pub fn layered(
    flags: &[Flag],
    file: Option<&Path>,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Config, Reading), ConfigError> {
    Config::layered(flags, file, vars)
}

/// The faults of one setting that only the gate checks.
pub fn fault(setting: &str, wrong: impl IntoIterator<Item = String>) -> ConfigError {
    ConfigError::of_setting(setting, wrong)
}

/// How the settings have a request rejected.
pub fn reject(config: &Config) -> Reject {
    Reject::with_realm(config.body, &config.realm)
}

/// The keys that the settings distrust.
pub fn distrusted(config: &Config) -> Arc<[Box<str>]> {
    config.distrusted()
}

/// Distrusts these keys for a while: a successor does not inherit this.
pub fn distrust_meanwhile(auth: &GoAuth, kids: &Arc<[Box<str>]>) {
    auth.distrust_meanwhile(kids);
}

/// Lets `auth` take over the keys that `predecessor` has fetched, where they are newer.
pub fn take_over(auth: &GoAuth, predecessor: &GoAuth) {
    auth.take_over(predecessor);
}
