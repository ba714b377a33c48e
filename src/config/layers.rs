//! Settings from several places at once, for the command line: a flag overrides the
//! file, and the file the environment.

use std::ffi::OsString;

use serde::de::DeserializeOwned;

use super::env::parse;
use super::fault::{ConfigError, Faults};
use super::{Config, duration};

/// A flag by its setting's name (`jwks_url`), and its value.
pub(crate) type Flag = (&'static str, String);

impl Config {
    /// The settings of all three, not checked yet; and what is wrong with any that is
    /// not overridden.
    ///
    /// # Errors
    /// Where the file can't be read as settings, of which then nothing is known.
    pub(crate) fn layered(
        flags: &[Flag],
        file: Option<&str>,
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Result<(), ConfigError>), ConfigError> {
        let of_file = |wrong| ConfigError::of_setting("config", [wrong]);
        let (mut config, mut in_file) = (Self::default(), toml::Table::new());
        if let Some(text) = file {
            in_file = read(text).map_err(of_file)?;
            config = read(text).map_err(of_file)?;
        }
        let mut of_vars = Faults::from_env();
        let is_free = |setting: &str| {
            let setting = setting.to_lowercase();
            !in_file.contains_key(&setting) && flags.iter().all(|flag| flag.0 != setting)
        };
        config.set_from_vars(vars, is_free, &mut of_vars);

        let mut of_flags = Faults::from_flags();
        for (setting, value) in flags {
            config
                .set_from_flag(setting, value)
                .unwrap_or_else(|wrong| of_flags.add(setting, &wrong));
        }
        let faults = both(of_flags.into_result(), of_vars.into_result());
        Ok((config, faults.map(drop)))
    }

    fn set_from_flag(&mut self, setting: &str, value: &str) -> Result<(), String> {
        match setting {
            "environment" => self.environment = Some(value.to_owned()),
            "max_lifetime" => {
                let cap = parse(value, "a duration such as 5m", duration::parse)?;
                self.max_lifetime = Some(cap);
            }
            "connect_timeout" => {
                self.connect_timeout = parse(value, "a duration such as 2s", duration::parse)?;
            }
            "danger_allow_http" => self.danger_allow_http = true,
            _ => self.set(&setting.to_uppercase(), value)?,
        }
        Ok(())
    }
}

/// A document, or the line of its fault and what it is. The line itself is not
/// repeated: it could be that of another file, with tokens in it.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.split('\n').count());
        let message: String = (error.message().chars())
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        format!("line {line}: {message}")
    })
}

/// Both, or the faults of both.
pub(crate) fn both<A, B>(
    one: Result<A, ConfigError>,
    other: Result<B, ConfigError>,
) -> Result<(A, B), ConfigError> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(one.and(other)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
