//! The memory that a cached token takes, compared with what the cache assumes.
//!
//! ```text
//! cargo bench --all-features --bench memory            # a table
//! cargo bench --all-features --bench memory -- --json  # a line of JSON per row
//! ```
//!
//! Counted is what was allocated and not freed from before the first token to after the
//! last, including the cache's tables but not the allocator's own records. `fill_N` has
//! room for all of its N tokens; `full` is the default cache after more tokens than it
//! can hold, and its size shows what the cache assumes per token. `--fill=N` sets the
//! greatest number: 100,000 by default, which take a minute to mint.
//!
//! `--distinct=N` instead verifies N distinct tokens, each twice, with the default cache,
//! and reports the most bytes ever held, next to its bound. 1,000,000 take two cores
//! about ten minutes to mint; progress goes to standard error.
//!
//! A separate bench, since counting allocations would slow down the others.
#![allow(clippy::print_stderr, clippy::print_stdout, missing_docs)]

#[allow(dead_code, reason = "each bench uses a part")]
mod common;

use std::sync::mpsc::sync_channel;

use allocation_counter::measure;
use derbysoft_go_auth::{Config, GoAuth};

use common::arguments::Arguments;
use common::calls::now;
use common::report::{Column, Report};
use common::scene::Scene;

/// Room for as many tokens as are ever filled in.
const LARGE_CACHE: u64 = 1 << 32;

fn main() {
    let arguments = Arguments::read();
    let scene = Scene::new();
    let distinct = arguments.number("distinct", 0);
    if distinct > 0 {
        report_distinct(&scene, distinct).print(arguments.json());
        return;
    }
    let tokens = scene.many_tokens(arguments.number("fill", 100_000));

    let mut report = Report::new([
        Column::new("bytes held", "bytes_held", 0),
        Column::new("bytes a token", "bytes_a_token", 0),
        Column::new("reckoned", "bytes_reckoned", 0),
    ]);
    let mut per_token = 0.0;
    for share in [100, 10, 1] {
        let tokens = &tokens[..tokens.len() / share];
        let held = held(&scene.auth(LARGE_CACHE), tokens);
        per_token = held / count(tokens.len());
        report.row(
            format!("fill_{}", tokens.len()),
            [Some(held), Some(per_token), None],
        );
    }
    let budget = Config::default().token_cache_bytes;
    let budget_bytes = count(usize::try_from(budget).expect("a size"));
    assert!(
        count(tokens.len()) * per_token > 2.0 * budget_bytes,
        "too few tokens to fill the default cache",
    );
    let held = held(&scene.auth(budget), &tokens);
    let kept = held / per_token;
    report.row(
        "full",
        [Some(held), Some(per_token), Some(budget_bytes / kept)],
    );
    report.print(arguments.json());
}

/// The bytes that the cache of `auth` holds after it has seen each token twice.
fn held(auth: &GoAuth, tokens: &[String]) -> f64 {
    let counted = measure(|| {
        for token in tokens.iter().flat_map(|token| [token; 2]) {
            now(auth.verify(token)).expect("genuine");
        }
    });
    count(usize::try_from(counted.bytes_current).expect("more than before"))
}

/// Shows the cache `tokens` tokens, each twice; none of them comes again.
fn report_distinct(scene: &Scene, tokens: usize) -> Report {
    const BATCH: usize = 500;
    let bound = Config::default().token_cache_bytes;
    let auth = scene.auth(bound);
    let (mut held, mut most, mut seen) = (0, 0, 0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let (sender, minted) = sync_channel(cores);
        for core in 0..cores {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut left = tokens / cores + usize::from(core < tokens % cores);
                while left > 0 {
                    let batch = left.min(BATCH);
                    left -= batch;
                    let batch: Vec<_> = (0..batch).map(|_| scene.mint().token()).collect();
                    sender.send(batch).expect("somebody verifies");
                }
            });
        }
        drop(sender);
        for batch in minted {
            for token in &batch {
                let counted = measure(|| {
                    for _ in 0..2 {
                        now(auth.verify(token)).expect("genuine");
                    }
                });
                most = most.max(held + i64::try_from(counted.bytes_max).expect("a size"));
                held += counted.bytes_current;
            }
            let twentieths = |seen: usize| seen * 20 / tokens;
            let before = twentieths(seen);
            seen += batch.len();
            if twentieths(seen) > before {
                eprintln!("{seen} of {tokens}: {held} bytes held, at most {most} of {bound}");
            }
        }
    });
    assert_eq!(seen, tokens);
    let mut report = Report::new([
        Column::new("bytes held", "bytes_held", 0),
        Column::new("at most", "bytes_most", 0),
        Column::new("bound", "bytes_bound", 0),
    ]);
    let numbers = [held, most, bound.cast_signed()];
    report.row(
        format!("distinct_{tokens}"),
        numbers.map(|bytes| count(usize::try_from(bytes).expect("a size"))),
    );
    report
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("less than 4 GiB"))
}
