//! Every order of lookups, insertions and evictions.

use std::sync::LazyLock;

use super::tests::{entry, genuine, held};
use super::*;
use crate::sync::{any, check, join, thread};

/// There is room for two of them, all in one set.
const MAX_BYTES: u64 = 4096;

static TOKENS: LazyLock<[(Vec<u8>, Verified); 4]> =
    LazyLock::new(|| ["0", "1", "2", "3"].map(|name| genuine(|mint| mint.subject(name))));

#[test]
fn a_token_finds_its_own_verdict_and_the_limit_holds() {
    LazyLock::force(&TOKENS);
    check(1000, || {
        let cache = Arc::new(TokenCache::new(MAX_BYTES).expect("room"));
        let users = [(); 3].map(|()| {
            let cache = Arc::clone(&cache);
            thread::spawn(move || {
                for _ in 0..4 {
                    let (token, verified) = &TOKENS[any(TOKENS.len())];
                    // Also if it is withdrawn.
                    if let Some(found) = cache.get(token, |_| any(4) > 0) {
                        assert_eq!(found.subject(), verified.subject(), "another's verdict");
                        continue;
                    }
                    for _ in 0..2 {
                        cache.insert(token, || entry(token, verified));
                    }
                }
            })
        });
        join(users);
        // Nothing is held that is not counted, and so evicted some day.
        let held = held(&cache);
        assert!(held <= cache.bytes(), "{held} of {}", cache.bytes());
        assert!(cache.bytes() <= MAX_BYTES);
    });
}
