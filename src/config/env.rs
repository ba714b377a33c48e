//! Settings from the environment.

use std::ffi::{OsStr, OsString};

use super::Config;
use super::layers::{Layers, fields};
use super::nearest::nearest;
use super::platform::Links;
use super::sources::{ENV_PREFIX, Source};
use super::value::Value;
use crate::fault::ConfigError;

/// What an empty value would open wide without a word.
const RESTRICTIONS: [&str; 3] = ["subjects", "required_claims", "distrusted_keys"];

/// The most of an unknown name that a message repeats, in characters: twice the longest
/// that there is.
const MAX_SHOWN: usize = 64;

/// Fields that have no variable: `issuers` is a list of tables, and nobody should change
/// the others without having read of them.
const FILE_AND_CODE: [&str; 7] = [
    "max_lifetime",
    "connect_timeout",
    "max_document_bytes",
    "realm",
    "issuers",
    "environment",
    "danger_allow_http",
];

/// Whether these variables say that files may be used that everybody can write; what is
/// no truth value counts as no, and is a fault of the settings.
pub(super) fn allows_writable_files(vars: &[(OsString, OsString)]) -> bool {
    (vars.iter().rev())
        .find(|(name, _)| name == "GO_AUTH_DANGER_ALLOW_WRITABLE_FILES")
        .is_some_and(|(_, value)| value == "true")
}

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
    /// | `GO_AUTH_DANGER_ALLOW_WRITABLE_FILES` | `false` |
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
}

impl Layers<'_> {
    /// What the variables say.
    pub(super) fn variables<N, V>(&mut self, vars: impl IntoIterator<Item = (N, V)>)
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        self.expect_others(Source::Variable);
        let vars: Vec<(String, OsString)> = (vars.into_iter())
            .map(|(name, value)| (name.into().to_string_lossy().into_owned(), value.into()))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        let links = Links::of(&vars);
        for (name, value) in &vars {
            let setting = &name[ENV_PREFIX.len()..];
            let field = setting.to_lowercase();
            if fields().contains(&&*field) && setting == field.to_uppercase() {
                self.variable(&field, value);
            } else if !value.is_empty() && !links.have_made(name, value) {
                let shown: String = name.chars().take(MAX_SHOWN).collect();
                let known = fields().iter().copied();
                let meant = nearest(setting, known.filter(|field| !is_file_and_code(field)));
                self.add_unknown(&shown.escape_debug().to_string(), ENV_PREFIX, meant);
            }
        }
    }

    fn variable(&mut self, field: &str, value: &OsStr) {
        if self.is_overridden(field, Source::Variable) {
            return;
        }
        let wrong = match value.to_str() {
            Some("") if RESTRICTIONS.contains(&field) => "is empty; unset it for no restriction",
            Some("") => return,
            _ if is_file_and_code(field) => "is set in a file or in code alone",
            Some(value) => {
                return self.take(field, Source::Variable, Value::Text(value.to_owned()));
            }
            None => "is not UTF-8",
        };
        self.add_fault(field, Source::Variable, wrong);
    }
}

fn is_file_and_code(field: &str) -> bool {
    FILE_AND_CODE.contains(&field)
}
