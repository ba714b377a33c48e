//! Whether the work of rejecting an Access Token depends on how much of it is right:
//! counted in instructions, not in time, by `wrong_token.sh` beside this file, which runs
//! this under callgrind once for each case.
//!
//! ```text
//! benches/wrong_token.sh
//! ```
//!
//! Digests are compared, so a case says how many of a stored digest's 64 hex digits agree
//! with the presented token's, from the start, and at which place among eight that digest
//! is stored.
#![allow(clippy::print_stdout, missing_docs)]

use std::hint::black_box;

use aws_lc_rs::digest;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::UnixTime;

const PRESENTED: &str = "53ac0777c2f94bc0a5b1b0d6d7a6f6ab";
const HELD: usize = 8;
const CALLS: usize = 1000;

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let [agreeing, place] = numbers[..] else {
        println!("digits that agree, below 64, and a place below {HELD}");
        return;
    };
    let now = UnixTime::from_secs(1_800_000_000);
    let entry = |at| AccessToken::from_sha256(api(at), &held(at, agreeing, place), now);
    let tokens = AccessTokens::new((0..HELD).map(entry)).expect("eight tokens");
    let refused = measured(&tokens, &api(place), now);
    assert_eq!(refused, CALLS, "none is right");
}

fn api(number: usize) -> Api {
    Api::new(&format!("own-{number}")).expect("a name")
}

/// The digest at `at`: at `place` one that agrees with the presented token's in exactly
/// the first `agreeing` digits, elsewhere another.
fn held(at: usize, agreeing: usize, place: usize) -> String {
    if at != place {
        return format!("{at:064x}");
    }
    let digest = digest::digest(&digest::SHA256, PRESENTED.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let digits: String = digits.collect();
    let differing = |digit: char| if digit == '0' { '1' } else { '0' };
    (0..)
        .zip(digits.chars())
        .map(|(n, digit)| {
            if n < agreeing {
                digit
            } else {
                differing(digit)
            }
        })
        .collect()
}

/// Everything inside is counted, and nothing else.
#[inline(never)]
fn measured(tokens: &AccessTokens, api: &Api, now: UnixTime) -> usize {
    (0..CALLS)
        .filter(|_| tokens.check(black_box(PRESENTED), api, now).is_err())
        .count()
}
