//! What is wrong with a configuration, all of it at once.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use crate::access_token::AccessTokensError;

/// What the names of all variables begin with.
pub(super) const ENV_PREFIX: &str = "GO_AUTH_";

/// The most faults that are named: four times what there are settings, and as many as
/// of a file of access tokens. They go into one line of a log.
pub(super) const MAX_FAULTS: usize = 128;

/// A configuration that can't be used, with all of its faults.
///
/// It prints them one a line. Values are not repeated but for those of the
/// environment and of flags, and the path of the access tokens, escaped: settings are
/// no secrets, but a file may be another than was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

/// One setting, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its field: `issuers[0].issuer`.
    setting: String,
    /// What follows its name.
    wrong: String,
    text: String,
}

/// Where a setting was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Flag,
    /// Of the file, counted from 1.
    Line(usize),
    Variable,
}

/// Where the settings were read: a fault names each as it is written there.
#[derive(Debug, Default)]
pub(super) struct Sources {
    known: HashMap<String, Source>,
    /// What a setting that is in none of them is named as; without it by its field.
    pub(super) others: Option<Source>,
    /// What the file is called where there are other sources: `config: `.
    pub(super) file: &'static str,
}

impl ConfigError {
    /// Each fault: the setting, and what is wrong with it. Of more than 128 the first.
    pub fn faults(&self) -> impl ExactSizeIterator<Item = &str> {
        self.faults.iter().map(|fault| &*fault.text)
    }

    /// Those of a setting whose value is more than data: a file.
    pub(crate) fn of_setting(setting: &str, wrong: impl IntoIterator<Item = String>) -> Self {
        let wrong = wrong.into_iter().take(MAX_FAULTS);
        Self {
            faults: wrong
                .map(|wrong| Fault::new(setting, format!(": {wrong}")))
                .collect(),
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
        self.faults.truncate(MAX_FAULTS);
        self
    }

    /// The same, with each setting named as it is written in its source.
    pub(super) fn named_by(mut self, sources: &Sources) -> Self {
        for fault in &mut self.faults {
            fault.text = sources.name_of(&fault.setting) + &fault.wrong;
        }
        self
    }

    /// Those of other settings than these, if there are any.
    pub(super) fn without(&self, is_one: impl Fn(&str) -> bool) -> Option<Self> {
        let others = self.faults.iter().filter(|fault| !is_one(&fault.setting));
        let faults: Vec<_> = others.cloned().collect();
        (!faults.is_empty()).then_some(Self { faults })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration can't be used:")?;
        for fault in self.faults() {
            write!(f, "\n- {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Fault {
    fn new(setting: &str, wrong: String) -> Self {
        Self {
            setting: setting.to_owned(),
            text: format!("{setting}{wrong}"),
            wrong,
        }
    }
}

impl Sources {
    pub(super) fn insert(&mut self, setting: &str, source: Source) {
        self.known.insert(setting.to_owned(), source);
    }

    pub(super) fn know(&self, setting: &str) -> bool {
        self.known.contains_key(setting)
    }

    /// Whether another source than this one has the setting.
    pub(super) fn overrides(&self, setting: &str, source: Source) -> bool {
        (self.known.get(setting)).is_some_and(|known| *known != source)
    }

    /// What is before a name of this source.
    pub(super) fn place(&self, source: Source) -> String {
        if let Source::Line(line) = source {
            format!("{}line {line}: ", self.file)
        } else {
            String::new()
        }
    }

    /// As the operator finds it. What an issuer lacks is at the line of the issuer.
    fn name_of(&self, setting: &str) -> String {
        let known = |setting| self.known.get(setting).copied();
        let of_issuer = || {
            setting
                .rsplit_once('.')
                .and_then(|(issuer, _)| known(issuer))
        };
        match known(setting).or_else(of_issuer).or(self.others) {
            Some(Source::Flag) => format!("--{}", setting.replace('_', "-")),
            Some(line @ Source::Line(_)) => self.place(line) + setting,
            Some(Source::Variable) => format!("{ENV_PREFIX}{}", setting.to_uppercase()),
            None => setting.to_owned(),
        }
    }
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn unless(&mut self, good: bool, setting: &str, wrong: &str) {
        if !good {
            self.add(setting, wrong);
        }
    }

    pub(super) fn add(&mut self, setting: &str, wrong: &str) {
        self.push(Fault::new(setting, format!(" {wrong}")));
    }

    /// One of an entry of a list, counted from 1.
    pub(super) fn add_of_entry(&mut self, setting: &str, entry: usize, wrong: &str) {
        self.push(Fault::new(setting, format!(": entry {entry} {wrong}")));
    }

    /// One of a setting that is named as it is written in its source.
    pub(super) fn add_named(&mut self, setting: &str, wrong: &str, sources: &Sources) {
        self.push(Fault {
            text: format!("{} {wrong}", sources.name_of(setting)),
            ..Fault::new(setting, format!(" {wrong}"))
        });
    }

    /// One of no setting.
    pub(super) fn add_text(&mut self, text: String) {
        self.push(Fault::new("", text));
    }

    fn push(&mut self, fault: Fault) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(fault);
        }
    }

    pub(super) fn are_of(&self, setting: &str) -> bool {
        self.0.iter().any(|fault| fault.setting == setting)
    }

    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { faults: self.0 })
        }
    }
}
