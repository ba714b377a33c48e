//! Where an issuer's keys come from: an address, or a file.

use std::time::Duration;

use super::fetch::{Document, Failed, Fetched, Fetcher, Mode, Watch};
use super::file::KeyFile;
use super::freshness::Schedule;
#[cfg(shuttle)]
use super::staged::Staged;
use crate::clock::Clock;
use crate::file::watched::{INTERVAL, READ_WAIT};
use crate::net::bounded_http::{FetchSettings, without_query};
use crate::net::client::{Clients, LazyClient};
use crate::net::retry::ahead_of;

/// The minimum time between two reads of a file that requests cause: shorter than between
/// two fetches, since a read costs nobody else anything; longer than a request waits by
/// default, so that a stranger's token is answered after one.
const FILE_COOLDOWN: Duration = Duration::from_secs(3);

/// The place of an issuer's keys, by the settings.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Address(FetchSettings),
    File(KeyFile),
}

/// A place, ready to be fetched from.
#[derive(Debug)]
pub(crate) enum Source {
    Address(Box<Fetcher>),
    File(KeyFile),
    #[cfg(shuttle)]
    Staged(std::sync::Arc<Staged>),
}

impl Place {
    /// Its address or path.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Address(settings) => settings.address.to_string(),
            Self::File(file) => file.path().to_string_lossy().into_owned(),
        }
    }

    /// The same for the log: the query of an address may hold a secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Address(settings) => without_query(&settings.address).into(),
            Self::File(_) => self.name(),
        }
    }

    /// What fetches from it: a custom client is made at once. A file needs none.
    ///
    /// # Errors
    /// If the client can't be set up.
    pub(crate) fn client(&self, clients: &Clients) -> Result<LazyClient, String> {
        match self {
            Self::Address(settings) => LazyClient::checked(clients, settings),
            Self::File(_) => Ok(LazyClient::default()),
        }
    }

    pub(crate) fn source(self, client: LazyClient) -> Source {
        match self {
            Self::Address(settings) => Source::Address(Box::new(Fetcher::new(settings, client))),
            Self::File(file) => Source::File(file),
        }
    }

    /// When to fetch from it. A file is checked as often as that of Access Tokens, and
    /// hardly less often after failures, so that a change always counts within the
    /// interval and the time that a read may take.
    pub(crate) fn schedule(&self, configured: Schedule) -> Schedule {
        match self {
            Self::Address(_) => configured,
            Self::File(_) => {
                let interval = INTERVAL.min(configured.max_stale);
                Schedule {
                    interval,
                    cooldown: FILE_COOLDOWN.min(configured.cooldown),
                    longest_retry: ahead_of(interval, 1.0),
                    ..configured
                }
            }
        }
    }
}

impl Source {
    /// The longest time that a fetch takes.
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Self::Address(fetcher) => fetcher.timeout(),
            Self::File(_) => READ_WAIT,
            #[cfg(shuttle)]
            Self::Staged(_) => Staged::TIMEOUT,
        }
    }

    /// How long keys may be used after the last attempt to fetch them, if that is limited: a
    /// file counts within 15 s, also where nobody was there to watch it (a handle that was
    /// not used yet, a runtime that ended, a suspended machine).
    pub(super) fn unattended(&self) -> Option<Duration> {
        match self {
            Self::Address(_) => None,
            Self::File(_) => Some(INTERVAL + READ_WAIT),
            #[cfg(shuttle)]
            Self::Staged(_) => None,
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Whether keys that came from the other may be used as those of this one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(ours), Self::Address(theirs)) => ours.is_same(theirs),
            (Self::File(ours), Self::File(theirs)) => ours.is_same(theirs),
            #[cfg(shuttle)]
            (Self::Staged(ours), Self::Staged(theirs)) => std::sync::Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }

    /// Fetches the document; in [`Mode::Conditional`], and from a file, only if it differs
    /// from `held`. `watch` observes it. An address is given up by this clock, a hanging
    /// disk in real time.
    pub(crate) async fn fetch(
        &self,
        clock: &dyn Clock,
        held: &Document,
        mode: Mode,
        watch: &mut impl Watch,
    ) -> Result<Fetched, Failed> {
        match self {
            Self::Address(fetcher) => fetcher.fetch(clock, held, mode, watch).await,
            Self::File(file) => file.fetch(held, watch).await,
            #[cfg(shuttle)]
            Self::Staged(staged) => staged.fetch(clock, held, mode).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::guarded_file::Writable;

    #[test]
    fn a_file_is_checked_in_time_whatever_the_settings() {
        let secs = Duration::from_secs;
        let place = Place::File(KeyFile::new("/keys.json".into(), 1024, Writable::Refused));
        for (max_stale, interval, retry) in
            [(86_400, 10_000, 9000), (10, 10_000, 9000), (1, 1000, 900)]
        {
            let schedule = place.schedule(Schedule {
                interval: secs(1),
                cooldown: secs(600),
                max_stale: secs(max_stale),
                longest_retry: secs(60),
            });
            assert_eq!(schedule.interval.as_millis(), interval);
            assert_eq!(schedule.longest_retry.as_millis(), retry);
            assert_eq!(schedule.cooldown, secs(3));
            assert_eq!(schedule.max_stale, secs(max_stale));
            // The contract's bound.
            assert!(schedule.longest_retry + READ_WAIT <= secs(15));
        }
    }

    #[test]
    fn a_place_is_shown_without_its_query() {
        let second = Duration::from_secs(1);
        let place = Place::Address(FetchSettings {
            address: "https://id.example/keys?secret"
                .parse()
                .expect("an address"),
            connect_timeout: second,
            timeout: second,
            max_bytes: 1024,
        });
        assert_eq!(place.shown(), "https://id.example/keys");
        let file = KeyFile::new("/keys.json".into(), 1024, Writable::Refused);
        assert_eq!(Place::File(file).shown(), "/keys.json");
    }

    #[test]
    fn a_file_is_the_same_as_read_from_the_same_path() {
        let source = |path: &str| {
            let file = KeyFile::new(path.into(), 1024, Writable::Refused);
            Place::File(file).source(LazyClient::default())
        };
        assert!(source("/a").is_same(&source("/a")));
        assert!(!source("/a").is_same(&source("/b")));
        // What was read last serves for the contract's bound if nothing reads it any more.
        assert_eq!(source("/a").unattended(), Some(Duration::from_secs(15)));
    }
}
