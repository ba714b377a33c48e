//! The end of a credential that GO issues for 180 days, seen coming.

use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::clock::UnixTime;
use crate::credential_lifetime::{self, Reminder};
use crate::observe;

/// How long a credential will do.
///
/// Serializes as an object with `name` and, where the issue time is known,
/// `expires_at` (RFC 3339) and `seconds_left`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialHealth {
    /// The endpoint's name; for a [`Gateway`](super::Gateway) `current` or `next`.
    pub name: String,
    /// Its end; `None` where nobody said when it was issued.
    pub expires_at: Option<UnixTime>,
    /// The time until then, zero past it.
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

    /// Whether its end has come, as far as that is known.
    pub fn is_expired(&self) -> bool {
        self.left.is_some_and(|left| left.is_zero())
    }
}

impl Serialize for CredentialHealth {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("CredentialHealth", 3)?;
        object.serialize_field("name", &self.name)?;
        if let Some((expires_at, left)) = self.expires_at.zip(self.left) {
            object.serialize_field("expires_at", &expires_at.to_string())?;
            object.serialize_field("seconds_left", &left.as_secs())?;
        }
        object.end()
    }
}

/// The end of what was issued then.
pub(super) fn end_of(issued_at: UnixTime) -> UnixTime {
    issued_at.saturating_add(credential_lifetime::LIFETIME)
}

/// What was last said of a credential's end.
#[derive(Debug, Default)]
pub(super) struct Told {
    of: Option<UnixTime>,
    reminder: Option<Reminder>,
    end: bool,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum Notice {
    Expires { at: UnixTime, left: Duration },
    Expired { at: UnixTime },
}

/// What there is to report of one credential, once nothing is locked any more.
#[derive(Debug)]
#[must_use]
pub(super) struct CredentialReport {
    /// Its end is known, or was.
    is_known: bool,
    left: Option<Duration>,
    notice: Option<Notice>,
}

impl CredentialReport {
    /// `name`: of the credential.
    pub(super) fn emit(self, name: &str) {
        if self.is_known {
            observe::credential_left(name, self.left);
        }
        match self.notice {
            Some(Notice::Expires { at, left }) => observe::credential_expires(name, at, left),
            Some(Notice::Expired { at }) => observe::credential_expired(name, at),
            None => {}
        }
    }
}

impl Told {
    /// What is to be said now, and then counts as said.
    pub(super) fn due(&mut self, expires_at: Option<UnixTime>, now: UnixTime) -> CredentialReport {
        CredentialReport {
            is_known: expires_at.or(self.of).is_some(),
            left: expires_at.map(|end| end.saturating_since(now)),
            notice: self.next(expires_at, now),
        }
    }

    fn next(&mut self, expires_at: Option<UnixTime>, now: UnixTime) -> Option<Notice> {
        if self.of != expires_at {
            *self = Self {
                of: expires_at,
                ..Self::default()
            };
        }
        let at = expires_at?;
        if now >= at {
            let said = std::mem::replace(&mut self.end, true);
            return (!said).then_some(Notice::Expired { at });
        }
        let due = credential_lifetime::due(at, now);
        if due <= self.reminder {
            return None;
        }
        self.reminder = due;
        let left = at.saturating_since(now);
        Some(Notice::Expires { at, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn each_notice_is_given_once_and_anew_for_another_credential() {
        let issued = UnixTime::from_secs(1_700_000_000);
        let at = end_of(issued);
        let mut told = Told::default();
        let mut said = Vec::new();
        for hours in 0..=181 * 24 {
            let now = issued.saturating_add(Duration::from_secs(hours * 3600));
            for _ in 0..2 {
                said.extend(told.next(Some(at), now));
            }
        }
        let expires = |days| Notice::Expires {
            at,
            left: DAY * days,
        };
        let mut expected: Vec<_> = [30, 20, 10, 3, 2, 1].map(expires).into();
        expected.push(Notice::Expired { at });
        assert_eq!(said, expected);

        let late = at.saturating_sub(DAY * 25);
        let another = end_of(issued.saturating_sub(DAY));
        assert!(told.next(Some(another), late).is_some());
        assert_eq!(told.next(Some(another), late), None);
        assert_eq!(told.next(None, at), None);
    }

    #[test]
    fn health_says_how_long_it_will_do() {
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
