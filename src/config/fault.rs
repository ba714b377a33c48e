//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::path::Path;

use crate::access_token::AccessTokensError;

/// What the names of all variables begin with.
pub(super) const ENV_PREFIX: &str = "GO_AUTH_";

/// A configuration that can't be used, with all of its faults.
///
/// It prints them one a line. Values are not repeated but for those of the
/// environment and the path of the access tokens, escaped: settings are no secrets,
/// but may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    /// Each fault: the setting, and what is wrong with it.
    pub fn faults(&self) -> impl ExactSizeIterator<Item = &str> {
        self.faults.iter().map(String::as_str)
    }

    /// Those of a setting whose value is more than data: a file.
    pub(crate) fn of_setting(setting: &str, wrong: impl IntoIterator<Item = String>) -> Self {
        let faults = wrong.into_iter().map(|wrong| format!("{setting}: {wrong}"));
        Self {
            faults: faults.collect(),
        }
    }

    /// Those of the file of the access tokens.
    pub(crate) fn of_access_tokens(file: &Path, error: &AccessTokensError) -> Self {
        let file = file.to_string_lossy();
        let of_file = |fault| format!("\"{}\": {fault}", file.escape_debug());
        Self::of_setting("access_tokens", error.faults().map(of_file))
    }

    pub(crate) fn and(mut self, more: Self) -> Self {
        self.faults.extend(more.faults);
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration can't be used:")?;
        for fault in &self.faults {
            write!(f, "\n- {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<String>,
    names: Names,
}

/// What the settings are called.
#[derive(Debug, Default)]
enum Names {
    #[default]
    Fields,
    Variables,
    #[cfg(feature = "cli")]
    Flags,
}

impl Faults {
    /// Faults that name the settings as the environment does.
    pub(super) const fn from_env() -> Self {
        Self {
            found: Vec::new(),
            names: Names::Variables,
        }
    }

    /// Faults that name the settings as the command line does.
    #[cfg(feature = "cli")]
    pub(super) const fn from_flags() -> Self {
        Self {
            found: Vec::new(),
            names: Names::Flags,
        }
    }

    pub(super) fn unless(&mut self, good: bool, setting: &str, wrong: &str) {
        if !good {
            self.add(setting, wrong);
        }
    }

    pub(super) fn add(&mut self, setting: &str, wrong: &str) {
        self.push(setting, &format!(" {wrong}"));
    }

    /// One of an entry of a list, counted from 1.
    pub(super) fn add_of_entry(&mut self, setting: &str, entry: usize, wrong: &str) {
        self.push(setting, &format!(": entry {entry} {wrong}"));
    }

    fn push(&mut self, setting: &str, wrong: &str) {
        self.found.push(match self.names {
            Names::Fields => format!("{setting}{wrong}"),
            Names::Variables => format!("{}{}{wrong}", ENV_PREFIX, setting.to_uppercase()),
            #[cfg(feature = "cli")]
            Names::Flags => format!("--{}{wrong}", setting.replace('_', "-")),
        });
    }

    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { faults: self.found })
        }
    }
}
