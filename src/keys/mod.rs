//! Key sets: where an issuer's keys come from, and whether they may still be used.
//!
//! Requests see an immutable snapshot behind an `arc-swap`: a token whose key is known
//! takes no lock and is never delayed. Everything slow (fetching, retrying, expiring)
//! happens in one task per issuer that belongs to no request: cancelling a request
//! cancels a wait, never a fetch. Since one task does all the fetching, one fetch at a
//! time, a late answer cannot replace a newer one.

mod fetch;
mod file;
mod freshness;
mod health;
#[cfg(shuttle)]
mod models;
mod refresher;
mod remote;
mod snapshot;
mod source;
#[cfg(shuttle)]
pub(crate) mod staged;

use std::sync::Arc;
use std::sync::atomic::{self, Ordering};
use std::time::Duration;

use arc_swap::Guard;

use crate::clock::{Clock, UnixTime};
use crate::net::client::LazyClient;
#[cfg(feature = "metrics")]
use crate::observe;
use crate::sync::{ArcSwap, AtomicU64};

pub use self::fetch::FetchError;
#[cfg(fuzzing)]
pub(crate) use self::fetch::discovered;
pub(crate) use self::fetch::{Document, Mode, Watch};
pub(crate) use self::file::KeyFile;
#[cfg(test)]
pub(crate) use self::file::simulated;
pub(crate) use self::freshness::Schedule;
pub(crate) use self::freshness::plan;
pub use self::health::{IssuerHealth, KeysError, KeysState};
use self::refresher::Shared;
use self::remote::Remote;
pub(crate) use self::remote::{Demand, Pending};
pub(crate) use self::snapshot::SnapshotFile;
pub(crate) use self::source::Place;
use self::source::Source;
pub use crate::jwt::jwks::{KeySet, KeySetError, MAX_KEYS, SkipReason, SkippedKey};

/// A key set and when its use ends.
#[derive(Debug)]
pub(crate) struct Published {
    /// Of all sets ever published in this process, only this one has it.
    number: u64,
    keys: KeySet,
    /// What is left of them past the deadline: the names of those that are distrusted.
    expired: KeySet,
    /// The wall-clock time from which the keys must not be used.
    deadline: UnixTime,
    /// The wall-clock time by which newer keys should have arrived.
    stale_from: UnixTime,
}

impl Published {
    fn new(keys: KeySet, deadline: UnixTime, stale_from: UnixTime) -> Self {
        static PUBLISHED: atomic::AtomicU64 = atomic::AtomicU64::new(0);
        Self {
            number: PUBLISHED.fetch_add(1, Ordering::Relaxed),
            expired: keys.emptied(),
            keys,
            deadline,
            stale_from,
        }
    }

    fn fixed(keys: KeySet) -> Self {
        Self::new(keys, UnixTime::MAX, UnixTime::MAX)
    }

    fn empty(distrusted: &Arc<[Box<str>]>) -> Self {
        Self::fixed(KeySet::default().distrusting(distrusted))
    }

    /// By which a verdict remembers what it was judged by.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether this is the set with the number, and may be used at `now`.
    pub(crate) fn is(&self, number: u64, now: UnixTime) -> bool {
        self.number == number && now < self.deadline
    }

    /// Whether no key would verify anything at any time.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn is_stale(&self, now: UnixTime) -> bool {
        now >= self.stale_from
    }

    /// The keys that may be used at `now`; none past the deadline.
    pub(crate) fn keys(&self, now: UnixTime) -> &KeySet {
        if now < self.deadline {
            &self.keys
        } else {
            &self.expired
        }
    }
}

/// Keys that are given in code, or fetched and refreshed; a file is fetched from, too.
#[derive(Debug)]
pub(crate) struct KeySource {
    current: Arc<ArcSwap<Published>>,
    /// All keys that were given in code.
    given: KeySet,
    remote: Option<Remote>,
    /// The second in which a request last saw to an overdue refresh.
    caught_up: AtomicU64,
}

impl KeySource {
    /// Keys that never change, except that they may be distrusted.
    pub(crate) fn fixed(keys: KeySet, distrusted: &Arc<[Box<str>]>) -> Self {
        let published = Published::fixed(keys.distrusting(distrusted));
        Self {
            current: Arc::new(ArcSwap::from_pointee(published)),
            given: keys,
            remote: None,
            caught_up: AtomicU64::new(0),
        }
    }

    /// Keys at an address or in a file. Nothing is fetched or read before the first use.
    pub(crate) fn remote(
        issuer: &str,
        place: Place,
        snapshot: Option<SnapshotFile>,
        schedule: Schedule,
        client: LazyClient,
        clock: Arc<dyn Clock>,
        distrusted: Arc<[Box<str>]>,
    ) -> Self {
        let schedule = place.schedule(schedule);
        let trust = client.trust();
        let snapshot = snapshot.map(|file| SnapshotFile { trust, ..file });
        let source = place.source(client);
        Self::refreshed(issuer, source, snapshot, schedule, clock, distrusted)
    }

    fn refreshed(
        issuer: &str,
        source: Source,
        snapshot: Option<SnapshotFile>,
        schedule: Schedule,
        clock: Arc<dyn Clock>,
        distrusted: Arc<[Box<str>]>,
    ) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(Published::empty(&distrusted)));
        let remote = Remote::new(Shared::new(
            issuer.into(),
            source,
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
            caught_up: AtomicU64::new(0),
        }
    }

    /// The keys available at `now`.
    pub(crate) fn load(&self, now: UnixTime) -> Guard<Arc<Published>> {
        let published = self.current.load();
        if let Some(remote) = &self.remote {
            if published.is_stale(now) {
                self.catch_up(remote, now);
            } else {
                remote.keep_running();
            }
        }
        published
    }

    /// Has an overdue refresh begin, at most once a second: while a machine is suspended,
    /// timers stand still.
    #[cold]
    fn catch_up(&self, remote: &Remote, now: UnixTime) {
        if self.caught_up.swap(now.as_secs(), Ordering::Relaxed) != now.as_secs() {
            remote.catch_up(now);
        }
    }

    /// From now on the keys with these ids verify nothing, whoever publishes them.
    pub(crate) fn distrust(&self, kids: Arc<[Box<str>]>) {
        if let Some(remote) = &self.remote {
            remote.distrust(kids);
        } else {
            let published = Published::fixed(self.given.distrusting(&kids));
            self.current.store(Arc::new(published));
        }
    }

    /// Takes over what `predecessor` has fetched, if it has the same issuer and key
    /// address or file.
    pub(crate) fn take_over(&self, predecessor: &Self) {
        if let (Some(remote), Some(predecessor)) = (&self.remote, &predecessor.remote) {
            remote.take_over(predecessor);
        }
    }

    /// What a request can expect if its key is not in the set `seen`.
    pub(crate) fn demand(&self, seen: &Arc<Published>, now: UnixTime) -> Demand {
        match &self.remote {
            Some(remote) => remote.demand(seen, now),
            None => Demand::Never,
        }
    }

    /// When, by the wall clock as of `now`, keys were last looked for; `None` if they are
    /// not the set `seen` any more.
    pub(crate) fn looked_at(&self, seen: &Arc<Published>, now: UnixTime) -> Option<UnixTime> {
        match &self.remote {
            Some(remote) => remote.looked_at(seen, now),
            None => Some(UnixTime::MAX),
        }
    }

    /// If the issuer's current keys are unavailable, for how long at least.
    pub(crate) fn outage(&self) -> Option<Duration> {
        self.remote.as_ref().and_then(Remote::outage)
    }

    /// Starts a fetch now, regardless of the cooldown; `None` for fixed keys.
    pub(crate) fn refresh(&self) -> Option<Pending<'_>> {
        self.remote.as_ref().map(Remote::refresh)
    }

    /// Fetches keys if there are none to verify with.
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

    /// Updates the metrics of this issuer's keys. Fetches none.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distrusted_key_stays_distrusted_past_the_deadline() {
        let distrusted: Arc<[Box<str>]> = Arc::new(["1".into()]);
        let keys = KeySet::default().distrusting(&distrusted);
        let deadline = UnixTime::from_secs(10);
        let published = Published::new(keys, deadline, UnixTime::EPOCH);
        for now in [UnixTime::from_secs(9), deadline] {
            assert!(published.keys(now).distrusts("1"), "{now}");
        }
    }

    #[test]
    fn a_set_is_known_by_its_number_until_its_deadline() {
        let at = UnixTime::from_secs;
        let [one, other] = [(); 2].map(|()| Published::new(KeySet::default(), at(9), at(5)));
        assert!(one.is(one.number(), at(8)) && other.is(other.number(), at(8)));
        assert!(!one.is(other.number(), at(8)) && !other.is(one.number(), at(8)));
        assert!(!one.is(one.number(), at(9)));
        assert!(!one.is_stale(UnixTime::EPOCH) && one.is_stale(at(5)));
    }
}
