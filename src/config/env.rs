//! Settings from the environment.

use std::ffi::{OsStr, OsString};

use super::Config;
use super::layers::Layers;
use super::nearest::nearest;
use super::platform::Links;
use super::settings::{SETTINGS, Setting, find};
use super::sources::{ENV_PREFIX, Source};
use crate::fault::ConfigError;

/// The most characters of an unknown name that a message repeats: twice the longest known
/// name.
const MAX_SHOWN: usize = 64;

/// The variable that names the settings file, and is no setting itself.
pub(super) const CONFIG: &str = "GO_AUTH_CONFIG";

/// What makes an issuer at the top.
const TOP: [&str; 4] = ["issuer", "audience", "jwks_url", "jwks_file"];

/// Whether these variables allow files that everybody can write. A value that is not a
/// boolean counts as no, and is a fault of the settings.
pub(super) fn allows_writable_files(vars: &[(OsString, OsString)]) -> bool {
    find_value(vars, "GO_AUTH_DANGER_ALLOW_WRITABLE_FILES").is_some_and(|value| value == "true")
}

/// The value of this variable, unless it is empty. Of several, the last one counts.
pub(super) fn find_value<'a>(vars: &'a [(OsString, OsString)], wanted: &str) -> Option<&'a OsStr> {
    let (_, value) = vars.iter().rev().find(|(name, _)| name == wanted)?;
    Some(&**value).filter(|value| !value.is_empty())
}

impl Config {
    /// The configuration from this process's environment.
    ///
    /// A variable is named like its field, in capitals and prefixed with `GO_AUTH_`, such
    /// as `GO_AUTH_ISSUER`, `GO_AUTH_AUDIENCE` and `GO_AUTH_JWKS_URL`; lists are
    /// separated by commas, and durations are written as `30s` or `5m`. The configuration
    /// guide lists all of them. A few fields can't be set here: `issuers`, a list of
    /// tables, and those that nobody should change without reading about them first.
    ///
    /// `GO_AUTH_CONFIG` names a TOML file, with the names of the fields, for all settings.
    /// It is read, and what it sets counts instead of the variables. It must not be
    /// [writable by everybody](Config::danger_allow_writable_files).
    ///
    /// An empty variable counts as unset, except for the three that restrict, where it is
    /// a fault. An unknown variable that begins with `GO_AUTH_` is a fault too: it would
    /// be a setting without effect. Variables that Kubernetes creates for services and
    /// Docker for links, if their names begin with `go-auth`, are ignored.
    ///
    /// # Errors
    /// With every fault in the environment, in the file, with its line, and in the
    /// resulting configuration.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars_os())
    }
}

impl Layers<'_> {
    /// Reads these variables.
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
            let known = find(&field).filter(|_| setting == field.to_uppercase());
            if name == CONFIG {
                // It was read first.
            } else if let Some(known) = known {
                self.variable(known, value);
            } else if !value.is_empty() && !links.have_made(name, value) {
                let shown: String = name.chars().take(MAX_SHOWN).collect();
                let known = SETTINGS.iter().filter(|setting| setting.has_variable);
                let known = known.map(|setting| setting.name).chain(["config"]);
                let meant = nearest(setting, known);
                self.add_unknown(&shown.escape_debug().to_string(), ENV_PREFIX, meant);
            }
        }
    }

    /// Whether the file has issuers, and none at its top: variables that were left behind
    /// must not add one.
    fn has_other_issuers_alone(&self) -> bool {
        let in_file = |setting| self.is_overridden(setting, Source::Variable);
        in_file("issuers") && !TOP.iter().any(|setting| in_file(setting))
    }

    fn variable(&mut self, setting: &Setting, value: &OsStr) {
        let field = setting.name;
        if self.is_overridden(field, Source::Variable) {
            if setting.is_restriction && !value.is_empty() && self.is_empty_list(field) {
                let wrong = "is empty in the file, which would lift what a variable restricts";
                self.add_fault_of_known(field, wrong);
            }
            return;
        }
        let wrong = match value.to_str() {
            Some("") if setting.is_restriction => "is empty; unset it for no restriction",
            Some("") => return,
            _ if !setting.has_variable => "is set in a file or in code alone",
            _ if TOP.contains(&field) && self.has_other_issuers_alone() => {
                "would be an issuer beside the [[issuers]] of the file: set it there, or unset it"
            }
            Some(value) => {
                return self.take_text(field, Source::Variable, value.to_owned());
            }
            None => "is not UTF-8",
        };
        self.add_fault(field, Source::Variable, wrong);
    }
}
