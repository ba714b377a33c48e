//! Faults in a set of access tokens, all reported at once.
//!
//! A fault names its place and what is wrong there, and repeats nothing of the content,
//! which may be a token.

use std::fmt;
use std::path::{Path, PathBuf};

use memchr::memchr_iter;

use super::api::{Api, InvalidApi};
use crate::fault::debug_is_text;
use crate::file::guarded_file::FileError;
use crate::file::watched::Unread;

/// The most faults that are reported: one for each of the four required members of each
/// of 32 tokens. They go into one log line.
const MAX_FAULTS: usize = 128;

/// Access tokens that can't be used, with all of their faults.
///
/// Displays one fault a line. It never contains any text of a token, or of anything that
/// may be one.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessTokensError {
    file: Option<PathBuf>,
    faults: Vec<AccessTokenFault>,
}

debug_is_text!(AccessTokensError);

/// One fault: where it is, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenFault {
    place: Option<Place>,
    wrong: Wrong,
}

/// Where an entry is; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Line(usize),
    /// Among those given in code.
    Entry(usize),
}

impl Place {
    pub(super) const fn line(self) -> Option<usize> {
        match self {
            Self::Line(line) => Some(line),
            Self::Entry(_) => None,
        }
    }
}

/// Where the lines of a text end. A file can contain thousands of faults, and counting
/// lines for each of them took half a second.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &[u8]) -> Self {
        Self(memchr_iter(b'\n', text).collect())
    }

    /// The line of the byte at `offset`.
    pub(super) fn at(&self, offset: usize) -> Place {
        Place::Line(self.0.partition_point(|end| *end < offset) + 1)
    }
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("{0}")]
    File(#[from] FileError),
    #[error("{0}")]
    Unread(#[from] Unread),
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("this is not TOML")]
    Syntax,
    #[error("there is no such setting; a token has api, token or sha256, issued, and revoked")]
    UnknownMember,
    #[error("tokens are written as [[token]]")]
    NotTokens,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is not a string")]
    NotAString(&'static str),
    #[error("revoked is neither true nor false")]
    NotABoolean,
    #[error("{0}")]
    Api(#[from] InvalidApi),
    #[error("there are both token and sha256")]
    TokenAndDigest,
    #[error("there is neither token nor sha256")]
    NeitherTokenNorDigest,
    #[error("the token is shorter than 16 characters, and could be guessed")]
    TooShort,
    #[error("the token is longer than 1024 characters")]
    TooLong,
    #[error("the token has a character that a header can't carry: visible ASCII but the comma can")]
    Characters,
    #[error("the token has two dots, and would be taken for a JWT, since JWTs are accepted too")]
    LooksLikeJwt,
    #[error("sha256 is not 64 hex digits")]
    NotADigest,
    #[error("sha256 is the digest of nothing")]
    DigestOfNothing,
    #[error("issued is not a time with an offset, such as 2026-11-01T00:00:00Z")]
    NotATime,
    #[error("there is no token; `token = []` says that there are none")]
    Empty,
    #[error("there are more than 32 tokens")]
    TooMany,
    #[error("this is a third token of {0}, which has a current and a previous one at most")]
    Third(Api),
    #[error("another token of {0} was issued at the same time: which is current?")]
    SameTime(Api),
    #[error("this is the same token as another one")]
    SameToken,
}

impl AccessTokensError {
    /// Each fault, in the order of their places; at most the first 128 that were found.
    pub fn faults(&self) -> impl ExactSizeIterator<Item = &AccessTokenFault> {
        self.faults.iter()
    }

    /// The file that contains them, if any.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for AccessTokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the access tokens can't be used")?;
        if let Some(file) = &self.file {
            let file = file.to_string_lossy();
            write!(f, ", of \"{}\"", file.escape_debug())?;
        }
        f.write_str(":")?;
        for fault in &self.faults {
            write!(f, "\n- {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AccessTokensError {}

impl AccessTokenFault {
    /// The line in the file, counted from 1; `None` for a fault that belongs to no line
    /// and for tokens given in code.
    pub const fn line(&self) -> Option<usize> {
        match self.place {
            Some(place) => place.line(),
            None => None,
        }
    }
}

impl fmt::Display for AccessTokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place::Line(line)) => write!(f, "line {line}: ")?,
            Some(Place::Entry(entry)) => write!(f, "token {entry}: ")?,
            None => {}
        }
        self.wrong.fmt(f)
    }
}

/// Collects faults.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<AccessTokenFault>);

impl Faults {
    /// A single fault.
    pub(super) fn one(place: impl Into<Option<Place>>, wrong: Wrong) -> AccessTokensError {
        let mut faults = Self::default();
        faults.add(place, wrong);
        faults.into_error()
    }

    pub(super) fn add(&mut self, place: impl Into<Option<Place>>, wrong: Wrong) {
        if self.0.len() == MAX_FAULTS {
            return;
        }
        self.0.push(AccessTokenFault {
            place: place.into(),
            wrong,
        });
    }

    /// The value, or `None` after recording its fault.
    pub(super) fn take<T>(&mut self, place: Place, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.add(place, wrong)).ok()
    }

    pub(super) fn into_result(self) -> Result<(), AccessTokensError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into_error())
        }
    }

    fn into_error(mut self) -> AccessTokensError {
        self.0.sort_by_key(|fault| fault.place);
        AccessTokensError {
            file: None,
            faults: self.0,
        }
    }
}
