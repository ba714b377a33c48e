//! Settings from several sources at once: flags override the file, and the file overrides
//! the environment. Whatever the source, a value is checked by deserializing it as its
//! setting's type, so there is one list of the settings: the fields of [`Config`].

use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use super::check::Keys;
use super::file::SettingsFile;
use super::nearest::nearest;
use super::settings::{Setting, find};
use super::sources::{Origin, Source, Sources};
use super::value::{Value, Wrong};
use super::{Config, IssuerConfig};
use crate::fault::{ConfigError, Faults};

/// A flag by its setting's name (`jwks_url`), and its value.
pub type Flag = (&'static str, String);

/// Where settings were read, and the faults of those that could not be read.
#[derive(Debug, Default)]
#[must_use]
pub struct Reading {
    sources: Sources,
    faults: Faults,
    /// Settings that unknown names were probably meant to be.
    meant: Vec<&'static str>,
}

impl Reading {
    /// `made`, if reading the settings found no fault either; otherwise every fault of
    /// both, each named as in its source.
    ///
    /// # Errors
    /// With every fault.
    pub fn and<T>(self, made: Result<T, ConfigError>) -> Result<T, ConfigError> {
        let made = made.map_err(|error| error.named(|setting| self.sources.name_of(setting)));
        let is_reported = |setting: &str| {
            let is_meant = self.meant.contains(&setting) && !self.sources.know(setting);
            is_meant || self.faults.are_of(setting)
        };
        // A setting that could not be read is not reported as missing too.
        let more = made
            .as_ref()
            .err()
            .and_then(|error| error.without(is_reported));
        match (self.faults.or(()), more) {
            (Err(error), Some(more)) => Err(error.and(more)),
            (Err(error), None) => Err(error),
            (Ok(()), _) => made,
        }
    }
}

/// Settings as they are read, overriding sources first.
#[derive(Default)]
pub(super) struct Layers<'a> {
    settings: Vec<(String, Value<'a>)>,
    issuers: Vec<Vec<(String, Value<'a>)>>,
    reading: Reading,
    /// The file could not be read, or part of it is not TOML.
    is_broken: bool,
}

/// A table of a document, and the names, lines and values of its members.
pub(super) struct Table<'a> {
    pub(super) line: usize,
    pub(super) members: Vec<(String, usize, Value<'a>)>,
}

impl Config {
    /// The configuration from a TOML document, with the names of the fields.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let auth = derbysoft_go_auth::Config::from_toml(r#"
    ///     issuer = "https://id/X/.well-known/openid-configuration"
    ///     audience = ["ZKT"]
    ///     jwks_url = "https://id.example/id/X/keys"
    /// "#)?
    /// .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// To complete a configuration in code, with keys or tokens, read it with
    /// `toml::from_str` instead, which checks nothing and stops at the first fault.
    ///
    /// # Errors
    /// With every fault and its line; if the text is not TOML, with its syntax errors.
    /// Values are not repeated: the text may be the wrong file.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        layers.document(text);
        layers.read().and_then(checked)
    }

    /// Like [`from_env`](Config::from_env), from the given variables; those that don't
    /// begin with `GO_AUTH_` are ignored. Does no I/O, unless `GO_AUTH_CONFIG` is among
    /// them: then it reads that file.
    ///
    /// # Errors
    /// As [`from_env`](Config::from_env).
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self::layered(&[], None, vars).and_then(checked)
    }

    /// The settings of all three sources, not checked yet, and how they were read. The
    /// file is the given one or else that of `GO_AUTH_CONFIG`. Blocks while it is read.
    ///
    /// # Errors
    /// If the file can't be read or is not TOML: then nobody knows which settings it has.
    pub(crate) fn layered(
        flags: &[Flag],
        file: Option<&Path>,
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Reading), ConfigError> {
        let vars: Vec<_> = vars.into_iter().collect();
        let file = SettingsFile::of(file, &vars);
        let mut layers = Layers::default();
        for (setting, value) in flags {
            layers.take_text(setting, Source::Flag, value.clone());
        }
        if let Some(file) = &file {
            layers.reading.sources.file = Some(file.name);
            match &file.text {
                Ok(text) => layers.document(text),
                Err(wrong) => layers.add_unread(&format!("{}: {wrong}", file.name)),
            }
        }
        layers.variables(vars);
        if !flags.is_empty() || file.is_some() {
            layers.reading.sources.others = None;
        }
        layers.read()
    }
}

impl<'a> Layers<'a> {
    /// Adds a setting, unless an overriding source has it.
    pub(super) fn take(&mut self, setting: &str, source: Source, value: Value<'a>) {
        if self.is_overridden(setting, source) {
            return;
        }
        if self.is_good::<Config>(setting, setting, source, &value) {
            self.settings.retain(|(earlier, _)| earlier != setting);
            self.settings.push((setting.to_owned(), value));
        }
    }

    /// The same from a variable or a flag.
    pub(super) fn take_text(&mut self, setting: &str, source: Source, text: String) {
        let value = match find(setting) {
            Some(Setting { is_list: true, .. }) => Value::Texts(text),
            _ => Value::Text(text),
        };
        self.take(setting, source, value);
    }

    /// Adds the setting `issuers`, each of which is read member by member.
    pub(super) fn take_issuers(&mut self, line: usize, issuers: Vec<Table<'a>>) {
        self.reading.sources.insert("issuers", Source::Line(line));
        for (at, table) in issuers.into_iter().enumerate() {
            let prefix = format!("issuers[{at}]");
            (self.reading.sources).insert(&prefix, Source::Line(table.line));
            let mut issuer = Vec::new();
            for (name, line, value) in table.members {
                let (setting, line) = (format!("{prefix}.{name}"), Source::Line(line));
                if self.is_good::<IssuerConfig>(&setting, &name, line, &value) {
                    issuer.push((name, value));
                }
            }
            self.issuers.push(issuer);
        }
    }

    /// Whether `T` has a field of this name that accepts this value; otherwise adds a
    /// fault.
    fn is_good<T: DeserializeOwned>(
        &mut self,
        setting: &str,
        name: &str,
        source: Source,
        value: &Value<'a>,
    ) -> bool {
        match of_members::<T>([(name.to_owned(), value.clone())]) {
            Ok(_) => {
                self.reading.sources.insert(setting, source);
                true
            }
            Err(Wrong::Unknown(known)) => {
                self.unknown_member(setting, name, source, known);
                false
            }
            Err(wrong) => {
                self.add_fault(setting, source, &wrong.to_string());
                false
            }
        }
    }

    /// Adds a fault of a known setting whose value can't be used.
    pub(super) fn add_fault(&mut self, setting: &str, source: Source, wrong: &str) {
        self.reading.sources.insert(setting, source);
        self.add_fault_of_known(setting, wrong);
    }

    /// The same, named as in the source that counts.
    pub(super) fn add_fault_of_known(&mut self, setting: &str, wrong: &str) {
        let name = self.reading.sources.name_of(setting);
        self.reading.faults.add_named(setting, &name, wrong);
    }

    /// Whether the setting was read as a list without entries.
    pub(super) fn is_empty_list(&self, setting: &str) -> bool {
        let found = self.settings.iter().find(|(name, _)| name == setting);
        found.is_some_and(|(_, value)| value.is_empty_list())
    }

    fn unknown_member(
        &mut self,
        setting: &str,
        name: &str,
        source: Source,
        known: &'static [&'static str],
    ) {
        let shown = if is_like_a_setting(name) {
            setting
        } else {
            "a name here"
        };
        let place = self.reading.sources.place(source);
        if known != fields() && fields().contains(&name) {
            let wrong = "is not a setting of an issuer; set it above the first [[issuers]]";
            self.reading
                .faults
                .add_text(format!("{place}{shown} {wrong}"));
        } else {
            let known = known.iter().copied();
            self.add_unknown(&format!("{place}{shown}"), "", nearest(name, known));
        }
    }

    /// Adds the fault of an unknown name, with the name that was probably meant.
    pub(super) fn add_unknown(&mut self, name: &str, prefix: &str, meant: Option<&'static str>) {
        let advice = meant.map(|meant| {
            let meant = if prefix.is_empty() {
                meant.to_owned()
            } else {
                format!("{prefix}{}", meant.to_uppercase())
            };
            format!("; did you mean {meant}?")
        });
        self.reading.meant.extend(meant);
        let advice = advice.unwrap_or_default();
        (self.reading.faults).add_text(format!("{name} is not a setting{advice}"));
    }

    /// Adds a line of the file that is not TOML.
    pub(super) fn add_syntax(&mut self, line: usize, wrong: &str) {
        self.is_broken = true;
        let place = self.reading.sources.place(Source::Line(line));
        self.reading.faults.add_text(format!("{place}{wrong}"));
    }

    pub(super) fn is_overridden(&self, setting: &str, source: Source) -> bool {
        self.reading.sources.overrides(setting, source)
    }

    /// Which source a fault names for a setting that is in none.
    pub(super) fn expect_others(&mut self, source: Source) {
        self.reading.sources.others = Some(source);
    }

    /// Adds a file that could not be read.
    fn add_unread(&mut self, wrong: &str) {
        self.is_broken = true;
        self.reading.faults.add_text(wrong.to_owned());
    }

    pub(super) fn read(self) -> Result<(Config, Reading), ConfigError> {
        let mut reading = self.reading;
        if self.is_broken {
            reading.faults.or(())?;
            reading = Reading::default();
        }
        // Each of them was valid on its own.
        let issuers = self.issuers.into_iter().map(of_members::<IssuerConfig>);
        let issuers: Result<Vec<_>, _> = issuers.collect();
        let config = of_members::<Config>(self.settings).and_then(|config| {
            Ok(Config {
                issuers: issuers?,
                origin: Origin::of(&reading.sources),
                ..config
            })
        });
        let config = config.unwrap_or_else(|wrong| {
            reading.faults.add_text(wrong.to_string());
            Config::default()
        });
        Ok((config, reading))
    }
}

fn checked((config, reading): (Config, Reading)) -> Result<Config, ConfigError> {
    let checked = config.checked(Keys::Fetched, false);
    reading.and(checked)?;
    Ok(config)
}

/// A `T` with these members, and defaults for the others.
fn of_members<'a, T: Deserialize<'a>>(
    members: impl IntoIterator<Item = (String, Value<'a>)>,
) -> Result<T, Wrong> {
    T::deserialize(MapDeserializer::new(members.into_iter()))
}

/// The names of all settings.
pub(super) fn fields() -> &'static [&'static str] {
    match of_members::<Config>([(String::new(), Value::Text(String::new()))]) {
        Err(Wrong::Unknown(known)) => known,
        _ => &[],
    }
}

/// Whether a message may repeat this name from a file: it could be a secret, but those
/// have digits or are longer.
fn is_like_a_setting(name: &str) -> bool {
    let is_of_names = |c: u8| c.is_ascii_alphabetic() || matches!(c, b'_' | b'-');
    !name.is_empty() && name.len() <= 32 && name.bytes().all(is_of_names)
}

/// Both values.
///
/// # Errors
/// With the faults of both.
pub fn both<A, B>(
    one: Result<A, ConfigError>,
    other: Result<B, ConfigError>,
) -> Result<(A, B), ConfigError> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(one.and(other)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
