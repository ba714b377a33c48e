//! The cache's memory, counted: it stays within its bound whatever is stored.
//!
//! All caches of a process together free what no thread can still be reading, so a test
//! that counts bytes has to run alone.
//!
//! ```text
//! cargo test --all-features --lib -- --ignored token_cache --test-threads 1
//! ```

use std::iter;
use std::ops::Range;
use std::time::SystemTime;

use allocation_counter::measure;

use super::*;
use crate::Config;
use crate::clock::UnixTime;
use crate::keys::KeySet;
use derbysoft_go_simulator::{Mint, PublishedKey};

const ISSUER: &str = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
const AUDIENCE: &str = "ZKT";

const NOW: u64 = 1_800_000_000;

const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The size of an empty cache: what `moka` begins with. It matters where the bound is
/// small.
const EMPTY: u64 = 256 * 1024;

/// Genuine tokens of several kinds.
fn kinds() -> Vec<(&'static str, Vec<u8>, Verified)> {
    type Change = fn(Mint) -> Mint;
    let table: [(_, Change); 5] = [
        ("like GO's", |mint| mint),
        ("of 8 KiB", |mint| mint.claim("x", "a".repeat(5500))),
        ("of 64 KiB", |mint| mint.claim("x", "a".repeat(48_000))),
        ("of 500 audiences", |mint| {
            mint.audiences(iter::repeat_n("", 500).chain([AUDIENCE]))
        }),
        ("with escapes", |mint| mint.subject("\n".repeat(2000))),
    ];
    let of = |(kind, change): (_, Change)| {
        let (token, verified) = genuine(change);
        (kind, token, verified)
    };
    table.into_iter().map(of).collect()
}

/// A genuine token and its verdict.
pub(super) fn genuine(change: impl FnOnce(Mint) -> Mint) -> (Vec<u8>, Verified) {
    let key = PublishedKey::fresh();
    let signing = key.signing_key().expect("a key that signs").clone();
    let mint = Mint::new(signing, key.kid().expect("a name"), ISSUER, AUDIENCE);
    let token = change(mint.at(SystemTime::from(UnixTime::from_secs(NOW)))).token();
    let document = serde_json::json!({ "keys": [key.jwk()] }).to_string();
    let keys = KeySet::from_document(document.as_bytes()).expect("a key");
    let config = Config {
        issuer: ISSUER.to_owned(),
        audience: vec![AUDIENCE.to_owned()],
        max_token_bytes: 64 * 1024,
        ..Config::default()
    };
    let verifier = config.verifier().expect("a configuration");
    let verdict = verifier.verify(&token, &keys, UnixTime::from_secs(NOW));
    (token.into_bytes(), verdict.expect("genuine"))
}

pub(super) fn entry(token: &[u8], verified: &Verified) -> Entry {
    Entry {
        token: token.into(),
        verified: verified.clone(),
        issuer: 0,
        judged_by: 0.into(),
    }
}

/// The weight of the token's entry.
fn weight(token: &[u8], verified: &Verified) -> u64 {
    entry(token, verified).weight().into()
}

fn insert(cache: &TokenCache, token: &[u8], verified: &Verified) {
    cache.insert(token, || entry(token, verified));
}

fn holds(cache: &TokenCache, token: &[u8]) -> bool {
    cache.get(token, |_| true).is_some()
}

/// A token of the same length that differs in its signature.
fn numbered(token: &[u8], number: u64) -> Vec<u8> {
    let mut token = token.to_owned();
    let tail = token.len() - 8;
    token[tail..].copy_from_slice(&number.to_be_bytes());
    token
}

/// Shows the cache tokens as long as `token` twice each, each with its own verdict in
/// memory.
fn see_twice(cache: &TokenCache, token: &[u8], verified: &Verified, numbers: Range<u64>) {
    for number in numbers {
        let token = numbered(token, number);
        let verified = verified.of_its_own();
        insert(cache, &token, &verified);
        insert(cache, &token, &verified);
    }
}

/// The weight of what the table holds.
pub(super) fn held(cache: &TokenCache) -> u64 {
    let entries = cache.table.iter().flat_map(|set| &set.entries);
    entries
        .filter_map(ArcSwapOption::load_full)
        .map(|entry| u64::from(entry.weight()))
        .sum()
}

#[test]
fn a_token_is_stored_and_counted_when_it_is_seen_again() {
    let (token, verified) = genuine(|mint| mint);
    let cache = TokenCache::new(MAX_BYTES).expect("room");
    let least = token.len() + ENTRY_OVERHEAD;
    assert!(entry(&token, &verified).weight() as usize >= least);
    assert!(!cache.insert(&token, || entry(&token, &verified)));
    assert_eq!((holds(&cache, &token), cache.bytes()), (false, 0));
    assert!(cache.insert(&token, || entry(&token, &verified)));
    assert!(holds(&cache, &token) && cache.bytes() >= least as u64);
}

#[test]
fn the_table_holds_no_more_than_is_accounted_for() {
    let (token, verified) = genuine(|mint| mint);
    for max_bytes in (0..300).chain([4096, 100_000]) {
        if let Some(cache) = TokenCache::new(max_bytes) {
            see_twice(&cache, &token, &verified, 0..100);
            assert!(held(&cache) <= max_bytes, "{max_bytes}");
        }
    }
}

#[test]
fn threads_that_store_and_remove_the_same_tokens_leave_no_more_than_the_limit() {
    const THREADS: u64 = 4;
    let (token, verified) = genuine(|mint| mint);
    let max_bytes = 16 * 1024;
    let cache = TokenCache::new(max_bytes).expect("a size");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, token, verified) = (&cache, &token, &verified);
            scope.spawn(move || {
                for number in 0..20_000 {
                    let token = numbered(token, (number * (thread + 1)) % 48);
                    insert(cache, &token, verified);
                    cache.get(&token, |_| number % 3 > 0);
                }
            });
        }
    });
    cache.kept.run_pending_tasks();
    assert!(cache.bytes() <= max_bytes, "{}", cache.bytes());
    assert!(held(&cache) <= max_bytes, "{}", held(&cache));
    see_twice(&cache, &token, &verified, 1000..1001);
    assert!(
        holds(&cache, &numbered(&token, 1000)),
        "it still takes new ones"
    );
}

#[test]
fn two_tokens_that_take_turns_in_one_set_are_both_stored() {
    let (token, verified) = genuine(|mint| mint);
    let cache = TokenCache::new(4096).expect("one set");
    let both = [numbered(&token, 1), numbered(&token, 2)];
    for token in both.iter().cycle().take(4) {
        insert(&cache, token, &verified);
    }
    for token in &both {
        assert!(holds(&cache, token));
    }
}

#[test]
fn a_token_is_found_again_whatever_stands_under_its_hash() {
    let (token, verified) = genuine(|mint| mint);
    let cache = TokenCache::new(8192).expect("a size");
    let (ours, other) = (numbered(&token, 1), numbered(&token, 2));
    let (hash, set) = cache.find(&ours);
    // As two threads leave it that take one place at the same time.
    set.entries[0].store(Some(Arc::new(entry(&other, &verified))));
    set.hashes[0].store(hash, Ordering::Relaxed);
    insert(&cache, &ours, &verified);
    insert(&cache, &ours, &verified);
    assert!(holds(&cache, &ours));
}

#[test]
#[ignore = "alone, as .ci/run does"]
fn a_million_tokens_stay_within_the_bound() {
    const TOKENS: u64 = 1_000_000;
    let (token, verified) = genuine(|mint| mint);
    let counted = measure(|| {
        let cache = TokenCache::new(MAX_BYTES).expect("a size");
        see_twice(&cache, &token, &verified, 0..TOKENS);
    });
    let most = counted.bytes_max;
    println!(
        "proof: bounds, {TOKENS} distinct tokens of {} bytes, each seen twice: \
         at most {most} bytes held of {MAX_BYTES}",
        token.len()
    );
    assert!(TOKENS * weight(&token, &verified) > 50 * MAX_BYTES);
    assert!(most > MAX_BYTES / 4 * 3, "it is used: {most}");
    assert!(most <= MAX_BYTES, "{most}");
}

#[test]
#[ignore = "alone, as .ci/run does"]
fn tokens_of_any_kind_never_exceed_the_bound() {
    for (kind, token, verified) in kinds() {
        for max_bytes in [4096, 64 * 1024, 1024 * 1024, MAX_BYTES] {
            let numbers = 0..2 * max_bytes / weight(&token, &verified) + 1000;
            let counted = measure(|| {
                let cache = TokenCache::new(max_bytes).expect("a size");
                see_twice(&cache, &token, &verified, numbers);
            });
            // Until a token is evicted there is one more, and a copy of it here.
            let two_more = 2 * weight(&token, &verified);
            let bound = if max_bytes < MAX_BYTES {
                max_bytes + EMPTY + two_more
            } else {
                max_bytes
            };
            assert!(
                counted.bytes_max <= bound,
                "{kind}, {max_bytes}: {counted:?}"
            );
        }
    }
}

#[test]
#[ignore = "alone, as .ci/run does"]
fn the_weight_of_an_entry_is_its_memory() {
    let (token_of_go, verified_of_go) = genuine(|mint| mint);
    for (kind, token, verified) in kinds() {
        let weight = weight(&token, &verified);
        let tokens = 4 * 1024 * 1024 / weight;
        let cache = TokenCache::new(8 * MAX_BYTES).expect("a size");
        // `moka` begins with tables for some tokens.
        see_twice(&cache, &token_of_go, &verified_of_go, 0..2048);
        let counted = measure(|| see_twice(&cache, &token, &verified, 0..tokens));
        let taken = counted.bytes_current.unsigned_abs() / tokens;
        assert!(taken <= weight, "{kind}: {taken}, not {weight}");
        assert!(taken >= weight / 10 * 8, "{kind}: {taken}, not {weight}");
    }
}

#[test]
fn a_full_cache_keeps_what_is_used_and_takes_what_is_new() {
    const TIMES: u64 = 10;
    let (token, verified) = genuine(|mint| mint);
    let max_bytes = 1024 * 1024;
    let cache = TokenCache::new(max_bytes).expect("a size");
    let in_use = numbered(&token, 0);
    let room = max_bytes / weight(&token, &verified);
    let (mut lost, mut not_taken) = (0, 0);
    for number in 1..TIMES * room {
        for _ in 0..10 {
            if !holds(&cache, &in_use) {
                lost += 1;
                insert(&cache, &in_use, &verified);
                insert(&cache, &in_use, &verified);
            }
        }
        see_twice(&cache, &token, &verified, number..number + 1);
        not_taken += u64::from(!holds(&cache, &numbered(&token, number)));
    }
    // Once at first. Whoever's set has no place left may lose it by chance.
    assert!(lost < TIMES / 2, "{lost}");
    assert_eq!(not_taken, 0);
}

#[test]
fn tokens_with_a_known_tail_are_neither_found_nor_kept() {
    const TOKENS: u64 = 20_000;
    let (token, verified) = genuine(|mint| mint);
    let cache = TokenCache::new(MAX_BYTES).expect("a size");
    insert(&cache, &token, &verified);
    insert(&cache, &token, &verified);
    // A thread's first lookup leaves something behind.
    assert!(holds(&cache, &token));
    let mut made_up = token.clone();
    let counted = measure(|| {
        for number in 0..TOKENS {
            // The same length, different each time except for the tail.
            made_up[..8].copy_from_slice(&number.to_be_bytes());
            assert_eq!(cache.find(&made_up).0, cache.find(&token).0);
            assert!(!holds(&cache, &made_up), "{number}");
        }
    });
    // `moka`'s own, now and then.
    assert!(counted.count_total < TOKENS / 100, "{counted:?}");
    assert_eq!(cache.kept.entry_count(), 1);
    assert!(holds(&cache, &token), "the genuine one is still there");
}
