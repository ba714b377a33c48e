//! Where an issuer's keys come from, and whether they may still be used.
//!
//! The request path sees an immutable snapshot behind an `arc-swap`: where the
//! `kid` is known it takes no lock and waits for nothing. Everything slow —
//! fetching, retrying, expiring — happens in one task per issuer, the *keeper*
//! ([`remote`]), which belongs to no request: whoever cancels a request cancels
//! a wait, never a fetch. Since one task does all the fetching, one at a time, a
//! late answer cannot replace a newer one.

mod fetch;
mod freshness;
mod health;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::clock::{Clock, UnixTime};
use crate::jwks::KeySet;

pub use self::fetch::FetchError;
pub(crate) use self::fetch::FetchSettings;
pub(crate) use self::freshness::Schedule;
pub use self::health::{Health, KeysState};
use self::remote::Remote;
pub(crate) use self::remote::{Demand, Ticket};

/// A key set and the end of its use.
#[derive(Debug)]
pub(crate) struct Snapshot {
    keys: KeySet,
    /// The wall-clock time from which the keys must not be used.
    deadline: UnixTime,
}

impl Snapshot {
    fn empty() -> Self {
        Self {
            keys: KeySet::default(),
            deadline: UnixTime::MAX,
        }
    }

    /// The keys that may be used at `now`; past the deadline, none.
    pub(crate) fn keys(&self, now: UnixTime) -> &KeySet {
        static NONE: std::sync::LazyLock<KeySet> = std::sync::LazyLock::new(KeySet::default);
        if now < self.deadline {
            &self.keys
        } else {
            &NONE
        }
    }
}

/// Keys that are given, or fetched and kept fresh.
#[derive(Debug)]
pub(crate) struct KeySource {
    current: Arc<ArcSwap<Snapshot>>,
    remote: Option<Remote>,
}

impl KeySource {
    /// Keys that never change.
    pub(crate) fn fixed(keys: KeySet) -> Self {
        let snapshot = Snapshot {
            keys,
            deadline: UnixTime::MAX,
        };
        Self {
            current: Arc::new(ArcSwap::from_pointee(snapshot)),
            remote: None,
        }
    }

    /// Keys at an address. Nothing is fetched before somebody asks.
    pub(crate) fn remote(
        issuer: &str,
        fetch: FetchSettings,
        schedule: Schedule,
        client: Option<reqwest::Client>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(Snapshot::empty()));
        let remote = Remote::new(
            issuer.into(),
            fetch::Fetcher::new(fetch, client),
            schedule,
            clock,
            Arc::clone(&current),
        );
        Self {
            current,
            remote: Some(remote),
        }
    }

    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        if let Some(remote) = &self.remote {
            remote.keep_running();
        }
        self.current.load()
    }

    /// What a request may hope for whose key is not in the set `seen`.
    pub(crate) fn demand(&self, seen: &Arc<Snapshot>) -> Demand {
        match &self.remote {
            Some(remote) => remote.demand(seen),
            None => Demand::CoolingDown,
        }
    }

    /// Whether the issuer's present keys are out of reach, and if so, for how
    /// long at least.
    pub(crate) fn outage(&self) -> Option<Duration> {
        self.remote.as_ref().and_then(Remote::outage)
    }

    /// Fetches now, whatever the cooldown; for fixed keys, does nothing.
    pub(crate) async fn refresh(&self) -> Result<(), FetchError> {
        match &self.remote {
            Some(remote) => remote.refresh().await,
            None => Ok(()),
        }
    }

    /// Makes sure that there are keys to verify with, fetching if there are none.
    pub(crate) async fn ready(&self) -> Result<(), FetchError> {
        match &self.remote {
            Some(remote) => remote.ready().await,
            None => Ok(()),
        }
    }

    pub(crate) fn state(&self) -> KeysState {
        match &self.remote {
            Some(remote) => remote.state(),
            None => KeysState::Fresh,
        }
    }
}
