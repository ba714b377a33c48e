//! Where each setting was read, and its name there.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fault::ConfigError;

/// The prefix of all variable names.
pub(super) const ENV_PREFIX: &str = "GO_AUTH_";

/// Where a setting was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Flag,
    /// Of the file, counted from 1.
    Line(usize),
    Variable,
}

/// Where the settings were read: a fault names each setting as its source does.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    known: HashMap<String, Source>,
    /// How to name a setting that is in no source; if unset, by its field.
    pub(super) others: Option<Source>,
    /// What the file is called if there are other sources.
    pub(super) file: Option<&'static str>,
}

/// Where the settings of a configuration were read, unless in code. It is no setting: all
/// are equal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin(Option<Arc<Sources>>);

impl Origin {
    pub(super) fn of(sources: &Sources) -> Self {
        Self(Some(Arc::new(sources.clone())))
    }

    /// Which settings were read where.
    pub(super) fn text(&self) -> Option<String> {
        self.0.as_ref()?.groups()
    }

    /// The same error, with each setting named as in its source.
    pub(crate) fn named(&self, error: ConfigError) -> ConfigError {
        match &self.0 {
            Some(sources) => error.named(|setting| sources.name_of(setting)),
            None => error,
        }
    }
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}

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

    /// The text before a name from this source.
    pub(super) fn place(&self, source: Source) -> String {
        match (source, self.file) {
            (Source::Line(line), Some(file)) => format!("{file}: line {line}: "),
            (Source::Line(line), None) => format!("line {line}: "),
            _ => String::new(),
        }
    }

    /// Which settings are known from where.
    fn groups(&self) -> Option<String> {
        let file = self.file.unwrap_or("file");
        let kind = |source: &Source| match source {
            Source::Flag => "flags",
            Source::Line(_) => file,
            Source::Variable => "environment",
        };
        let groups = ["flags", file, "environment"].map(|name| {
            let known = self.known.iter().filter(|(_, source)| kind(source) == name);
            // `issuers` stands for the settings of each issuer.
            let known = known.map(|(setting, _)| setting.as_str());
            let mut known: Vec<_> = known.filter(|it| !it.contains('[')).collect();
            known.sort_unstable();
            (!known.is_empty()).then(|| format!("{name}: {}", known.join(", ")))
        });
        let groups: Vec<_> = groups.into_iter().flatten().collect();
        (!groups.is_empty()).then(|| groups.join("; "))
    }

    /// The name as the operator finds it. What an issuer lacks is reported at the
    /// issuer's line.
    pub(super) fn name_of(&self, setting: &str) -> String {
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
