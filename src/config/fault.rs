//! What is wrong with a configuration, all of it at once.

use std::fmt;

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
    from_env: bool,
}

impl Faults {
    /// Faults that name the settings as the environment does.
    pub(super) const fn from_env() -> Self {
        Self {
            found: Vec::new(),
            from_env: true,
        }
    }

    pub(super) fn unless(&mut self, good: bool, setting: &str, wrong: &str) {
        if !good {
            self.add(setting, wrong);
        }
    }

    pub(super) fn add(&mut self, setting: &str, wrong: &str) {
        self.found.push(if self.from_env {
            format!("{}{} {wrong}", ENV_PREFIX, setting.to_uppercase())
        } else {
            format!("{setting} {wrong}")
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
