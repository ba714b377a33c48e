//! The settings of a command: flags over file over environment.

mod args;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub(crate) use self::args::SettingArgs;
use crate::console::{Console, Failure};
use derbysoft_go_auth::Config;
use derbysoft_go_auth::inspect::{Reading, layered};

/// The largest key document that can be configured.
const MAX_DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

/// The settings of a command, not checked yet, and how they were read.
pub(super) fn read<const RULES: bool>(
    args: &SettingArgs<RULES>,
    console: &Console<'_>,
) -> Result<(Config, Reading), Failure> {
    let vars = console.surroundings.vars.iter().cloned();
    Ok(layered(&args.flags, args.config.as_deref(), vars)?)
}

/// All of a key document, from a file or a pipe.
pub(super) fn read_document(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?
        .take(MAX_DOCUMENT_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if read as u64 > MAX_DOCUMENT_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is longer than 16 MiB",
        ));
    }
    Ok(bytes)
}
