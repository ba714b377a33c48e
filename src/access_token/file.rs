//! The file that the tokens are in, read whole and within bounds; blocks.
//!
//! Who can write it decides who may call the API, so one that everybody can write
//! is refused. One that others can *read* is not: platforms mount secrets that way
//! (mode 0644 in Kubernetes, where the container is the boundary), and a warning
//! that cannot be heeded teaches to overlook warnings. Digests instead of tokens
//! in the file make reading it worthless.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::fault::{AccessTokensError, Faults, Lines, Wrong};
use super::set::AccessTokens;
use crate::clock::UnixTime;

/// The largest file: 32 tokens of 256 characters take 12 KiB with all that belongs
/// to them, the rest is for comments.
const MAX_BYTES: usize = 64 * 1024;

/// The file as it was at one moment.
pub(super) struct Text<'a> {
    path: &'a Path,
    bytes: Zeroizing<Vec<u8>>,
    pub(super) content: Content,
    /// When it was last written, as far as the file system tells.
    pub(super) modified: Option<UnixTime>,
}

/// Why the file can't be used, and as of what content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    content: Option<Content>,
    pub(super) error: AccessTokensError,
}

/// The digest of a file's content, to know it again. Dates are not looked at: a
/// file can change within one tick of its clock, or keep its date when it is
/// copied, and it is small.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Content([u8; digest::SHA256_OUTPUT_LEN]);

impl Content {
    fn of(bytes: &[u8]) -> Self {
        let mut content = [0; digest::SHA256_OUTPUT_LEN];
        content.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(content)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

impl<'a> Text<'a> {
    pub(super) fn read(path: &'a Path) -> Result<Self, Unusable> {
        let (bytes, modified) = read_bytes(path).map_err(|wrong| Unusable::unread(path, wrong))?;
        Ok(Self {
            path,
            content: Content::of(&bytes),
            bytes,
            modified,
        })
    }

    /// The tokens in it, as of `now`.
    pub(super) fn tokens(&self, now: UnixTime) -> Result<AccessTokens, Unusable> {
        let tokens = match str::from_utf8(&self.bytes) {
            Ok(text) => AccessTokens::from_toml(text, now),
            Err(error) => {
                let place = Lines::of(&self.bytes).at(error.valid_up_to());
                Err(Faults::one(place, Wrong::NotUtf8))
            }
        };
        tokens.map_err(|error| Unusable {
            content: Some(self.content),
            error: error.in_file(self.path),
        })
    }
}

#[cfg(feature = "cli")]
impl AccessTokens {
    /// The tokens in a file, as of `now`, for one look at them.
    pub(crate) fn from_file(path: &Path, now: UnixTime) -> Result<Self, AccessTokensError> {
        Text::read(path)
            .and_then(|text| text.tokens(now))
            .map_err(|unusable| unusable.error)
    }
}

/// All of the file, in memory that is wiped.
fn read_bytes(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<UnixTime>), Wrong> {
    // Before it is opened: a pipe would wait for somebody to write to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Wrong::NotAFile);
    }
    let file = File::open(path)?;
    check_permissions(&file)?;
    let modified = file.metadata()?.modified().ok().map(UnixTime::from);
    // Never grown: what is left behind by growing is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(Wrong::TooLarge);
    }
    Ok((bytes, modified))
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

#[cfg(unix)]
fn check_permissions(file: &File) -> Result<(), Wrong> {
    use std::os::unix::fs::MetadataExt;
    const WRITABLE_BY_ALL: u32 = 0o002;
    if file.metadata()?.mode() & WRITABLE_BY_ALL != 0 {
        return Err(Wrong::WritableByAll);
    }
    Ok(())
}

/// Elsewhere the directory's own protection has to do.
#[cfg(not(unix))]
fn check_permissions(_: &File) -> Result<(), Wrong> {
    Ok(())
}

impl Unusable {
    /// Nothing was read at all.
    pub(super) fn unread(path: &Path, wrong: Wrong) -> Self {
        Self {
            content: None,
            error: AccessTokensError::from(wrong).in_file(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const GOOD: &str = "[[token]]\napi = \"own\"\ntoken = \"53ac077700000000000000000000abcd\"\n\
        issued = 2026-11-01T00:00:00Z\n";

    /// What is wrong with a file of these bytes.
    fn wrong(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        let text = Text::read(file.path()).and_then(|text| text.tokens(NOW));
        let unusable = text.err()?;
        assert_eq!(unusable.error.file(), Some(file.path()));
        Some(unusable.error.faults().next().expect("a fault").to_string())
    }

    #[test]
    fn a_file_is_read_whole_up_to_64_kib() {
        let filled = |bytes: usize| format!("{GOOD}#{}", " ".repeat(bytes - GOOD.len() - 1));
        assert_eq!(wrong(GOOD.as_bytes()), None);
        assert_eq!(wrong(filled(64 * 1024).as_bytes()), None);
        assert_eq!(
            wrong(filled(64 * 1024 + 1).as_bytes()).as_deref(),
            Some("it is longer than 64 KiB")
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_line() {
        assert_eq!(
            wrong(b"# one\n# two\n# \xff\n").as_deref(),
            Some("line 3: it is not UTF-8")
        );
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        let wrong = |path: &Path| {
            let unusable = Text::read(path).err().expect("unusable");
            unusable.error.faults().next().expect("a fault").to_string()
        };
        assert_eq!(wrong(directory.path()), "it is not a regular file");
        let absent = wrong(&directory.path().join("absent"));
        assert!(absent.starts_with("it can't be read: "), "{absent}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_may_be_read_by_all_and_not_written() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), GOOD).expect("written");
        for (mode, usable) in [
            (0o400, true),
            (0o644, true),
            (0o664, true),
            (0o646, false),
            (0o666, false),
            (0o777, false),
        ] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), permissions).expect("set");
            assert_eq!(Text::read(file.path()).is_ok(), usable, "{mode:o}");
        }
    }
}
