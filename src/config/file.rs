//! The settings file: given by a flag of the command, or by a variable.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::env;
use crate::file::guarded_file::{GuardedFile, Links, Writable};

/// The largest file: a hundred issuers of 300 bytes take half of it.
const MAX_BYTES: usize = 64 * 1024;

/// What faults call a file that a flag names.
const BY_FLAG: &str = "config";

/// A settings file that was read, or why it was not.
pub(super) struct SettingsFile {
    /// What faults call it.
    pub(super) name: &'static str,
    /// Its text, not parsed yet; otherwise its path and what is wrong with it.
    pub(super) text: Result<String, String>,
}

impl SettingsFile {
    /// The file that a flag names or, without it, `GO_AUTH_CONFIG`; `None` if neither
    /// does. Blocks.
    ///
    /// It may be writable by everybody only if the environment allows it: the file can't
    /// vouch for itself.
    pub(super) fn of(flag: Option<&Path>, vars: &[(OsString, OsString)]) -> Option<Self> {
        let by_flag = flag.map(|path| (BY_FLAG, path.to_owned()));
        let by_variable = || {
            Some((
                env::CONFIG,
                PathBuf::from(env::find_value(vars, env::CONFIG)?),
            ))
        };
        let (name, path) = by_flag.or_else(by_variable)?;
        let text = read(&path, vars).map_err(|error| {
            let path = path.to_string_lossy();
            // It may be the text of the file, given in place of a path.
            if path.contains('=') || path.contains("://") {
                return format!("it is no path: {error}");
            }
            format!("\"{}\": {error}", path.escape_debug())
        });
        Some(Self { name, text })
    }
}

fn read(path: &Path, vars: &[(OsString, OsString)]) -> io::Result<String> {
    let writable = Writable::from_setting(env::allows_writable_files(vars));
    let mut bytes = Vec::new();
    GuardedFile::open(path, Links::Followed, writable)?.read(MAX_BYTES, &mut bytes)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
