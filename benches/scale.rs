//! How the cost of a verification grows: with threads, keys, issuers, tokens in the cache
//! and bytes in a token. Most lines should be flat.
//!
//! ```text
//! cargo bench --all-features --bench scale            # two tables
//! cargo bench --all-features --bench scale -- --json  # a line of JSON per row
//! ```
//!
//! `--rounds=N` sets the number of rounds, `--fill=N` how many tokens fill the cache:
//! 100,000 by default, which take a minute to mint. `--only=costs` or `--only=threads`
//! prints one of the tables.
//!
//! In the first table a row `GROUP_N` is compared with the first of its group:
//!
//! - `keys_…_N`: N keys in the set, the token's among them;
//! - `issuers_…_N`: N trusted issuers, the token's the last of them;
//! - `fill_one_N`: N tokens in the cache, one of them verified over and over;
//! - `fill_all_N`: N tokens in the cache, all of them verified in random order, which
//!   shows the cost when they are not in the processor's own cache;
//! - `size_…_N`: tokens of N bytes; `size_floor_N` is their signature check alone.
//!
//! *Cold* is without a cache, *warm* is a token from the cache.
//!
//! In the second table two threads are compared with one: in calls a second, in that
//! gain relative to the floor's, and in the time of one call. `same` means that both
//! verify one token. Two processors that share a core do not double the floor either;
//! this crate's own effect shows in the ratio to the floor's gain.
#![allow(clippy::print_stdout, missing_docs)]

#[allow(dead_code, reason = "each bench uses a part")]
mod common;

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use derbysoft_go_auth::config::IssuerConfig;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::Simulator;
use serde_json::{Value, json};

use common::arguments::Arguments;
use common::calls::{measured, now, runtime};
use common::report::{Column, Report};
use common::rounds::{Contender, interleave, median, ratio};
use common::scene::{AUDIENCE, CACHE, CALLS, Scene, builder};

/// Room for as many tokens as are ever filled in.
const LARGE_CACHE: u64 = 1 << 28;

/// From the least that holds a 2048-bit signature and the required claims to the most
/// that is accepted by default.
const SIZES: [usize; 5] = [512, 1024, 2048, 4096, 8192];

/// Short enough for a token of 512 bytes.
const SHORT_ISSUER: &str = "https://id/x";

/// Without a cache, and with one.
const KINDS: [(&str, u64); 2] = [("cold", 0), ("warm", CACHE)];

fn main() {
    let arguments = Arguments::read();
    let scene = Scene::new();
    let only = arguments.only();
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only.contains(&part));
    if wanted("costs") {
        costs(&scene, &arguments).print(arguments.json());
    }
    if wanted("threads") {
        if wanted("costs") && !arguments.json() {
            println!();
        }
        threads(&scene, &arguments).print(arguments.json());
    }
}

fn costs(scene: &Scene, arguments: &Arguments) -> Report {
    let runtime = runtime();
    let go = runtime.block_on(scene.go()).expect("a port");
    let of_issuers = [1, 10].map(|issuers| (issuers, tokens_of(scene, &issuer(issuers))));
    let sized = SIZES.map(|size| (size, sized_tokens(scene, size)));
    let many = scene.many_tokens(arguments.number("fill", 100_000));
    let filled = [
        &scene.tokens[..1],
        &scene.tokens,
        &many[..many.len().min(1000)],
        &many,
    ]
    .map(|tokens| (tokens, filled(scene, tokens)));
    let [one, few, thousand, full] = &filled;

    let mut rows = Rows::new(scene.floor("floor", &scene.tokens));
    for (kind, cache) in KINDS {
        for keys in [2, 100] {
            let auth = builder(cache).keys(key_set(scene, keys)).build();
            let auth = auth.expect("a configuration");
            rows.add("keys", kind, keys, verifying(auth, kind, &scene.tokens));
        }
    }
    for (kind, cache) in KINDS {
        for (issuers, tokens) in &of_issuers {
            let auth = with_issuers(scene, &go, *issuers, cache);
            runtime.block_on(auth.ready()).expect("keys");
            rows.add("issuers", kind, *issuers, verifying(auth, kind, tokens));
        }
    }
    for (tokens, auth) in [one, full] {
        let one = verifying(auth.clone(), "warm", tokens);
        rows.add("fill", "one", tokens.len(), one);
    }
    for (tokens, auth) in [few, thousand, full] {
        let all = verifying_in_turn(auth.clone(), tokens);
        rows.add("fill", "all", tokens.len(), all);
    }
    for (size, tokens) in &sized {
        rows.add("size", "floor", *size, scene.floor("", tokens));
    }
    for (kind, cache) in KINDS {
        for (size, tokens) in &sized {
            let auth = builder(cache)
                .issuer(SHORT_ISSUER)
                .keys(scene.keys())
                .build();
            let auth = auth.expect("a configuration");
            rows.add("size", kind, *size, verifying(auth, kind, tokens));
        }
    }
    rows.run(arguments.number("rounds", 200))
}

/// The floor, and groups of contenders that differ in one number.
struct Rows<'a> {
    contenders: Vec<Contender<'a>>,
    /// The group of each row.
    groups: Vec<String>,
}

impl<'a> Rows<'a> {
    fn new(floor: Contender<'a>) -> Self {
        Self {
            groups: vec![floor.name.clone()],
            contenders: vec![floor],
        }
    }

    fn add(&mut self, what: &str, kind: &str, number: usize, mut contender: Contender<'a>) {
        let group = format!("{what}_{kind}");
        contender.name = format!("{group}_{number}");
        self.contenders.push(contender);
        self.groups.push(group);
    }

    fn run(mut self, rounds: usize) -> Report {
        let times = interleave(&mut self.contenders, rounds);
        let mut report = Report::new([
            Column::NANOSECONDS,
            Column::TO_FLOOR,
            Column::new("ratio to first", "ratio_to_first", 3),
        ]);
        for ((contender, group), own) in self.contenders.iter().zip(&self.groups).zip(&times) {
            let first = self.groups.iter().position(|other| other == group);
            let first = &times[first.expect("a group has members")];
            let median = median(own.iter().copied());
            report.row(
                &contender.name,
                [median, ratio(own, &times[0]), ratio(own, first)],
            );
        }
        report
    }
}

/// All tokens in turn if `kind` is cold; otherwise the first of them, which is cached, as
/// often.
fn verifying<'a>(auth: GoAuth, kind: &str, tokens: &'a [String]) -> Contender<'a> {
    let tokens: Vec<&str> = match kind {
        "cold" => tokens.iter().map(String::as_str).collect(),
        _ => vec![&tokens[0]; CALLS as usize],
    };
    verify_all(&auth, tokens.iter().take(3).copied());
    let calls = u32::try_from(tokens.len()).expect("a few");
    Contender::new("", calls, move || {
        measured(|| verify_all(&auth, tokens.iter().copied()))
    })
}

/// Cached tokens in random order; each round continues where the last stopped. It makes
/// enough calls that a few tokens come again while they are in the processor's own cache,
/// whatever the other contenders have left there.
fn verifying_in_turn(auth: GoAuth, tokens: &[String]) -> Contender<'_> {
    const IN_TURN: u32 = 256 * CALLS;
    let mut order: Vec<&str> = tokens.iter().map(String::as_str).collect();
    fastrand::shuffle(&mut order);
    let mut endless = order.into_iter().cycle();
    Contender::new("", IN_TURN, move || {
        measured(|| verify_all(&auth, endless.by_ref().take(IN_TURN as usize)))
    })
}

fn verify_all<'a>(auth: &GoAuth, tokens: impl Iterator<Item = &'a str>) {
    for token in tokens {
        black_box(now(auth.verify(black_box(token)))).expect("genuine");
    }
}

/// The scene's key and others that nobody can sign with: any odd number of 2048 bits is a
/// modulus.
fn key_set(scene: &Scene, keys: usize) -> KeySet {
    let published = scene.published();
    let others = (1..keys).map(|_| {
        let mut modulus = [0; 256];
        fastrand::fill(&mut modulus);
        modulus[0] |= 0x80;
        modulus[255] |= 1;
        let n = URL_SAFE_NO_PAD.encode(modulus);
        let kid = format!("{:032x}", fastrand::u128(..));
        json!({ "alg": "RS256", "e": "AQAB", "kid": kid, "kty": "RSA", "n": n, "use": "sig" })
    });
    let all: Vec<Value> = others.chain([published.jwk().clone()]).collect();
    let set = KeySet::from_document(json!({ "keys": all }).to_string().as_bytes());
    let set = set.expect("a key set");
    assert_eq!(set.len(), keys, "all keys are usable");
    set
}

fn issuer(number: usize) -> String {
    format!("https://id/{number:032X}/.well-known/openid-configuration")
}

/// The first issuer's keys are given, the others' fetched.
fn with_issuers(scene: &Scene, go: &Simulator, issuers: usize, cache: u64) -> GoAuth {
    let first = builder(cache).issuer(issuer(1)).keys(scene.keys());
    (2..=issuers)
        .map(|number| IssuerConfig::new(issuer(number), AUDIENCE, go.jwks_url()))
        .fold(first, GoAuthBuilder::another_issuer)
        .build()
        .expect("a configuration")
}

fn tokens_of(scene: &Scene, issuer: &str) -> Vec<String> {
    let mint = scene.mint().issuer(issuer);
    (0..CALLS).map(|_| mint.token()).collect()
}

/// Shows the cache each token twice, after which it is stored.
fn filled(scene: &Scene, tokens: &[String]) -> GoAuth {
    let auth = scene.auth(LARGE_CACHE);
    let twice = tokens.iter().flat_map(|token| [&**token; 2]);
    verify_all(&auth, twice);
    auth
}

/// Tokens of this many bytes, or one less where base64 has no such length, with the
/// required claims and one that fills the rest.
fn sized_tokens(scene: &Scene, bytes: usize) -> Vec<String> {
    let mut mint = scene.mint().issuer(SHORT_ISSUER);
    for claim in ["jti", "iat", "nbf", "sub"] {
        mint = mint.without(claim);
    }
    let filled = |letters| {
        let letters: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(letters)
            .collect();
        mint.clone().claim("fill", letters).token()
    };
    let letters = (bytes - filled(0).len()) * 3 / 4;
    let tokens: Vec<String> = (0..CALLS).map(|_| filled(letters)).collect();
    let length = tokens[0].len();
    assert!((bytes - 1..=bytes).contains(&length), "{length}");
    tokens
}

/// Rounds with one thread and with two.
fn threads(scene: &Scene, arguments: &Arguments) -> Report {
    const THREADS: [u32; 2] = [1, 2];
    // About five milliseconds, compared with microseconds to start a thread.
    const COLD_CALLS: u32 = 4 * CALLS;
    const WARM_CALLS: u32 = 256 * CALLS;

    let [uncached, cached] = [0, CACHE].map(|cache| scene.auth(cache));
    let warm = [&scene.tokens[0], &scene.tokens[1]];
    verify_all(&cached, warm.iter().flat_map(|token| [&***token; 2]));
    let check = scene.signature_checks(&scene.tokens);

    let floor = |_: usize| (0..COLD_CALLS / CALLS).for_each(|_| check());
    let cold = |_: usize| {
        (0..COLD_CALLS / CALLS)
            .for_each(|_| verify_all(&uncached, scene.tokens.iter().map(String::as_str)));
    };
    let again = |token: &str| verify_all(&cached, (0..WARM_CALLS).map(|_| token));
    let warm_own = |thread: usize| again(warm[thread]);
    let warm_same = |_: usize| again(warm[0]);
    /// A name, the calls of a thread, and the work, given the thread's number.
    type Work<'a> = (&'a str, u32, &'a (dyn Fn(usize) + Sync));
    let work: [Work<'_>; 4] = [
        ("floor", COLD_CALLS, &floor),
        ("verify_cold", COLD_CALLS, &cold),
        ("verify_warm_own", WARM_CALLS, &warm_own),
        ("verify_warm_same", WARM_CALLS, &warm_same),
    ];
    let mut contenders: Vec<Contender<'_>> = (work.iter())
        .flat_map(|&(name, calls, work)| {
            THREADS.map(|threads| {
                Contender::new(format!("{name}_{threads}"), calls * threads, move || {
                    together(threads, work)
                })
            })
        })
        .collect();
    let times = interleave(&mut contenders, arguments.number("rounds", 200));

    let mut report = Report::new([
        Column::new("calls/s", "calls_per_s", 0),
        Column::new("gain", "gain", 3),
        Column::new("gain to floor's", "gain_to_floors", 3),
        Column::new("call to floor", "call_to_floor", 4),
    ]);
    let gains: Vec<Vec<f64>> = (times.chunks(2))
        .map(|pair| {
            pair[0]
                .iter()
                .zip(&pair[1])
                .map(|(one, two)| one / two)
                .collect()
        })
        .collect();
    for (row, (contender, own)) in contenders.iter().zip(&times).enumerate() {
        let per_second = 1e9 / median(own.iter().copied());
        let threads = THREADS[row % 2];
        let gain = (threads == 2).then(|| &gains[row / 2]);
        let call = ratio(own, &times[0]) * f64::from(threads);
        report.row(
            &contender.name,
            [
                Some(per_second),
                gain.map(|gain| median(gain.iter().copied())),
                gain.map(|gain| ratio(gain, &gains[0])),
                Some(call),
            ],
        );
    }
    report
}

/// The time from the first start to the last end of `threads` threads that do the same
/// work at the same time.
fn together(threads: u32, work: &(dyn Fn(usize) + Sync)) -> Duration {
    let barrier = Barrier::new(threads as usize);
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads as usize)
            .map(|thread| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    work(thread);
                    (start, Instant::now())
                })
            })
            .collect();
        (running.into_iter())
            .map(|thread| thread.join().expect("a thread ends"))
            .collect()
    });
    let start = spans.iter().map(|span| span.0).min().expect("a thread");
    let end = spans.iter().map(|span| span.1).max().expect("a thread");
    end - start
}
