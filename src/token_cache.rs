//! Tokens that were verified already, by their exact bytes.
//!
//! A hit saves the signature and the parsing; it never saves the checks of time
//! and key, which the verifier repeats each time. The cache belongs to one
//! verifier and one policy. Only accepted tokens go in, and only at *second
//! sight*: an insert costs a good part of a signature check, so a stream of
//! tokens that never repeat must not pay for it.
//!
//! `moka` keeps the tokens and decides which to let go of. Before it stand two
//! small tables without locks, since what it does to learn from each question
//! costs more than all else on the way of a request: one that tells which tokens
//! it was never given, and one of tokens that come all the time, as GO's do while
//! it sends one for its five minutes. `docs/performance.md` has the figures.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use foldhash::quality::RandomState;
use moka::sync::Cache;

use crate::verifier::Verified;

/// Slots for tokens seen once: 32 KiB. GO's tokens live five minutes; a token
/// is remembered until another of its slot is seen.
const SIGHTS: usize = 4096;

/// Bits for tokens that were kept: 8 KiB.
const KEPT: usize = 1 << 16;

/// Slots for tokens that come all the time: GO uses a few at once.
const FREQUENT: usize = 32;

/// The largest entry that may be a frequent one, in bytes: that of a token of
/// 8 KiB and its claims. What is there may have been let go of by `moka`, and so
/// counts towards the limit, all slots as if they were full.
const FREQUENT_BYTES: u64 = 16 * 1024;

/// One in so many hits makes a token a frequent one, so that many tokens which
/// take turns do not pay for taking each other's slot.
const FREQUENT_AFTER: u8 = 64;

/// What an entry costs beside its bytes, as counted by `benches/memory.rs` with
/// 40,000 of them: `moka`'s own records, and the `Verified` without its payload.
const ENTRY_OVERHEAD: usize = 600;

/// See the module.
pub(crate) struct TokenCache {
    verified: Cache<Arc<[u8]>, Arc<Entry>, TailHash>,
    /// Hashes of tokens that were seen once.
    sights: Box<[AtomicU64]>,
    /// A bit for each hash of a token that was ever kept. Tens of thousands of
    /// different tokens would set them all; then `moka` is asked for each again.
    kept: Box<[AtomicU64]>,
    frequent: Box<[ArcSwapOption<Entry>]>,
    hash: TailHash,
}

struct Entry {
    token: Arc<[u8]>,
    verified: Verified,
}

impl Entry {
    fn weight(&self) -> u64 {
        let claims = self
            .verified
            .claims()
            .map_or(0, |claims| claims.as_json().len());
        (self.token.len() + claims + ENTRY_OVERHEAD) as u64
    }
}

impl TokenCache {
    /// A cache of at most `max_bytes`; `None` for 0.
    pub(crate) fn new(max_bytes: u64) -> Option<Self> {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        (max_bytes > 0).then(|| {
            let hash = TailHash::default();
            let all_frequent = FREQUENT as u64 * FREQUENT_BYTES;
            let (frequent, rest) = if max_bytes < 2 * all_frequent {
                (0, max_bytes)
            } else {
                (FREQUENT, max_bytes - all_frequent)
            };
            Self {
                verified: Cache::builder()
                    .max_capacity(rest)
                    .weigher(|_, entry: &Arc<Entry>| {
                        u32::try_from(entry.weight()).unwrap_or(u32::MAX)
                    })
                    .build_with_hasher(hash.clone()),
                sights: zeros(SIGHTS),
                kept: zeros(KEPT / 64),
                frequent: (0..frequent).map(|_| ArcSwapOption::empty()).collect(),
                hash,
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
        let entry = self.verified.get(token)?;
        if let Some(slot) = frequent
            && entry.weight() <= FREQUENT_BYTES
            && fastrand::u8(..FREQUENT_AFTER) == 0
        {
            slot.store(Some(Arc::clone(&entry)));
        }
        Some(entry.verified.clone())
    }

    /// Remembers a token that was just verified, if it was before; whether it does.
    pub(crate) fn insert(&self, token: &[u8], verified: &Verified) -> bool {
        let hash = self.hash.hash_one(token);
        if !self.seen_before(hash) {
            return false;
        }
        let token: Arc<[u8]> = token.into();
        let verified = verified.clone();
        let entry = Arc::new(Entry {
            token: Arc::clone(&token),
            verified,
        });
        self.verified.insert(token, entry);
        let (word, bit) = self.kept_bit(hash);
        word.fetch_or(bit, Ordering::Relaxed);
        true
    }

    /// What the tokens take, as counted towards the limit: without what `moka` has
    /// still to let go of and take in, unless it was [brought up to
    /// date](Self::settle), and without the slots.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))]
    pub(crate) fn bytes(&self) -> u64 {
        self.verified.weighted_size()
    }

    /// Does what `moka` has put off.
    #[cfg(feature = "metrics")]
    pub(crate) fn settle(&self) {
        self.verified.run_pending_tasks();
    }

    pub(crate) fn remove(&self, token: &[u8]) {
        if let Some(slot) = self.frequent(self.hash.hash_one(token))
            && (slot.load().as_ref()).is_some_and(|entry| *entry.token == *token)
        {
            slot.store(None);
        }
        self.verified.invalidate(token);
    }

    /// Whether a token of this hash was the last of its slot.
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

/// A place among `places`, by the upper half of a hash.
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

/// Hashes the last bytes of a token only: its signature, which no two accepted
/// tokens share. Entries are compared by all their bytes, so that a token made
/// to collide costs its sender one comparison and finds nothing.
///
/// By `foldhash`: a hit in `moka` took 269 ns with it where it took 298 with the
/// standard library's default, interleaved in one run.
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
