//! Where settings come from, at the start and at each reload.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::console::variable;
use derbysoft_go_auth::Config;
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::inspect::{Reading, layered};

/// Where the settings are: in a file of TOML, with the names of [`Config`], and in the
/// environment for what the file does not set, as with the other commands. Never printed:
/// the environment may hold secrets of others.
#[derive(Clone)]
pub(crate) struct Settings {
    file: Option<PathBuf>,
    vars: Vec<(OsString, OsString)>,
}

impl Settings {
    /// Those in this file, or else in that of `GO_AUTH_CONFIG`, which is read at the start
    /// and at each reload, over those of these variables (`GO_AUTH_…`).
    pub(crate) fn new(
        file: Option<PathBuf>,
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self {
            file,
            vars: vars.into_iter().collect(),
        }
    }

    /// The file, if there is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        (self.file.clone()).or_else(|| variable(&self.vars, "GO_AUTH_CONFIG").map(PathBuf::from))
    }

    /// The present settings, not checked yet, and how they were read. Blocks.
    ///
    /// # Errors
    /// If the file can't be read: then nothing is known of it.
    pub(super) fn read(&self) -> Result<(Config, Reading), ConfigError> {
        layered(&[], self.file.as_deref(), self.vars.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings_of(content: &[u8], vars: &[(&str, &str)]) -> (tempfile::NamedTempFile, Settings) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
        let settings = Settings::new(Some(file.path().to_owned()), vars);
        (file, settings)
    }

    fn fault_of(path: &Path) -> String {
        let error = Settings::new(Some(path.to_owned()), []).read();
        let error = error.expect_err("a fault");
        let [fault] = error.faults().collect::<Vec<_>>()[..] else {
            panic!("one fault: {error}");
        };
        let name = format!("config: {path:?}: ");
        fault.strip_prefix(&name).expect("the file").to_owned()
    }

    #[test]
    fn the_file_overrides_the_environment_when_read() {
        let (file, settings) = settings_of(
            b"issuer = \"of the file\"\nleeway = \"2s\"",
            &[
                ("GO_AUTH_ISSUER", "of the environment"),
                ("GO_AUTH_AUDIENCE", "of the environment"),
                // Overridden, it need not even be good.
                ("GO_AUTH_LEEWAY", "soon"),
            ],
        );
        let (config, reading) = settings.read().expect("a file");
        assert_eq!(reading.and(Ok(())), Ok(()));
        assert_eq!(config.issuer, "of the file");
        assert_eq!(config.audience, ["of the environment"]);
        assert_eq!(config.leeway.as_secs(), 2);

        std::fs::write(file.path(), "audience = [\"of the file\"]").expect("written");
        let (config, reading) = settings.read().expect("a file");
        assert_eq!(config.issuer, "of the environment");
        assert_eq!(config.audience, ["of the file"]);
        let error = reading
            .and(Ok(()))
            .expect_err("a variable that counts again");
        let faults: Vec<_> = error.faults().collect();
        assert_eq!(
            faults,
            ["GO_AUTH_LEEWAY is \"soon\", not a duration such as 30s or 5m"]
        );
    }

    #[test]
    fn a_file_that_is_no_text_or_too_long_is_not_read() {
        let fault_of_content = |content: &[u8]| fault_of(settings_of(content, &[]).0.path());
        assert_eq!(fault_of_content(b"issuer = \"\xff\""), "it is not UTF-8");
        assert_eq!(
            fault_of_content(&vec![b' '; 64 * 1024 + 1]),
            "it is longer than 64 KiB"
        );
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(fault_of(directory.path()), "it is not a regular file");
    }
}
