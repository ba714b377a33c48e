//! Faults in settings, all reported at once.

use std::fmt;

/// The most faults that are reported: four times the number of settings, and the same
/// limit as for an access token file. They go into one log line.
pub(crate) const MAX_FAULTS: usize = 128;

/// An error's text, and that of its sources.
pub(crate) fn text(
    error: &(dyn std::error::Error + 'static),
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "{error}")?;
    let mut source = error.source();
    while let Some(error) = source {
        write!(f, ": {error}")?;
        source = error.source();
    }
    Ok(())
}

/// `Debug` of an error that `main` may return: its text, since Rust prints such an error
/// with `Debug`.
macro_rules! debug_is_text {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::fault::text(self, f)
            }
        }
    };
}
pub(crate) use debug_is_text;

/// Settings that can't be used, with all of their faults.
///
/// Displays one fault a line, and so does `Debug`, with which Rust prints an error that
/// `main` returns. Values are not repeated, except those from the environment
/// and from flags, and the path of the access tokens, escaped: settings are no secrets,
/// but a file may be the wrong one, and an address may contain a password. That of a
/// proxy is not repeated from anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

debug_is_text!(ConfigError);

/// One setting, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    /// The field's name: `issuers[0].issuer`.
    setting: String,
    /// The text that follows the name.
    wrong: String,
    text: String,
}

impl ConfigError {
    /// Each fault: the setting and what is wrong with it. At most the first 128.
    pub fn faults(&self) -> impl ExactSizeIterator<Item = &str> {
        self.faults.iter().map(|fault| &*fault.text)
    }

    /// Faults of a setting whose value is more than data: a file.
    pub(crate) fn of_setting(setting: &str, wrong: impl IntoIterator<Item = String>) -> Self {
        let wrong = wrong.into_iter().take(MAX_FAULTS);
        Self {
            faults: wrong
                .map(|wrong| Fault::new(setting, format!(": {wrong}")))
                .collect(),
        }
    }

    pub(crate) fn and(mut self, more: Self) -> Self {
        self.faults.extend(more.faults);
        self.faults.truncate(MAX_FAULTS);
        self
    }

    /// The same faults, with each setting named by `name`.
    pub(crate) fn named(mut self, name: impl Fn(&str) -> String) -> Self {
        for fault in &mut self.faults {
            fault.text = name(&fault.setting) + &fault.wrong;
        }
        self
    }

    /// The faults of all other settings, if there are any.
    pub(crate) fn without(&self, is_one: impl Fn(&str) -> bool) -> Option<Self> {
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

/// Collects faults.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn unless(&mut self, good: bool, setting: impl AsRef<str>, wrong: &str) {
        if !good {
            self.add(setting, wrong);
        }
    }

    pub(crate) fn add(&mut self, setting: impl AsRef<str>, wrong: &str) {
        self.push(Fault::new(setting.as_ref(), format!(" {wrong}")));
    }

    /// Adds a fault of a list entry, counted from 1.
    pub(crate) fn add_of_entry(&mut self, setting: &str, entry: usize, wrong: &str) {
        self.push(Fault::new(setting, format!(": entry {entry} {wrong}")));
    }

    /// Adds a fault of a setting that has another name in its source.
    pub(crate) fn add_named(&mut self, setting: &str, name: &str, wrong: &str) {
        self.push(Fault {
            text: format!("{name} {wrong}"),
            ..Fault::new(setting, format!(" {wrong}"))
        });
    }

    /// Adds a fault that belongs to no setting.
    pub(crate) fn add_text(&mut self, text: String) {
        self.push(Fault::new("", text));
    }

    fn push(&mut self, fault: Fault) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(fault);
        }
    }

    pub(crate) fn are_of(&self, setting: &str) -> bool {
        self.0.iter().any(|fault| fault.setting == setting)
    }

    /// `made`, unless there are faults.
    pub(crate) fn or<T>(self, made: T) -> Result<T, ConfigError> {
        if self.0.is_empty() {
            Ok(made)
        } else {
            Err(self.into_error())
        }
    }

    pub(crate) fn into_error(self) -> ConfigError {
        ConfigError { faults: self.0 }
    }
}
