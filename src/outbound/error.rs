//! What both kinds of credentials can fail of.

use std::fmt;

/// Settings that cannot be used, with all of their faults.
///
/// It prints them one a line. No value is repeated: an address may have a
/// password in it by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    faults: Vec<String>,
}

impl BuildError {
    /// Each fault: the setting, and what is wrong with it.
    pub fn faults(&self) -> impl ExactSizeIterator<Item = &str> {
        self.faults.iter().map(String::as_str)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings for calls to GO can't be used:")?;
        for fault in &self.faults {
            write!(f, "\n- {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn add(&mut self, setting: impl fmt::Display, wrong: &str) {
        self.0.push(format!("{setting} {wrong}"));
    }

    pub(super) fn unless(&mut self, good: bool, setting: impl fmt::Display, wrong: &str) {
        if !good {
            self.add(setting, wrong);
        }
    }

    pub(super) fn into_result(self) -> Result<(), BuildError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into_error())
        }
    }

    pub(super) fn into_error(self) -> BuildError {
        BuildError { faults: self.0 }
    }
}

/// Why a request was not sent: it would have carried a token to where the token
/// does not belong, or another credential beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefused {
    /// The address is under no base address that has a token: relative, another
    /// scheme, host, port or path, or one with user information; or a `Host`
    /// header names another host.
    #[error("there is no token for this address")]
    Stranger,
    /// The path has dots for a segment, an empty segment, a backslash or an
    /// escape, so that a server may resolve it to that of another API.
    #[error("the path may mean another one to the server")]
    MistakablePath,
    /// The request has an `Authorization` header already. Which of the two was
    /// meant is the caller's to decide.
    #[error("the request has an Authorization header already")]
    AlreadyAuthorized,
}
