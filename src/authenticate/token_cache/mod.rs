//! Tokens that were verified before, found by their exact bytes.
//!
//! A hit saves parsing and the signature check, never the checks of time and key, which
//! the verifier repeats each time. The cache belongs to one verifier and one policy. Only
//! accepted tokens are stored, and only at *second sight*: an insert costs a good part of
//! a signature check, so a stream of tokens that never repeat must not pay for it.
//!
//! `moka` stores the tokens and decides which to evict. Learning from each lookup costs
//! it more than everything else a request does, so two small lock-free tables stand in
//! front: one knows which tokens were never stored, and one holds the frequent tokens,
//! such as the one that GO sends for its five minutes. `docs/evidence/performance.md` has
//! the figures.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use foldhash::quality::RandomState;
use moka::sync::Cache;

use crate::authenticate::Verified;
use crate::jwt::claims::Claims;

/// Slots for tokens seen once: 32 KiB. GO's tokens live five minutes; a token is
/// remembered until another with the same slot is seen.
const SIGHTS: usize = 4096;

/// Bits for tokens that were stored: 8 KiB.
const KEPT: usize = 1 << 16;

/// Slots for frequent tokens: GO uses a few at once.
const FREQUENT: usize = 32;

/// The largest entry that may be a frequent one, in bytes: a token of 8 KiB and its
/// claims. `moka` may have evicted what is stored here, so it counts towards the limit,
/// all slots as if they were full.
const FREQUENT_BYTES: u64 = 16 * 1024;

/// Every so many hits a token becomes a frequent one, so that many tokens taking turns do
/// not pay for taking each other's slot.
const FREQUENT_AFTER: u8 = 64;

/// What an entry costs beyond its bytes, as counted by `benches/memory.rs` with 40,000 of
/// them: `moka`'s own records, and the `Verified` without its payload.
const ENTRY_OVERHEAD: usize = 540;

/// One in so many bytes of the limit is left free: for tables, and for the records of
/// some 300 bytes that `moka` has yet to free. They pile up where a thread is suspended
/// during a lookup; 5,000 were seen on a machine with more work than processors.
const FREED_LATE: u64 = 16;

pub(crate) struct TokenCache {
    /// Keyed by the token's hash; [`Entry`] knows whether it is the same token.
    verified: Cache<u64, Arc<Place>, RandomState>,
    /// Hashes of tokens seen once.
    sights: Box<[AtomicU64]>,
    /// A bit for the hash of each token that was ever stored. Tens of thousands of
    /// different tokens would set them all; then `moka` is asked for each again.
    kept: Box<[AtomicU64]>,
    frequent: Box<[ArcSwapOption<Entry>]>,
    hash: TailHash,
}

/// Holds an entry as long as `moka` keeps it. `moka` frees what it evicts some time
/// later, when no thread can still be reading it; by then hundreds may have accumulated.
/// So each place is emptied at once, and the limit holds.
struct Place(ArcSwapOption<Entry>);

struct Entry {
    token: Box<[u8]>,
    verified: Verified,
}

impl Entry {
    /// Its size in bytes.
    fn weight(&self) -> u64 {
        let claims = self.verified.claims().map_or(0, Claims::held_bytes);
        (self.token.len() + claims + ENTRY_OVERHEAD) as u64
    }
}

/// A cache whose entries weigh at most `max_bytes` together.
fn cache(max_bytes: u64) -> Cache<u64, Arc<Place>, RandomState> {
    Cache::builder()
        .max_capacity(max_bytes)
        .weigher(|_, place: &Arc<Place>| {
            let weight = place.0.load().as_ref().map_or(0, |entry| entry.weight());
            u32::try_from(weight).unwrap_or(u32::MAX)
        })
        .eviction_listener(|_, place, _| place.0.store(None))
        .build_with_hasher(RandomState::default())
}

impl TokenCache {
    /// A cache of at most `max_bytes`; `None` for 0.
    pub(crate) fn new(max_bytes: u64) -> Option<Self> {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        (max_bytes > 0).then(|| {
            let all_frequent = FREQUENT as u64 * FREQUENT_BYTES;
            let shared = max_bytes - max_bytes / FREED_LATE;
            let (frequent, rest) = if max_bytes < 2 * all_frequent {
                (0, shared)
            } else {
                (FREQUENT, shared - all_frequent)
            };
            Self {
                verified: cache(rest),
                sights: zeros(SIGHTS),
                kept: zeros(KEPT / 64),
                frequent: (0..frequent).map(|_| ArcSwapOption::empty()).collect(),
                hash: TailHash::default(),
            }
        })
    }

    pub(crate) fn get(&self, token: &[u8]) -> Option<Verified> {
        let hash = self.hash.hash_one(token);
        let (word, bit) = self.kept_bit(hash);
        if word.load(Ordering::Relaxed) & bit == 0 {
            return None;
        }
        let frequent = self.frequent(hash);
        if let Some(slot) = frequent
            && let Some(entry) = &*slot.load()
            && *entry.token == *token
        {
            return Some(entry.verified.clone());
        }
        let place = self.verified.get(&hash)?;
        let entry = place.0.load();
        let entry = (entry.as_ref()).filter(|entry| *entry.token == *token)?;
        if let Some(slot) = frequent
            && entry.weight() <= FREQUENT_BYTES
            && fastrand::u8(..FREQUENT_AFTER) == 0
        {
            slot.store(Some(Arc::clone(entry)));
        }
        Some(entry.verified.clone())
    }

    /// Stores a token that was just verified if it was seen before; returns whether it
    /// did.
    pub(crate) fn insert(&self, token: &[u8], verified: &Verified) -> bool {
        let hash = self.hash.hash_one(token);
        if !self.seen_before(hash) {
            return false;
        }
        let entry = Entry {
            token: token.into(),
            verified: verified.clone(),
        };
        let place = Place(ArcSwapOption::from_pointee(entry));
        self.verified.insert(hash, Arc::new(place));
        // Otherwise `moka` waits until there is more to do, and exceeds its limit till
        // then.
        self.verified.run_pending_tasks();
        let (word, bit) = self.kept_bit(hash);
        word.fetch_or(bit, Ordering::Relaxed);
        true
    }

    /// The tokens' size as counted towards the limit, without the slots.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))]
    pub(crate) fn bytes(&self) -> u64 {
        self.verified.weighted_size()
    }

    pub(crate) fn remove(&self, token: &[u8]) {
        let hash = self.hash.hash_one(token);
        if let Some(slot) = self.frequent(hash)
            && (slot.load().as_ref()).is_some_and(|entry| *entry.token == *token)
        {
            slot.store(None);
        }
        self.verified.invalidate(&hash);
        self.verified.run_pending_tasks();
    }

    /// Whether the last token of its slot had this hash.
    fn seen_before(&self, hash: u64) -> bool {
        let slot = at(hash, SIGHTS);
        self.sights[slot].swap(hash, Ordering::Relaxed) == hash
    }

    fn frequent(&self, hash: u64) -> Option<&ArcSwapOption<Entry>> {
        self.frequent.get(at(hash, FREQUENT))
    }

    fn kept_bit(&self, hash: u64) -> (&AtomicU64, u64) {
        let at = at(hash, KEPT);
        (&self.kept[at / 64], 1 << (at % 64))
    }
}

/// A place among `places`, chosen by the upper half of a hash.
fn at(hash: u64, places: usize) -> usize {
    usize::try_from(hash >> 32).unwrap_or(0) % places
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache")
            .field("entries", &self.verified.entry_count())
            .finish_non_exhaustive()
    }
}

/// Hashes only the last bytes of a token: its signature, which no two accepted tokens
/// share. Entries are compared by all their bytes, so a token made to collide costs its
/// sender one comparison and finds nothing.
///
/// Uses `foldhash`: a hit in `moka` took 269 ns with it and 298 with the standard
/// library's default, interleaved in one run.
#[derive(Debug, Clone, Default)]
struct TailHash(RandomState);

impl BuildHasher for TailHash {
    type Hasher = TailHasher<<RandomState as BuildHasher>::Hasher>;

    fn build_hasher(&self) -> Self::Hasher {
        TailHasher(self.0.build_hasher())
    }
}

struct TailHasher<H>(H);

impl<H: Hasher> Hasher for TailHasher<H> {
    fn write(&mut self, bytes: &[u8]) {
        // 96 bits of the signature.
        const TAIL: usize = 16;
        self.0.write(&bytes[bytes.len().saturating_sub(TAIL)..]);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests;
