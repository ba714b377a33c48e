//! A minute of everything at once: callers of every kind, a rotation a second, a key address that
//! fails every other moment, and a log that panics or takes its time. Not run by default:
//!
//! ```text
//! cargo test --all-features --release -- --ignored soak --nocapture
//! SOAK_SECONDS=10 cargo test …
//! ```
//!
//! What is right: a bad token is never accepted. A good one is always accepted once its key has
//! been fetched, and rejected only while it can't have been: with 401 or 503, and for no longer
//! than [`LATEST`] after the key was published. A key withdrawn for longer than [`WITHDRAWN`]
//! verifies nothing.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::{Fault, SignatureKind, Simulator};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::Dispatch;
use tracing::dispatcher::{set_default, with_default};

use test_support::failing_log::failing_log;
use test_support::{builder_for, eventually, millis, secs, verdict};

const CALLERS: u64 = 6;

/// A fault lasts up to 400 ms, and a fetch during it 300 ms more; then comes a cooldown of 200 ms.
/// The rest is margin for a busy machine.
const LATEST: Duration = millis(3000);

/// The interval of 1 s and the same fault.
const WITHDRAWN: Duration = millis(4000);

/// How many seconds a key stays published after it has signed: longer than [`LATEST`].
const OVERLAP: usize = 5;

/// How much the process may grow in the last two thirds, in bytes.
const MARGIN: u64 = 12 << 20;

/// A token and its key's history.
#[derive(Clone)]
struct Sample {
    kid: String,
    token: String,
    /// When the key was published, or withdrawn.
    since: Instant,
}

#[derive(Default)]
struct Book {
    good: VecDeque<Sample>,
    withdrawn: VecDeque<Sample>,
    /// Keys whose tokens were accepted: they have been fetched.
    fetched: HashSet<String>,
    counts: BTreeMap<(&'static str, &'static str), u64>,
    latest: Duration,
    faults: usize,
}

/// What the callers share.
struct Soak {
    go: Simulator,
    auth: GoAuth,
    book: Mutex<Book>,
    end: Instant,
}

impl Soak {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    async fn count(&self, caller: &'static str, token: &str) -> &'static str {
        let verdict = verdict(&self.auth, token).await;
        *self.book().counts.entry((caller, verdict)).or_default() += 1;
        verdict
    }

    async fn call_with_a_good_token(&self, random: &mut fastrand::Rng) {
        let (sample, fetched) = {
            let book = self.book();
            let sample = book.good[random.usize(..book.good.len())].clone();
            let fetched = book.fetched.contains(&sample.kid);
            (sample, fetched)
        };
        let age = sample.since.elapsed();
        let verdict = self.count("good", &sample.token).await;
        if verdict == "ok" {
            let mut book = self.book();
            if book.fetched.insert(sample.kid) {
                book.latest = book.latest.max(age);
            }
            return;
        }
        assert!(!fetched, "{verdict} though the key had been fetched");
        assert!(
            ["unknown_key", "key_pending", "keys_unavailable"].contains(&verdict),
            "{verdict}"
        );
        assert!(
            age < LATEST,
            "{verdict} {age:?} after the key was published"
        );
    }

    async fn call_with_a_bad_token(&self, random: &mut fastrand::Rng) {
        let no_key = ["unknown_key", "key_pending", "keys_unavailable"];
        let mint = self.go.mint().token_id(random.u64(..).to_string());
        let (caller, token, right) = match random.u8(..4) {
            0 => {
                let kid = format!("{:x}", random.u64(..));
                ("unknown kid", mint.kid(kid).token(), None)
            }
            1 => {
                let forged = mint.signature(SignatureKind::Corrupted).token();
                ("forged", forged, Some("signature"))
            }
            2 => ("expired", mint.expires_in(-60).token(), Some("expired")),
            _ => (
                "foreign",
                mint.audience("another").token(),
                Some("audience"),
            ),
        };
        let verdict = self.count(caller, &token).await;
        let right = right == Some(verdict) || no_key.contains(&verdict);
        assert!(right, "{verdict} for a token that is {caller}");
    }

    async fn call_with_a_withdrawn_key(&self, random: &mut fastrand::Rng) {
        let sample = {
            let withdrawn = &self.book().withdrawn;
            withdrawn
                .get(random.usize(..withdrawn.len().max(1)))
                .cloned()
        };
        let Some(sample) = sample else { return };
        let withdrawn_for = sample.since.elapsed();
        let verdict = self.count("withdrawn", &sample.token).await;
        assert!(
            verdict != "ok" || withdrawn_for < WITHDRAWN,
            "accepted {withdrawn_for:?} after its key was withdrawn"
        );
    }

    async fn call(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        while !self.is_over() {
            match random.u8(..20) {
                0 => self.call_with_a_withdrawn_key(&mut random).await,
                1..4 => self.call_with_a_bad_token(&mut random).await,
                _ => self.call_with_a_good_token(&mut random).await,
            }
            if random.u8(..16) == 0 {
                tokio::time::sleep(millis(1)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    /// A new key each second, and one withdrawn that has not signed for [`OVERLAP`].
    async fn rotate(self: Arc<Self>) {
        while !self.is_over() {
            let kid = self.go.rotate();
            let sample = Sample {
                kid,
                token: self.go.token(),
                since: Instant::now(),
            };
            self.book().good.push_back(sample);
            tokio::time::sleep(secs(1)).await;
            let outgoing = {
                let mut book = self.book();
                (book.good.len() > OVERLAP).then(|| book.good.pop_front())
            };
            let Some(Some(mut outgoing)) = outgoing else {
                continue;
            };
            // Whoever took this token before gets an answer by then.
            tokio::time::sleep(millis(50)).await;
            self.go.retire(&outgoing.kid);
            outgoing.since = Instant::now();
            let mut book = self.book();
            book.withdrawn.push_back(outgoing);
            if book.withdrawn.len() > 20 {
                book.withdrawn.pop_front();
            }
        }
    }

    async fn fail(self: Arc<Self>) {
        let mut random = fastrand::Rng::with_seed(7);
        while !self.is_over() {
            let elsewhere = "http://127.0.0.1:9/".to_owned();
            let fault = match random.u8(..14) {
                0 => Fault::Hang,
                1 => Fault::HangBody,
                2 => Fault::Cut,
                3 => Fault::Truncated,
                4 => Fault::EmptySet,
                5 => Fault::Html,
                6 => Fault::GzipBomb,
                7 => Fault::Endless,
                8 => Fault::RedirectNotFound,
                9 => Fault::Redirect {
                    location: elsewhere,
                    status: 302,
                },
                10 => Fault::Drip {
                    bytes: 16,
                    every: millis(5),
                },
                11 => Fault::Delay(millis(100)),
                12 => Fault::Raw(vec![0; 100]),
                _ => Fault::Status(500),
            };
            self.go.fail(fault);
            tokio::time::sleep(millis(random.u64(50..400))).await;
            self.go.heal();
            self.book().faults += 1;
            tokio::time::sleep(millis(random.u64(200..900))).await;
        }
    }
}

/// A log that fails at random: of ten lines one panics, and one keeps its thread waiting.
fn log_that_fails(failures: Arc<AtomicU64>) -> Dispatch {
    failing_log(move |_| {
        let failure = fastrand::u8(..10);
        if failure > 1 {
            return;
        }
        failures.fetch_add(1, Ordering::Relaxed);
        if failure == 0 {
            std::thread::sleep(millis(fastrand::u64(1..20)));
        } else {
            // A panic without the line that it prints.
            std::panic::resume_unwind(Box::new("the log fails"));
        }
    })
}

/// The memory in use, in bytes; 0 where that is unknown.
fn memory() -> u64 {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    resident.unwrap_or(0) * PAGE
}

/// The summary.
async fn soak_for(length: Duration, failures: &AtomicU64) -> String {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let go = Simulator::start().await.expect("a free port");
    let auth = builder_for(&go)
        .configure(|it| it.refresh_interval = secs(1))
        .configure(|it| it.cooldown = millis(200))
        .configure(|it| it.key_wait = millis(500))
        .configure(|it| it.connect_timeout = millis(300))
        .configure(|it| it.fetch_timeout = millis(300))
        .configure(|it| it.token_cache_bytes = 1 << 20)
        .build()
        .expect("a good configuration");
    // The log panics at the HTTP client's own events, too, and then ends a fetch.
    for attempt in 1.. {
        match auth.ready().await {
            Ok(()) => break,
            Err(error) => assert!(attempt < 100, "{error:?}"),
        }
    }
    let first = Sample {
        kid: go.signing_kid(),
        token: go.token(),
        since: Instant::now(),
    };
    let soak = Arc::new(Soak {
        go,
        auth,
        book: Mutex::default(),
        end: Instant::now() + length,
    });
    soak.book().good.push_back(first);

    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&soak).rotate());
    tasks.spawn(Arc::clone(&soak).fail());
    for seed in 0..CALLERS {
        tasks.spawn(Arc::clone(&soak).call(seed));
    }
    tokio::time::sleep(length / 3).await;
    let early = memory();
    while let Some(ended) = tasks.join_next().await {
        ended.expect("every answer was right");
    }
    let late = memory();

    let soak = Arc::into_inner(soak).expect("all callers have left");
    let book = soak
        .book
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let calls: u64 = book.counts.values().sum();
    let (fetches, rotations) = (soak.go.fetches(), book.fetched.len() - 1);
    let mut summary = vec![format!("{calls} calls in {length:?}, every answer right")];
    for ((caller, verdict), count) in &book.counts {
        summary.push(format!("{count:>10}  {caller}: {verdict}"));
    }
    summary.push(format!(
        "{fetches} fetches, {rotations} rotations, {} faults",
        book.faults
    ));
    let latest = book.latest;
    summary.push(format!(
        "a new key was known after {latest:?} at the latest"
    ));
    let (early_kib, late_kib) = (early >> 10, late >> 10);
    summary.push(format!(
        "memory: {early_kib} KiB at a third, {late_kib} KiB at the end"
    ));
    let failures = failures.load(Ordering::Relaxed);
    summary.push(format!("the log failed {failures} times"));
    let summary = summary.join("\n");

    assert!(failures > 0, "nothing was shown:\n{summary}");
    assert!(late <= early + MARGIN, "it grows:\n{summary}");
    // No more than one each cooldown, and the background refreshes.
    let most = length.as_millis() / 200 + length.as_millis() / 350 + 10;
    assert!(fetches as u128 <= most, "too many fetches:\n{summary}");
    drop(soak.auth);
    soak.go.stop().await;
    eventually("no task is left", || alive() == 0).await;
    summary
}

#[test]
#[ignore = "takes a minute; `cargo test --all-features --release -- --ignored soak`"]
fn soak() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(60, |text| {
        text.parse().expect("SOAK_SECONDS is a number of seconds")
    });
    let failures = Arc::new(AtomicU64::new(0));
    let log = log_that_fails(Arc::clone(&failures));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start({
            let log = log.clone();
            // Other tests of this process have other logs, or none.
            move || std::mem::forget(set_default(&log))
        })
        .enable_all()
        .build()
        .expect("a runtime");
    let summary = with_default(&log, || {
        runtime.block_on(soak_for(secs(seconds), &failures))
    });
    println!("{summary}");
}
