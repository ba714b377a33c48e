//! Credentials as GO issues them: for 180 days, and for 7 more beside their successor.

use std::mem;
use std::time::Duration;

use derbysoft_go_auth::clock::UnixTime;
use http::HeaderMap;
use http::header::AUTHORIZATION;

const DAY: u64 = 24 * 60 * 60;
const LIFETIME: Duration = Duration::from_secs(180 * DAY);
const OVERLAP: Duration = Duration::from_secs(7 * DAY);

/// The current credential and the previous one.
#[derive(Debug)]
pub(crate) struct Issue<T> {
    pub(crate) current: Dated<T>,
    pub(crate) previous: Option<Dated<T>>,
}

/// A credential with its days.
#[derive(Debug)]
pub(crate) struct Dated<T> {
    pub(crate) credential: T,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
}

impl<T> Issue<T> {
    pub(crate) fn new(credential: T, now: UnixTime) -> Self {
        let current = Dated {
            credential,
            issued_at: now,
            expires_at: now.saturating_add(LIFETIME),
        };
        Self {
            current,
            previous: None,
        }
    }

    /// The previous one stays valid for 7 more days, or until it expires.
    pub(crate) fn rotate(&mut self, next: T, now: UnixTime) -> &T {
        let mut before = mem::replace(self, Self::new(next, now)).current;
        // A file of both could not tell which is current if they had one time, which a
        // clock of milliseconds may give twice.
        let after = (before.issued_at).saturating_add(Duration::from_nanos(1));
        self.current.issued_at = now.max(after);
        before.expires_at = before.expires_at.min(now.saturating_add(OVERLAP));
        self.previous = Some(before);
        &self.current.credential
    }

    /// The previous one becomes invalid at once.
    pub(crate) fn revoke(&mut self, next: T, now: UnixTime) -> &T {
        *self = Self::new(next, now);
        &self.current.credential
    }

    pub(crate) fn accepts(&self, is_it: impl Fn(&T) -> bool, now: UnixTime) -> bool {
        let mut both = std::iter::once(&self.current).chain(&self.previous);
        both.any(|it| is_it(&it.credential) && now < it.expires_at)
    }
}

/// The token in `Authorization`, in either of GO's forms.
pub(crate) fn credential(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value,
    };
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_lives_180_days_and_7_after_rotation() {
        let day = |day: u64| UnixTime::from_secs(1_700_000_000 + day * DAY);
        let mut issue = Issue::new('a', day(0));
        let accepts =
            |issue: &Issue<char>, credential, at| issue.accepts(|it| *it == credential, day(at));
        assert!(accepts(&issue, 'a', 179) && !accepts(&issue, 'a', 180));
        issue.rotate('b', day(100));
        assert!(accepts(&issue, 'a', 106) && !accepts(&issue, 'a', 107));
        assert!(accepts(&issue, 'b', 279) && !accepts(&issue, 'b', 280));
        issue.rotate('c', day(275));
        assert!(accepts(&issue, 'b', 279) && !accepts(&issue, 'b', 280));
        let previous = issue.previous.as_ref().expect("one before");
        assert_eq!((previous.credential, previous.expires_at), ('b', day(280)));
        assert_eq!(
            (previous.issued_at, issue.current.issued_at),
            (day(100), day(275))
        );
        issue.rotate('e', day(275));
        let previous = issue.previous.as_ref().expect("one before");
        assert!(previous.issued_at < issue.current.issued_at, "one moment");
        issue.revoke('d', day(276));
        assert!(issue.previous.is_none());
        assert!(!accepts(&issue, 'e', 276) && accepts(&issue, 'd', 276));
    }
}
