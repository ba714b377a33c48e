//! The file with the tokens, read whole and within limits; blocks.
//!
//! Whoever can write it decides who may call the API, so a file that everybody can write
//! or replace is not used (see [`guarded_file`](crate::file::guarded_file)). One that
//! others can *read* is accepted: platforms mount secrets that way (mode 0644 in
//! Kubernetes, where the container is the boundary), and a warning that nobody can act on
//! teaches people to ignore warnings. If the file contains digests instead of tokens,
//! reading it gains nothing.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::document;
use super::entry::TokenDigest;
use super::fault::{AccessTokensError, Faults, Lines, Wrong};
use super::set::AccessTokens;
use crate::clock::UnixTime;
use crate::file::guarded_file::{FileError, GuardedFile, Links, Writable};

/// The largest file: 32 tokens of 1024 characters take 36 KiB with everything around
/// them; the rest is for comments.
const MAX_BYTES: usize = 64 * 1024;

/// The rules for a file and its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    /// JWTs are accepted too: no token may look like one.
    pub(crate) beside_jwts: bool,
    pub(crate) writable: Writable,
}

/// The file as it was at one moment.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) content: Content,
    /// When it was last written, if the file system knows.
    pub(super) modified: Option<UnixTime>,
    pub(super) tokens: AccessTokens,
}

/// Why the file can't be used, and which content that refers to.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) content: Option<Content>,
    pub(super) error: AccessTokensError,
    /// The tokens that it still revokes.
    pub(super) revoked: Box<[TokenDigest]>,
}

impl AccessTokens {
    /// The tokens in a file, read once.
    pub(crate) fn from_file(path: &Path, terms: Terms) -> Result<Self, AccessTokensError> {
        read(path, terms)
            .map(|found| found.tokens)
            .map_err(|unusable| unusable.error)
    }
}

/// The digest of a file's content, to recognise it. Timestamps are not used: a file can
/// change within one tick of its clock or keep its date when copied, and it is small.
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

/// Reads the file, into memory that is wiped, and the tokens in it.
pub(super) fn read(path: &Path, terms: Terms) -> Result<Found, Unusable> {
    // Allocated once: memory abandoned by growing would not be wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    let modified = read_bytes(path, terms.writable, &mut bytes)
        .map_err(|error| Unusable::unread(path, error.into()))?;
    let content = Content::of(&bytes);
    let tokens = match str::from_utf8(&bytes) {
        Ok(text) => document::read(text, terms.beside_jwts),
        Err(error) => {
            let place = Lines::of(&bytes).at(error.valid_up_to());
            Err((Faults::one(place, Wrong::NotUtf8), Box::default()))
        }
    };
    let tokens = tokens.map_err(|(error, revoked)| Unusable {
        content: Some(content),
        error: error.in_file(path),
        revoked,
    })?;
    Ok(Found {
        content,
        modified,
        tokens,
    })
}

fn read_bytes(
    path: &Path,
    writable: Writable,
    bytes: &mut Vec<u8>,
) -> Result<Option<UnixTime>, FileError> {
    let file = GuardedFile::open(path, Links::Followed, writable)?;
    let modified = file.metadata().modified().ok().map(UnixTime::from);
    file.read(MAX_BYTES, bytes)?;
    Ok(modified)
}

impl Unusable {
    /// Whether the file has not changed since, and neither has what is wrong with it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.content == other.content && self.error == other.error
    }

    /// Nothing was read at all.
    pub(super) fn unread(path: &Path, wrong: Wrong) -> Self {
        Self {
            content: None,
            error: Faults::one(None, wrong).in_file(path),
            revoked: Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[token]]\napi = \"own\"\ntoken = \"53ac077700000000000000000000abcd\"\n\
        issued = 2026-11-01T00:00:00Z\n";

    /// What is wrong with a file of these bytes.
    fn wrong(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        let unusable = read(file.path(), Terms::default()).err()?;
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
    fn invalid_utf8_is_reported_with_its_line() {
        assert_eq!(
            wrong(b"# one\n# two\n# \xff\n").as_deref(),
            Some("line 3: it is not UTF-8")
        );
    }

    #[test]
    fn only_a_regular_token_file_is_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        let wrong = |path: &Path| {
            let unusable = read(path, Terms::default()).err();
            let unusable = unusable.expect("unusable");
            unusable.error.faults().next().expect("a fault").to_string()
        };
        assert_eq!(wrong(directory.path()), "it is not a regular file");
        let absent = wrong(&directory.path().join("absent"));
        assert!(absent.starts_with("it can't be read: "), "{absent}");
    }
}
