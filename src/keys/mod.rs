//! Key sets: where an issuer's keys come from, and whether they may still be used.
//!
//! Requests see an immutable snapshot behind an `arc-swap`: a token whose key is known takes
//! no lock and waits for nothing. Everything slow (fetching, retrying, expiring) happens in
//! one task per issuer that belongs to no request: whoever cancels a request cancels a wait,
//! never a fetch. Since one task does all the fetching, one fetch at a time, a late answer
//! cannot replace a newer one.

mod fetch;
mod freshness;
mod health;
mod refresher;
mod remote;
mod snapshot;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::clock::{Clock, UnixTime};
#[cfg(feature = "metrics")]
use crate::observe;

pub use self::fetch::FetchError;
pub(crate) use self::fetch::FetchSettings;
#[cfg(fuzzing)]
pub(crate) use self::fetch::discovered;
pub(crate) use self::fetch::{Fetcher, Mode, Watch};
pub(crate) use self::freshness::Schedule;
pub(crate) use self::freshness::plan;
pub use self::health::{IssuerHealth, KeysError, KeysState};
use self::refresher::Shared;
use self::remote::Remote;
pub(crate) use self::remote::{Demand, Pending};
pub(crate) use self::snapshot::SnapshotFile;
pub use crate::jwt::jwks::{KeySet, KeySetError, MAX_KEYS, SkipReason, SkippedKey};

/// A key set and the end of its use.
#[derive(Debug)]
pub(crate) struct Published {
    keys: KeySet,
    /// The wall-clock time from which the keys must not be used.
    deadline: UnixTime,
    /// The wall-clock time by which newer ones should have come.
    stale_from: UnixTime,
}

impl Published {
    fn fixed(keys: KeySet) -> Self {
        Self {
            keys,
            deadline: UnixTime::MAX,
            stale_from: UnixTime::MAX,
        }
    }

    fn empty(distrusted: &Arc<[Box<str>]>) -> Self {
        Self::fixed(KeySet::default().distrusting(distrusted))
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
    current: Arc<ArcSwap<Published>>,
    /// All of those that were given.
    given: KeySet,
    remote: Option<Remote>,
}

impl KeySource {
    /// Keys that never change, but for those that are distrusted.
    pub(crate) fn fixed(keys: KeySet, distrusted: &Arc<[Box<str>]>) -> Self {
        let published = Published::fixed(keys.distrusting(distrusted));
        Self {
            current: Arc::new(ArcSwap::from_pointee(published)),
            given: keys,
            remote: None,
        }
    }

    /// Keys at an address. Nothing is fetched or read before somebody asks.
    pub(crate) fn remote(
        issuer: &str,
        fetch: FetchSettings,
        snapshot: Option<SnapshotFile>,
        schedule: Schedule,
        client: Option<reqwest::Client>,
        clock: Arc<dyn Clock>,
        distrusted: Arc<[Box<str>]>,
    ) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(Published::empty(&distrusted)));
        let remote = Remote::new(Shared::new(
            issuer.into(),
            fetch::Fetcher::new(fetch, client),
            snapshot,
            schedule,
            clock,
            Arc::clone(&current),
            distrusted,
        ));
        Self {
            current,
            given: KeySet::default(),
            remote: Some(remote),
        }
    }

    /// The keys at hand at `now`.
    pub(crate) fn load(&self, now: UnixTime) -> Guard<Arc<Published>> {
        let published = self.current.load();
        if let Some(remote) = &self.remote {
            if now < published.stale_from {
                remote.keep_running();
            } else {
                remote.keep_driven();
            }
        }
        published
    }

    /// From now on no key of these names verifies anything, whoever publishes it.
    pub(crate) fn distrust(&self, kids: Arc<[Box<str>]>) {
        if let Some(remote) = &self.remote {
            remote.distrust(kids);
        } else {
            let published = Published::fixed(self.given.distrusting(&kids));
            self.current.store(Arc::new(published));
        }
    }

    /// Goes on with what `predecessor` has fetched, where that is of the same issuer
    /// and key address.
    pub(crate) fn take_over(&self, predecessor: &Self) {
        if let (Some(remote), Some(predecessor)) = (&self.remote, &predecessor.remote) {
            remote.take_over(predecessor);
        }
    }

    /// What a request may hope for whose key is not in the set `seen`.
    pub(crate) fn demand(&self, seen: &Arc<Published>, now: UnixTime) -> Demand {
        match &self.remote {
            Some(remote) => remote.demand(seen, now),
            None => Demand::Never,
        }
    }

    /// When, by the wall clock as it is at `now`, keys were last looked for.
    pub(crate) fn looked_at(&self, now: UnixTime) -> UnixTime {
        (self.remote.as_ref()).map_or(UnixTime::MAX, |remote| remote.looked_at(now))
    }

    /// Whether the issuer's present keys are out of reach, and if so, for how
    /// long at least.
    pub(crate) fn outage(&self) -> Option<Duration> {
        self.remote.as_ref().and_then(Remote::outage)
    }

    /// Has a fetch started now, whatever the cooldown; `None` for fixed keys.
    pub(crate) fn refresh(&self) -> Option<Pending<'_>> {
        self.remote.as_ref().map(Remote::refresh)
    }

    /// Has keys fetched if there are none to verify with.
    pub(crate) fn ready(&self) -> Option<Pending<'_>> {
        self.remote.as_ref().and_then(Remote::ready)
    }

    /// How many keys can verify, and how far they can be relied on.
    pub(crate) fn state(&self) -> (usize, KeysState) {
        match &self.remote {
            Some(remote) => remote.state(),
            None => self.fixed_state(),
        }
    }

    fn fixed_state(&self) -> (usize, KeysState) {
        match self.current.load().keys.len() {
            0 => {
                let last_error = Some(FetchError::Distrusted);
                (0, KeysState::Empty { last_error })
            }
            keys => (keys, KeysState::Fresh),
        }
    }

    /// Has the metrics say how the keys of this issuer are now. Asks for none.
    #[cfg(feature = "metrics")]
    pub(crate) fn measure(&self, issuer: &str) {
        if let Some(remote) = &self.remote {
            remote.measure();
            return;
        }
        let (keys, state) = self.fixed_state();
        observe::key_set(issuer, keys, None, state.as_str());
    }
}
