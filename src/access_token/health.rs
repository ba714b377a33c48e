//! What an operator should know about the access tokens.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::api::Api;
use super::fault::AccessTokensError;
use super::set::AccessTokens;
use crate::clock::UnixTime;

const DAY: u64 = 24 * 60 * 60;

/// The access tokens, as of one moment: when they expire, and how their file is.
///
/// Serializes as an object with `apis` and, where the tokens are in a file, `file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessTokensHealth {
    /// One entry for each API that there are tokens of.
    pub apis: Vec<AccessTokenHealth>,
    /// `None` where the tokens are given in code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<AccessTokensFileHealth>,
}

/// One API's access tokens.
///
/// Serializes as an object with `api`, `expires_at` (RFC 3339), `seconds_left` and
/// `days_left` (whole days, zero once it has expired), and, where there is a
/// previous token that is still accepted, `previous_accepted_until`, and where the
/// clock is too far behind the current token's issue, `accepted_from`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessTokenHealth {
    /// The API.
    pub api: Api,
    /// From when the current token is refused.
    pub expires_at: UnixTime,
    /// How long until then; zero once it has expired.
    pub left: Duration,
    /// From when the previous token is refused, if there is one that is not yet.
    pub previous_accepted_until: Option<UnixTime>,
    /// From when the current token is accepted, where its issue is dated more than 24 h
    /// ahead of the clock: until then it is refused, since its date or the clock is
    /// wrong.
    pub accepted_from: Option<UnixTime>,
}

/// The file that the access tokens are in.
///
/// Serializes as an object with `path` and, where they apply, `modified` (RFC 3339)
/// and `last_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessTokensFileHealth {
    /// The file, as configured.
    pub path: PathBuf,
    /// When the file was written that the tokens in use are of.
    pub modified: Option<UnixTime>,
    /// Why the file as it is now can't be used; the tokens that it had before are
    /// in use instead, but for those that it revokes.
    pub last_error: Option<AccessTokensError>,
}

impl AccessTokensHealth {
    pub(super) fn of(
        tokens: &AccessTokens,
        file: Option<AccessTokensFileHealth>,
        now: UnixTime,
    ) -> Self {
        let apis = tokens
            .current()
            .map(|current| AccessTokenHealth {
                api: current.api.clone(),
                expires_at: current.accepted_until,
                left: current.accepted_until.saturating_since(now),
                previous_accepted_until: (tokens.previous(&current.api))
                    .map(|previous| previous.accepted_until)
                    .filter(|until| now < *until),
                accepted_from: current.accepted_from(now),
            })
            .collect();
        Self { apis, file }
    }
}

impl AccessTokenHealth {
    /// Whether the current token is refused by now, and with it every token of
    /// this API.
    pub const fn is_expired(&self) -> bool {
        self.left.is_zero()
    }
}

impl Serialize for AccessTokenHealth {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("AccessTokenHealth", 6)?;
        let seconds = self.left.as_secs();
        object.serialize_field("api", &self.api)?;
        object.serialize_field("expires_at", &self.expires_at.to_string())?;
        object.serialize_field("seconds_left", &seconds)?;
        object.serialize_field("days_left", &(seconds / DAY))?;
        if let Some(until) = self.previous_accepted_until {
            object.serialize_field("previous_accepted_until", &until.to_string())?;
        }
        if let Some(from) = self.accepted_from {
            object.serialize_field("accepted_from", &from.to_string())?;
        }
        object.end()
    }
}

impl Serialize for AccessTokensFileHealth {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("AccessTokensFileHealth", 3)?;
        object.serialize_field("path", &self.path.display().to_string())?;
        if let Some(modified) = self.modified {
            object.serialize_field("modified", &modified.to_string())?;
        }
        if let Some(error) = &self.last_error {
            object.serialize_field("last_error", &error.to_string())?;
        }
        object.end()
    }
}
