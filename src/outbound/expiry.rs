//! Watches the end of a credential that GO issues for 180 days.

use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{self, UnixTime};
use crate::credential_lifetime::Reminders;
use crate::observe;
use crate::sync::Mutex;

/// How long a credential is valid.
///
/// Serializes as an object with `name` and, if the issue time is known, `expires_at`
/// (RFC 3339) and `seconds_left`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CredentialHealth {
    /// The endpoint's name; for a [`Gateway`](super::Gateway) `current` or `next`.
    pub name: String,
    /// Its end; `None` if its issue time is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixTime>,
    /// The time until then, zero past it.
    #[serde(
        rename = "seconds_left",
        serialize_with = "clock::seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub left: Option<Duration>,
}

impl CredentialHealth {
    pub(super) fn new(name: &str, expires_at: Option<UnixTime>, now: UnixTime) -> Self {
        Self {
            name: name.to_owned(),
            expires_at,
            left: expires_at.map(|end| end.saturating_since(now)),
        }
    }

    /// Whether it has expired, as far as known.
    pub fn is_expired(&self) -> bool {
        self.left.is_some_and(|left| left.is_zero())
    }
}

/// What was reported about a credential's end.
#[derive(Debug, Default)]
pub(super) struct Reported(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    reminders: Reminders,
    /// The end was known.
    was_known: bool,
}

impl Reported {
    /// Reports how long the credential of this name is valid, and the reminder that is
    /// due and was not reported. `end` is asked under a lock.
    pub(super) fn remind(&self, name: &str, now: UnixTime, end: impl FnOnce() -> Option<UnixTime>) {
        let (end, was_known, notice) = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let end = end();
            let was_known = std::mem::replace(&mut state.was_known, end.is_some());
            let notice = end.and_then(|end| state.reminders.due(end, now));
            (end, was_known, notice)
        };
        if was_known || end.is_some() {
            observe::credential_left(name, end.map(|end| end.saturating_since(now)));
        }
        if let Some(notice) = notice {
            observe::credential_expires(name, notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn health_shows_how_long_a_credential_is_valid() {
        let at = UnixTime::from_secs(1_703_559_790);
        let health = CredentialHealth::new("booking-usb", Some(at), at.saturating_sub(DAY));
        assert_eq!(
            serde_json::to_string(&health).unwrap(),
            r#"{"name":"booking-usb","expires_at":"2023-12-26T03:03:10Z","seconds_left":86400}"#
        );
        assert!(!health.is_expired());
        assert!(CredentialHealth::new("x", Some(at), at).is_expired());
        assert!(!CredentialHealth::new("x", None, at).is_expired());
    }
}
