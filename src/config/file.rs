//! The file of settings that commands are given.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest file: a hundred issuers of 300 bytes take half of it.
const MAX_BYTES: usize = 64 * 1024;

/// Its text, not looked at yet. Blocks.
pub(crate) fn read(path: &Path) -> io::Result<String> {
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
