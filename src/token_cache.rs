//! Tokens that were verified already, by their exact bytes.
//!
//! A hit saves the signature and the parsing; it never saves the checks of time
//! and key, which the verifier repeats each time. The cache belongs to one
//! verifier and one policy. Only accepted tokens go in, and only at *second
//! sight*: an insert costs a good part of a signature check, so a stream of
//! tokens that never repeat must not pay for it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use crate::verifier::Verified;

/// Slots for tokens seen once: 32 KiB. GO's tokens live five minutes; a token
/// is remembered until another of its slot is seen.
const SIGHTS: usize = 4096;

/// What an entry costs beside its bytes, roughly: `moka`'s own records, and the
/// `Verified` without its payload.
const ENTRY_OVERHEAD: usize = 600;

/// See the module.
pub(crate) struct TokenCache {
    verified: Cache<Arc<str>, Verified, TailHash>,
    sights: Box<[AtomicU64]>,
    hash: TailHash,
}

impl TokenCache {
    /// A cache of at most `max_bytes`; `None` for 0.
    pub(crate) fn new(max_bytes: u64) -> Option<Self> {
        (max_bytes > 0).then(|| {
            let hash = TailHash::default();
            Self {
                verified: Cache::builder()
                    .max_capacity(max_bytes)
                    .weigher(|token: &Arc<str>, verified: &Verified| {
                        let bytes =
                            token.len() + verified.claims().as_json().len() + ENTRY_OVERHEAD;
                        u32::try_from(bytes).unwrap_or(u32::MAX)
                    })
                    .build_with_hasher(hash.clone()),
                sights: (0..SIGHTS).map(|_| AtomicU64::new(0)).collect(),
                hash,
            }
        })
    }

    pub(crate) fn get(&self, token: &str) -> Option<Verified> {
        self.verified.get(token)
    }

    /// Remembers a token that was just verified, if it was before.
    pub(crate) fn insert(&self, token: &str, verified: &Verified) {
        if self.seen_before(token) {
            self.verified.insert(token.into(), verified.clone());
        }
    }

    pub(crate) fn remove(&self, token: &str) {
        self.verified.invalidate(token);
    }

    /// Whether this token, or one of the same hash, was the last of its slot.
    fn seen_before(&self, token: &str) -> bool {
        let hash = self.hash.hash_one(token);
        let slot = usize::try_from(hash >> 32).unwrap_or(0) % SIGHTS;
        self.sights[slot].swap(hash, Ordering::Relaxed) == hash
    }
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
