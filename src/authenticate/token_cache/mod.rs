//! Tokens that were verified before, found by their exact bytes.
//!
//! A hit saves parsing and the signature check, never the checks of time and key, which
//! are repeated each time. The cache belongs to one handle, whose policies never change.
//! Only accepted tokens are stored, and only at *second sight*: an insert costs a good
//! part of a signature check, so a stream of tokens that never repeat must not pay for
//! it.
//!
//! `moka` decides which tokens stay: by their size, and those used last, since a token
//! is worth nothing after its five minutes, however often it came. They are held and looked
//! up in a table beside it, for two reasons. A lookup in `moka` takes longer than everything
//! else that a known token costs: with it `verify_warm` was at 0.020 of a signature
//! check, with the table it is at 0.006 (`docs/evidence/performance.md`). And `moka` frees
//! what it evicts some time later, when no thread can still be reading it, by when
//! hundreds may have accumulated; the table drops it at once, so the limit holds.

use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use foldhash::quality::RandomState;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::authenticate::Verified;
use crate::jwt::claims::Claims;
use crate::sync::{ArcSwapOption, AtomicU64};

/// Entries of a set. With two hashes more, of tokens not stored, their hashes fill one cache
/// line.
const WAYS: usize = 6;

/// There is a set for so many bytes of the limit, which hold two or three of GO's tokens:
/// one set in forty would have to hold more than it can.
const SET_FOR: u64 = 4096;

/// At most so many sets, 8 MiB: they hold 390,000 tokens, whatever the limit.
const MOST_SETS: u64 = 1 << 16;

/// `moka` learns from one in so many hits.
const LEARN_FROM: u8 = 64;

/// What an entry costs beyond its bytes, as counted by `benches/memory.rs` with 40,000 of
/// them: `moka`'s own records, and the `Verified` without its payload.
const ENTRY_OVERHEAD: usize = 556;

/// One in so many bytes of the limit is left free for records of some 300 bytes that
/// `moka` has yet to free. They pile up where a thread is suspended during a lookup;
/// 5,000 were seen on a machine with more work than processors.
const FREED_LATE: u64 = 16;

pub(crate) struct TokenCache {
    /// What stays: by the hash of the token.
    kept: Cache<u64, Weak<Entry>>,
    /// Where a token is looked for: the set is chosen by the hash.
    table: Arc<[Set]>,
    hash: RandomState,
}

/// A hash only says where to look: an entry is compared by all its bytes. It may be
/// overwritten, or dropped, at any moment; then its token is verified again.
#[derive(Default)]
#[repr(C, align(128))]
struct Set {
    /// Of the tokens that were verified last: of two, so that two that take turns are both
    /// stored.
    sighted: [AtomicU64; 2],
    hashes: [AtomicU64; WAYS],
    entries: [ArcSwapOption<Entry>; WAYS],
}

impl Set {
    /// The place of a hash.
    fn way(&self, hash: u64) -> Option<usize> {
        (self.hashes.iter()).position(|other| other.load(Ordering::Relaxed) == hash)
    }
}

/// A verified token.
pub(crate) struct Entry {
    pub(crate) token: Box<[u8]>,
    pub(crate) verified: Verified,
    /// The place of its issuer among the trusted.
    pub(crate) issuer: usize,
    /// The [number](crate::keys::Published::number) of the key set that it was last
    /// judged by.
    pub(crate) judged_by: AtomicU64,
}

impl Entry {
    /// Its size in bytes.
    fn weight(&self) -> u32 {
        let claims = self.verified.claims().map_or(0, Claims::held_bytes);
        u32::try_from(self.token.len() + claims + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
    }
}

impl TokenCache {
    /// A cache of at most `max_bytes`; `None` if that is too little for any token.
    pub(crate) fn new(max_bytes: u64) -> Option<Self> {
        let sets = usize::try_from(max_bytes.div_ceil(SET_FOR).min(MOST_SETS)).ok()?;
        let beside = (sets * size_of::<Set>()) as u64 + max_bytes / FREED_LATE;
        let room = max_bytes.checked_sub(beside).filter(|room| *room > 0)?;
        let table: Arc<[Set]> = (0..sets).map(|_| Set::default()).collect();
        let evicted = Arc::clone(&table);
        let kept = Cache::builder()
            .max_capacity(room)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, entry: &Weak<Entry>| entry.upgrade().map_or(0, |entry| entry.weight()))
            .eviction_listener(move |hash, entry, _| {
                for place in &set(&evicted, *hash).entries {
                    place.compare_and_swap(entry.as_ptr(), None);
                }
            })
            .build();
        let hash = RandomState::default();
        Some(Self { kept, table, hash })
    }

    /// The verdict on a token that was stored, if `good` says that it still is one;
    /// otherwise the token is removed.
    pub(crate) fn get(&self, token: &[u8], good: impl FnOnce(&Entry) -> bool) -> Option<Verified> {
        let (hash, set) = self.find(token);
        let way = set.way(hash)?;
        let entry = set.entries[way].load();
        let entry = entry.as_ref().filter(|entry| *entry.token == *token)?;
        if !good(entry) {
            set.entries[way].compare_and_swap(entry, None);
            self.kept.invalidate(&hash);
            self.kept.run_pending_tasks();
            return None;
        }
        if fastrand::u8(..LEARN_FROM) == 0 {
            self.kept.get(&hash);
        }
        Some(entry.verified.clone())
    }

    /// Stores a token that was just verified if it was seen before; returns whether it
    /// did.
    pub(crate) fn insert(&self, token: &[u8], entry: impl FnOnce() -> Entry) -> bool {
        let (hash, set) = self.find(token);
        let [latest, before] = &set.sighted;
        let latest_hash = latest.swap(hash, Ordering::Relaxed);
        if latest_hash != hash && before.swap(latest_hash, Ordering::Relaxed) != hash {
            return false;
        }
        let entry = Arc::new(entry());
        let free = (set.entries.iter()).position(|place| place.load().is_none());
        // Only the first place of a hash is looked at, so it must not have two.
        let way = set
            .way(hash)
            .or(free)
            .unwrap_or_else(|| fastrand::usize(..WAYS));
        set.entries[way].store(Some(Arc::clone(&entry)));
        set.hashes[way].store(hash, Ordering::Relaxed);
        // Later, so that whatever the table holds is evicted some day.
        self.kept.insert(hash, Arc::downgrade(&entry));
        // Otherwise `moka` waits until there is more to do, and exceeds its limit till
        // then.
        self.kept.run_pending_tasks();
        true
    }

    /// The tokens' size as counted towards the limit.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))]
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.weighted_size()
    }

    /// The hash of a token's end, and the set for it. The end is 92 bits of the signature,
    /// which no two accepted tokens share: a token made to collide costs its sender one
    /// comparison and finds nothing.
    fn find(&self, token: &[u8]) -> (u64, &Set) {
        let hash = (self.hash).hash_one(&token[token.len().saturating_sub(16)..]);
        (hash, set(&self.table, hash))
    }
}

/// The hash is a fraction of all hashes, and its set the same of all sets.
fn set(table: &[Set], hash: u64) -> &Set {
    let at = (u128::from(hash) * table.len() as u128) >> 64;
    &table[usize::try_from(at).unwrap_or(0)]
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[cfg(shuttle)]
mod models;
#[cfg(test)]
mod tests;
