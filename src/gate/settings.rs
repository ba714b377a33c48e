//! Where settings come from, at the start and at each reload.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, ConfigError};

/// The largest file: a hundred issuers of 300 bytes take half of it.
const MAX_BYTES: usize = 64 * 1024;

/// Reads the settings: at the start, and again at each reload.
#[derive(Clone)]
pub struct Settings(Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>);

impl Settings {
    /// Those that `read` gives, which may block.
    pub fn from_fn(read: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Those in a file of TOML, with the names of [`Config`].
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::from_fn(move || read(&path))
    }

    /// Those in the environment, which a reload finds as they were.
    pub fn from_env() -> Self {
        Self::from_fn(Config::from_env)
    }

    pub(super) fn read(&self) -> Result<Config, ConfigError> {
        self.0()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Config, ConfigError> {
    let of_file = |wrong: String| {
        let path = path.to_string_lossy();
        let fault = format!("\"{}\": {}", path.escape_debug(), wrong.escape_debug());
        ConfigError::of_setting("config", [fault])
    };
    let text = text_of(path).map_err(|error| of_file(error.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        of_file(match line {
            Some(line) => format!("line {line}: {}", error.message()),
            None => error.message().to_owned(),
        })
    })
}

fn text_of(path: &Path) -> io::Result<String> {
    let unusable = |wrong| io::Error::new(io::ErrorKind::InvalidData, wrong);
    // Before it is opened: a pipe would wait for somebody to write to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(unusable("it is not a file"));
    }
    let mut bytes = Vec::new();
    (File::open(path)?.take(MAX_BYTES as u64 + 1)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(unusable("it is larger than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        let error = Settings::from_file(file.path())
            .read()
            .expect_err("a fault");
        let [fault] = error.faults().collect::<Vec<_>>()[..] else {
            panic!("one fault: {error}");
        };
        let name = format!("config: {:?}: ", file.path());
        fault
            .strip_prefix(&name)
            .expect("the file's name")
            .to_owned()
    }

    #[test]
    fn a_fault_of_the_file_is_told_with_its_line() {
        let unknown = fault_of(b"audience = [\"ZKT\"]\nissuerr = \"x\"\n");
        assert!(
            unknown.starts_with("line 2: unknown field `issuerr`"),
            "{unknown}"
        );
        let broken = fault_of(b"\n\nissuer = \"x");
        assert!(broken.starts_with("line 3: "), "{broken}");
    }

    #[test]
    fn a_file_that_is_no_text_or_has_no_end_is_not_read() {
        assert_eq!(fault_of(b"issuer = \"\xff\""), "it is not UTF-8");
        assert_eq!(
            fault_of(&vec![b' '; MAX_BYTES + 1]),
            "it is larger than 64 KiB"
        );
        let directory = tempfile::tempdir().expect("a directory");
        let error = Settings::from_file(directory.path())
            .read()
            .expect_err("a fault");
        assert!(error.to_string().ends_with("it is not a file"), "{error}");
    }
}
