//! Ten minutes of the gate behind a real nginx, in a world where nothing is tidy: forged
//! tokens of keys that nobody knows, a key address that hangs, a log that nobody reads,
//! reloads, rotations and withdrawals. Not run by default; needs nginx:
//!
//! ```text
//! cargo test --package go-auth --release --test it -- --ignored nginx_soak --nocapture
//! NGINX_SOAK_SECONDS=60 cargo test …
//! ```
//!
//! What is right: a genuine push is answered 200. 503 with `Retry-After` is right as well
//! while its key can't have been looked for since it was published; then it is sent again
//! until it is 200. It is never answered otherwise, and 200 means that it has reached the
//! API. A withdrawn key lets nobody in once keys were fetched after the withdrawal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_simulator::{Fault, Simulator};
use rustix::process::Signal;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::gate_process::{GateProcess, settings_of};
use crate::process::full_stream;
use crate::proxies::nginx::NGINX;
use crate::proxies::stage::Stage;
use test_support::wire::Reply;
use test_support::{millis, secs};

/// Settings in which as much happens in a minute as by default in an hour.
const SETTINGS: &str = "refresh_interval = \"5s\"\ncooldown = \"2s\"\nkey_wait = \"2s\"\n\
                        fetch_timeout = \"1s\"\nconnect_timeout = \"1s\"";

/// Forged tokens in a second.
const FORGED: u32 = 300;

/// How many of them are on their way at the most, for want of files.
const FORGED_AT_ONCE: usize = 600;

const PUSHERS: u64 = 4;

/// A fetch that was answered later than this after an event was begun after it: its time
/// limit, and as much again for a busy machine.
const MARGIN: Duration = secs(2);

/// How long a push may be sent again: the longest outage, the longest back-off within it,
/// and the rest for a busy machine.
const LATEST: Duration = secs(40);

/// One of GO's keys. Pushes that are on their way hold it.
struct Key {
    kid: String,
    /// Good for longer than a run.
    token: String,
    published: Instant,
}

impl Key {
    /// The one that signs, which was published just now.
    fn of(go: &Simulator) -> Self {
        Self {
            kid: go.signing_kid(),
            token: go.mint().expires_in(24 * 60 * 60).token(),
            published: Instant::now(),
        }
    }
}

#[derive(Default)]
struct Book {
    counts: BTreeMap<(&'static str, u16), u64>,
    /// When the keys that the gate uses were fetched, as its metrics say.
    fetched: Option<Instant>,
    withdrawn: Vec<(String, Instant)>,
    checks_of_withdrawn: u64,
    repeated: u64,
    latest: Duration,
    rotations: u64,
    outages: u64,
    reloads: u64,
}

struct Soak {
    stage: Stage,
    key: Mutex<Arc<Key>>,
    book: Mutex<Book>,
    end: Instant,
}

impl Soak {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> MutexGuard<'_, Arc<Key>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    fn count(&self, what: &'static str, status: u16) {
        *self.book().counts.entry((what, status)).or_default() += 1;
    }

    fn fetched_since(&self, event: Instant) -> bool {
        self.book()
            .fetched
            .is_some_and(|fetched| fetched > event + MARGIN)
    }

    /// Pushes until it is let in.
    async fn push(&self, number: String) {
        let (key, token) = {
            // A rotation waits, so that the token is of this key.
            let key = self.key();
            (
                Arc::clone(&key),
                self.stage.go.mint().token_id(number).token(),
            )
        };
        let begun = Instant::now();
        loop {
            let must_be_known = self.fetched_since(key.published);
            let reply = self.stage.push_with(&token).await;
            self.count("genuine", reply.status);
            if reply.status == 200 {
                let mut book = self.book();
                book.latest = book.latest.max(begun.elapsed());
                return;
            }
            assert_eq!(reply.status, 503, "{reply:?} for a push of {}", key.kid);
            let fetched = self.book().fetched;
            assert!(
                !must_be_known,
                "{reply:?}, published {:?} ago, fetched {:?} ago",
                key.published.elapsed(),
                fetched.map(|fetched| fetched.elapsed())
            );
            assert!(begun.elapsed() < LATEST, "not let in after {LATEST:?}");
            sleep(secs(retry_after(&reply))).await;
            self.book().repeated += 1;
        }
    }

    async fn keep_pushing(self: Arc<Self>, pusher: u64) {
        let mut number = 0;
        while !self.is_over() {
            number += 1;
            self.push(format!("{pusher}-{number}")).await;
            sleep(millis(100)).await;
        }
    }

    async fn forge(self: Arc<Self>) {
        let room = Arc::new(Semaphore::new(FORGED_AT_ONCE));
        let mut due = tokio::time::interval(secs(1) / FORGED);
        let mut begun = Instant::now();
        let mut genuine = self.stage.go.token();
        while !self.is_over() {
            due.tick().await;
            if begun.elapsed() > secs(60) {
                (begun, genuine) = (Instant::now(), self.stage.go.token());
            }
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                self.count("forged, not sent", 0);
                continue;
            };
            let (_, rest) = genuine.split_once('.').expect("a JWT");
            let header = format!(r#"{{"alg":"RS256","kid":"{:x}"}}"#, fastrand::u64(..));
            let token = format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header));
            let soak = Arc::clone(&self);
            tokio::spawn(async move {
                let reply = soak.stage.push_with(&token).await;
                soak.count("forged", reply.status);
                drop(place);
            });
        }
        // They are on their way no longer than nginx waits for the gate.
        let all = u32::try_from(FORGED_AT_ONCE).expect("a number");
        let _ = room.acquire_many(all).await;
    }

    /// Watches the age of the keys, by the gate's own word.
    async fn watch(self: Arc<Self>) {
        while !self.is_over() {
            let asked = Instant::now();
            let metrics = self.stage.gate().get_status("/metrics").await.body;
            let age = metrics.lines().find_map(|line| {
                let (_, age) = line
                    .strip_prefix("go_auth_keys_age_seconds{")?
                    .split_once("} ")?;
                age.parse::<f64>().ok().filter(|age| age.is_finite())
            });
            if let Some(age) = age {
                self.book().fetched = asked.checked_sub(Duration::from_secs_f64(age));
            }
            sleep(millis(200)).await;
        }
    }

    /// Each time another key signs, and the one before is withdrawn: at once, or later.
    async fn rotate(self: Arc<Self>) {
        let mut later = None;
        while !self.is_over() {
            sleep(secs(7)).await;
            let outgoing = {
                let mut key = self.key();
                self.stage.go.rotate();
                std::mem::replace(&mut *key, Arc::new(Key::of(&self.stage.go)))
            };
            let rotations = {
                let mut book = self.book();
                book.rotations += 1;
                book.rotations
            };
            let mut withdrawn = vec![outgoing];
            if !rotations.is_multiple_of(3) {
                withdrawn = later.replace(withdrawn.remove(0)).into_iter().collect();
            }
            for key in withdrawn {
                // A push that is on its way may still need it.
                while Arc::strong_count(&key) > 1 {
                    sleep(millis(20)).await;
                }
                self.stage.go.retire(&key.kid);
                let withdrawn = (key.token.clone(), Instant::now());
                self.book().withdrawn.push(withdrawn);
            }
        }
    }

    async fn try_withdrawn_keys(self: Arc<Self>) {
        while !self.is_over() {
            sleep(millis(100)).await;
            let tried = fastrand::choice(&self.book().withdrawn).cloned();
            let Some((token, since)) = tried else {
                continue;
            };
            let is_known = self.fetched_since(since);
            let reply = self.stage.push_with(&token).await;
            self.count("withdrawn", reply.status);
            if is_known {
                self.book().checks_of_withdrawn += 1;
                let ago = since.elapsed();
                assert!(reply.status != 200, "let in, withdrawn {ago:?} ago");
            }
        }
    }

    async fn fail(self: Arc<Self>) {
        while !self.is_over() {
            sleep(millis(fastrand::u64(5_000..15_000))).await;
            self.stage.go.fail(match fastrand::u8(..4) {
                0 => Fault::Status(503),
                1 => Fault::HangBody,
                _ => Fault::Hang,
            });
            sleep(millis(fastrand::u64(2_000..9_000))).await;
            self.stage.go.heal();
            self.book().outages += 1;
        }
    }

    async fn reload(self: Arc<Self>) {
        while !self.is_over() {
            sleep(millis(fastrand::u64(2_000..6_000))).await;
            self.stage.gate().signal(Signal::HUP);
            self.book().reloads += 1;
        }
    }
}

fn retry_after(reply: &Reply) -> u64 {
    let seconds = reply.header("retry-after").expect("when to come again");
    let seconds = seconds.parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{reply:?}");
    seconds
}

/// The summary.
async fn soak_for(length: Duration) -> String {
    let go = Simulator::start().await.expect("a free port");
    let (_reader, log) = full_stream();
    let gate = GateProcess::start_logging_to(&settings_of(&go, SETTINGS), log).await;
    // In the file there is room for 512 requests at once: each takes two connections.
    let change = |shipped: String| {
        assert_eq!(shipped.matches("worker_connections 1024").count(), 1);
        shipped.replace("worker_connections 1024", "worker_connections 8192")
    };
    let key = Key::of(&go);
    let soak = Arc::new(Soak {
        stage: Stage::with(go, &NGINX, vec![gate], change).await,
        key: Mutex::new(Arc::new(key)),
        book: Mutex::default(),
        end: Instant::now() + length,
    });
    let mut tasks = JoinSet::new();
    for pusher in 0..PUSHERS {
        tasks.spawn(Arc::clone(&soak).keep_pushing(pusher));
    }
    tasks.spawn(Arc::clone(&soak).forge());
    tasks.spawn(Arc::clone(&soak).watch());
    tasks.spawn(Arc::clone(&soak).rotate());
    tasks.spawn(Arc::clone(&soak).try_withdrawn_keys());
    tasks.spawn(Arc::clone(&soak).fail());
    tasks.spawn(Arc::clone(&soak).reload());
    while let Some(ended) = tasks.join_next().await {
        ended.expect("every answer was right");
    }

    let mut soak = Arc::into_inner(soak).expect("all have ended");
    let metrics = soak.stage.gate().get_status("/metrics").await.body;
    let shown = metrics.lines().filter(|line| {
        ["log_dropped", "reloads_total", "key_refreshes_total"]
            .iter()
            .any(|name| line.contains(name) && !line.starts_with('#'))
    });
    let mut summary: Vec<_> = shown.map(str::to_owned).collect();
    soak.stage.gate().signal(Signal::TERM);
    assert_eq!(soak.stage.gates[0].exit().await.code(), Some(0));

    let book = soak.book();
    for ((what, status), count) in &book.counts {
        summary.push(format!("{count:>10}  {what}: {status}"));
    }
    summary.push(format!(
        "{} repeated; the latest was let in after {:?}",
        book.repeated, book.latest
    ));
    summary.push(format!(
        "{} rotations, {} keys withdrawn and tried {} times after that was known",
        book.rotations,
        book.withdrawn.len(),
        book.checks_of_withdrawn
    ));
    let (outages, reloads, fetches) = (book.outages, book.reloads, soak.stage.go.fetches());
    summary.push(format!(
        "{outages} outages, {reloads} reloads, {fetches} fetches"
    ));
    let accepted = |what| book.counts.get(&(what, 200)).copied().unwrap_or_default();
    let reached = u64::try_from(soak.stage.api.calls()).expect("a number");
    let summary = summary.join("\n");
    let let_in = accepted("genuine") + accepted("withdrawn");
    assert_eq!(reached, let_in, "lost behind nginx:\n{summary}");
    assert_eq!(accepted("forged"), 0, "{summary}");
    summary
}

#[test]
#[ignore = "takes ten minutes and needs nginx"]
fn ten_minutes_behind_nginx() {
    let seconds = std::env::var("NGINX_SOAK_SECONDS").map_or(600, |text| {
        text.parse()
            .expect("NGINX_SOAK_SECONDS is a number of seconds")
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!("{}", runtime.block_on(soak_for(secs(seconds))));
}
