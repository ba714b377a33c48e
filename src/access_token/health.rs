//! What operators monitor about the access tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::api::Api;
use super::fault::AccessTokensError;
use super::set::AccessTokens;
use crate::clock::UnixTime;
use crate::error;

const DAY: u64 = 24 * 60 * 60;

/// The access tokens at one moment: when they expire, and the state of their file.
///
/// Serializes as an object with `apis` and, if the tokens are in a file, `file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessTokensHealth {
    /// One entry for each API that has tokens.
    pub apis: Vec<AccessTokenHealth>,
    /// `None` if the tokens are given in code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<AccessTokensFileHealth>,
}

/// One API's access tokens.
///
/// Serializes as an object with `api`, `expires_at` (RFC 3339), `seconds_left` and
/// `days_left` (whole days, zero once it has expired); with `previous_accepted_until` if
/// a previous token is still accepted; and with `accepted_from` if the clock is too far
/// behind the current token's issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessTokenHealth {
    /// The API.
    pub api: Api,
    /// From when the current token is rejected.
    pub expires_at: UnixTime,
    /// The time until then; zero once it has expired.
    #[serde(flatten, serialize_with = "time_left")]
    pub left: Duration,
    /// From when the previous token is rejected, if there is one that is still accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_accepted_until: Option<UnixTime>,
    /// From when the current token is accepted, if its issue is dated more than 24 h
    /// ahead of the clock: until then it is rejected, since its date or the clock is
    /// wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_from: Option<UnixTime>,
}

/// The file with the access tokens.
///
/// Serializes as an object with `path` and, if they apply, `modified` (RFC 3339) and
/// `last_error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessTokensFileHealth {
    /// The file, as configured.
    #[serde(serialize_with = "displayed")]
    pub path: PathBuf,
    /// When the file was written that the tokens in use were read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<UnixTime>,
    /// Why the file can't be used in its present state; its earlier tokens stay in use,
    /// except those that it revokes.
    #[serde(
        serialize_with = "error::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_error: Option<AccessTokensError>,
}

fn time_left<S: Serializer>(left: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Left {
        seconds_left: u64,
        days_left: u64,
    }
    let seconds_left = left.as_secs();
    let days_left = seconds_left / DAY;
    (Left {
        seconds_left,
        days_left,
    })
    .serialize(serializer)
}

/// For paths of any bytes.
fn displayed<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
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
    /// Whether the current token has expired, and with it every token of this API.
    pub const fn is_expired(&self) -> bool {
        self.left.is_zero()
    }
}
