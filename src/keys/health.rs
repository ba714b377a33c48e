//! What operators monitor about an issuer's keys.

use std::time::Duration;

use serde::Serialize;

use super::FetchError;
use crate::clock::{self, UnixTime};
use crate::error;
use crate::fault::debug_is_text;

/// The state of one issuer's keys.
///
/// Serializes as an object with `issuer`, `keys` (their number) and `state` (`fresh`,
/// `stale` or `empty`); if they apply, `age_seconds`, `deadline` (RFC 3339) and
/// `last_error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IssuerHealth {
    /// The issuer, as configured.
    pub issuer: String,
    /// How many keys can verify now.
    pub keys: usize,
    /// How far they can be relied on.
    #[serde(flatten)]
    pub state: KeysState,
}

/// The keys of an issuer could not be fetched.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of {issuer} could not be fetched")]
#[non_exhaustive]
pub struct KeysError {
    /// The issuer, as configured.
    pub issuer: String,
    /// Why not.
    pub source: FetchError,
}

debug_is_text!(KeysError);

/// How far an issuer's keys can be relied on.
///
/// Serializes as an object with the name in `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeysState {
    /// Fetched within the refresh interval, or given in code.
    Fresh,
    /// Refreshes are failing. The last good keys still verify, until the deadline; keys
    /// that the issuer has added since are unknown.
    #[non_exhaustive]
    Stale {
        /// The time since the keys were fetched.
        #[serde(rename = "age_seconds", serialize_with = "clock::seconds")]
        age: Duration,
        /// When the keys will no longer be used.
        deadline: UnixTime,
        /// Why the last refresh failed.
        #[serde(
            serialize_with = "error::text",
            skip_serializing_if = "Option::is_none"
        )]
        last_error: Option<FetchError>,
    },
    /// There are no keys to verify with: none was fetched yet, or the last good ones are
    /// past their deadline. Requests wait for a fetch, and are answered 503 if it fails
    /// or takes too long.
    #[non_exhaustive]
    Empty {
        /// Why the last fetch failed, if there was one.
        #[serde(
            serialize_with = "error::text",
            skip_serializing_if = "Option::is_none"
        )]
        last_error: Option<FetchError>,
    },
}

impl KeysState {
    /// `fresh`, `stale` or `empty`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale { .. } => "stale",
            Self::Empty { .. } => "empty",
        }
    }

    pub(crate) const fn severity(&self) -> u8 {
        match self {
            Self::Fresh => 0,
            Self::Stale { .. } => 1,
            Self::Empty { .. } => 2,
        }
    }

    /// Why the last fetch failed, if that is why the keys are not fresh.
    pub const fn last_error(&self) -> Option<&FetchError> {
        match self {
            Self::Fresh => None,
            Self::Stale { last_error, .. } | Self::Empty { last_error } => last_error.as_ref(),
        }
    }
}
