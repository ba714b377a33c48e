//! Settings from the environment.

use std::ffi::OsString;
use std::fmt::Display;

use super::check::Keys;
use super::fault::{ConfigError, ENV_PREFIX, Faults};
use super::platform::Links;
use super::{Config, duration};

/// What an empty value would open wide without a word.
const RESTRICTIONS: [&str; 3] = ["SUBJECTS", "REQUIRED_CLAIMS", "DISTRUSTED_KEYS"];

/// Fields that have no variable: `issuers` is a list of tables, and nobody should change
/// the others without having read of them.
const FILE_AND_CODE: [&str; 7] = [
    "MAX_LIFETIME",
    "CONNECT_TIMEOUT",
    "MAX_DOCUMENT_BYTES",
    "REALM",
    "ISSUERS",
    "ENVIRONMENT",
    "DANGER_ALLOW_HTTP",
];

impl Config {
    /// The configuration of this process's environment.
    ///
    /// | variable | default |
    /// |---|---|
    /// | `GO_AUTH_ISSUER` | required |
    /// | `GO_AUTH_AUDIENCE` | required; several with commas |
    /// | `GO_AUTH_JWKS_URL` | required |
    /// | `GO_AUTH_LEEWAY` | `30s` |
    /// | `GO_AUTH_REFRESH_INTERVAL` | `5m` |
    /// | `GO_AUTH_COOLDOWN` | `10s` |
    /// | `GO_AUTH_KEY_WAIT` | `2s` |
    /// | `GO_AUTH_FETCH_TIMEOUT` | `5s` |
    /// | `GO_AUTH_MAX_WAITING` | `128` |
    /// | `GO_AUTH_MAX_STALE` | `24h` |
    /// | `GO_AUTH_DISTRUSTED_KEYS` | none; several with commas |
    /// | `GO_AUTH_ON_FAILURE` | `reject` (or `ignore`) |
    /// | `GO_AUTH_IGNORE_STATUS` | `404` |
    /// | `GO_AUTH_BODY` | `gateway` (`key-not-authorised`, `error-code`) |
    /// | `GO_AUTH_SUBJECTS` | any; several with commas |
    /// | `GO_AUTH_REQUIRED_CLAIMS` | none; of `nbf`, `iat`, `jti`, `sub`, with commas |
    /// | `GO_AUTH_MAX_TOKEN_BYTES` | `8192` |
    /// | `GO_AUTH_TOKEN_CACHE_BYTES` | `16777216` |
    /// | `GO_AUTH_SNAPSHOT` | none; a path |
    /// | `GO_AUTH_ACCESS_TOKENS` | none; a path. With it the first three may be left out together |
    ///
    /// An empty variable counts as unset, but for the three that restrict,
    /// where it is a fault. So is an unknown one that begins with `GO_AUTH_`: it would
    /// be a setting that does not hold. Those that Kubernetes makes for services, and
    /// Docker for links, whose names begin with `go-auth` are passed over.
    ///
    /// # Errors
    /// With every fault of the environment and of the configuration that it
    /// makes.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars_os())
    }

    /// The same, of variables given; those that don't begin with `GO_AUTH_` are
    /// passed over.
    ///
    /// # Errors
    /// As [`from_env`](Config::from_env).
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut config = Self::default();
        let mut faults = Faults::from_env();
        config.set_from_vars(vars, |_| true, &mut faults);
        config.checked_with(Keys::Fetched, false, faults)?;
        Ok(config)
    }

    /// Sets what the variables say, of those settings (`JWKS_URL`) that are `wanted`.
    pub(super) fn set_from_vars<N, V>(
        &mut self,
        vars: impl IntoIterator<Item = (N, V)>,
        wanted: impl Fn(&str) -> bool,
        faults: &mut Faults,
    ) where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let vars: Vec<(String, OsString)> = (vars.into_iter())
            .map(|(name, value)| (name.into().to_string_lossy().into_owned(), value.into()))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        let links = Links::of(&vars);
        for (name, value) in &vars {
            let setting = &name[ENV_PREFIX.len()..];
            if links.have_made(name, value) || !wanted(setting) {
                continue;
            }
            match value.to_str().ok_or(()) {
                Ok(value) if value.is_empty() && RESTRICTIONS.contains(&setting) => {
                    faults.add(setting, "is empty; unset it for no restriction");
                }
                Ok(value) if value.is_empty() => {}
                Ok(value) => self.set(setting, value).unwrap_or_else(|wrong| {
                    faults.add(&setting.escape_debug().to_string(), &wrong);
                }),
                Err(_) => faults.add(&setting.escape_debug().to_string(), "is not UTF-8"),
            }
        }
    }

    pub(super) fn set(&mut self, setting: &str, value: &str) -> Result<(), String> {
        match setting {
            "ISSUER" => value.clone_into(&mut self.issuer),
            "AUDIENCE" => self.audience = list(value),
            "JWKS_URL" => value.clone_into(&mut self.jwks_url),
            "LEEWAY" => self.leeway = parse(value, "a duration such as 30s", duration::parse)?,
            "REFRESH_INTERVAL" => {
                self.refresh_interval = parse(value, "a duration such as 5m", duration::parse)?;
            }
            "COOLDOWN" => self.cooldown = parse(value, "a duration such as 10s", duration::parse)?,
            "KEY_WAIT" => self.key_wait = parse(value, "a duration such as 2s", duration::parse)?,
            "MAX_WAITING" => {
                self.max_waiting = parse(value, "a number of requests", str::parse)?;
            }
            "FETCH_TIMEOUT" => {
                self.fetch_timeout = parse(value, "a duration such as 5s", duration::parse)?;
            }
            "MAX_STALE" => {
                self.max_stale = parse(value, "a duration such as 24h", duration::parse)?;
            }
            "DISTRUSTED_KEYS" => self.distrusted_keys = list(value),
            "ON_FAILURE" => self.on_failure = parse(value, "reject or ignore", word)?,
            "IGNORE_STATUS" => {
                self.ignore_status = parse(value, "a status such as 404", str::parse)?;
            }
            "BODY" => {
                self.body = parse(value, "gateway, key-not-authorised or error-code", word)?;
            }
            "SUBJECTS" => self.subjects = list(value),
            "REQUIRED_CLAIMS" => {
                self.required_claims = list(value)
                    .iter()
                    .map(|claim| parse(claim, "of nbf, iat, jti and sub", word))
                    .collect::<Result<_, _>>()?;
            }
            "MAX_TOKEN_BYTES" => {
                self.max_token_bytes = parse(value, "a number of bytes", str::parse)?;
            }
            "TOKEN_CACHE_BYTES" => {
                self.token_cache_bytes = parse(value, "a number of bytes", str::parse)?;
            }
            "ACCESS_TOKENS" => self.access_tokens = Some(value.into()),
            "SNAPSHOT" => self.snapshot = Some(value.into()),
            _ if FILE_AND_CODE.contains(&setting) => {
                return Err("is set in a file or in code alone".to_owned());
            }
            _ => return Err("is not a setting".to_owned()),
        }
        Ok(())
    }
}

fn list(value: &str) -> Vec<String> {
    value
        .split(',')
        .map(|entry| entry.trim().to_owned())
        .collect()
}

pub(super) fn parse<T, E: Display>(
    value: &str,
    expected: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, String> {
    parse(value).map_err(|_| format!("is \"{}\", not {expected}", value.escape_debug()))
}

/// A value of an enum by its name in serde formats.
fn word<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, serde::de::value::Error> {
    use serde::de::IntoDeserializer;
    T::deserialize(value.into_deserializer())
}
