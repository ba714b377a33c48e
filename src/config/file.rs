//! The settings file that commands are given.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::env;
use crate::file::guarded_file::{GuardedFile, Links, Writable};

/// The largest file: a hundred issuers of 300 bytes take half of it.
const MAX_BYTES: usize = 64 * 1024;

/// Its text, not parsed yet. Blocks.
///
/// It may be writable by everybody only if the environment allows it: the file can't
/// vouch for itself.
///
/// # Errors
/// If the file can't be read, is not UTF-8, or may be written by everybody.
pub fn read(path: &Path, vars: &[(OsString, OsString)]) -> io::Result<String> {
    let writable = Writable::from_setting(env::allows_writable_files(vars));
    let mut bytes = Vec::new();
    GuardedFile::open(path, Links::Followed, writable)?.read(MAX_BYTES, &mut bytes)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
