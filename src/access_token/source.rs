//! Where access tokens come from, and how they change at run time.
//!
//! The request path sees an immutable set behind an `arc-swap`: a swap loses no request.
//! One task, the watch, checks the file every ten seconds and announces expiry; it
//! belongs to no request and ends with the last handle.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::api::Api;
use super::expiry::{Ahead, Announced};
use super::fault::AccessTokensError;
use super::file::{self, Content, Found, Terms, Unusable};
use super::health::{AccessTokensFileHealth, AccessTokensHealth};
use super::set::{AccessGranted, AccessTokens};
use crate::clock::{Clock, Moment, UnixTime};
use crate::error::VerifyError;
use crate::file::watched::{INTERVAL, READ_WAIT, Reads};
use crate::net::task::{Background, Due, Pulse};
use crate::observe;
use crate::sync::{ArcSwap, AtomicU64, Mutex, MutexGuard};

/// Access tokens given in code, or watched in a file.
///
/// A cheap handle: clones share the tokens and the task that watches them, which starts
/// with the first use within tokio and ends with the last handle. Outside tokio it works
/// with the tokens that it was created with.
///
/// The task checks the file every 10 s. If it can't be used (missing, empty, broken, or
/// with a single fault), the tokens stay as they are, so that half a file locks nobody
/// out; [`health`](AccessTokenSource::health) and one log line say why. One thing in such
/// a file still counts: the tokens that it revokes are rejected. Replace the file as a
/// whole (`mv`). The task also warns of the expiry of each API's current token, on the
/// same days as GO: 30, 20, 10, 3, 2 and 1 days before, and at expiry; each once, and
/// after a restart only the latest again.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use derbysoft_go_auth::access_token::AccessTokenSource;
/// use derbysoft_go_auth::access_token::Api;
/// use derbysoft_go_auth::clock::SystemClock;
///
/// let clock = Arc::new(SystemClock::default());
/// let tokens = AccessTokenSource::file("/run/secrets/go/tokens.toml", clock)?;
/// let granted = tokens.check("53ac077700000000000000000000abcd", &Api::AVAILABILITY_PEER)?;
/// # let _ = granted;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AccessTokenSource(Arc<Handle>);

/// Dropping it ends the watch.
#[derive(Debug)]
struct Handle {
    watch: Background,
    shared: Arc<Shared>,
}

/// State shared by the watch and its handle.
#[derive(Debug)]
struct Shared {
    current: ArcSwap<AccessTokens>,
    file: Option<Watched>,
    clock: Arc<dyn Clock>,
    announced: Mutex<Announced>,
    pulse: Pulse,
    /// When the watch last checked, by the wall clock in seconds.
    last_look: AtomicU64,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    terms: Terms,
    state: Mutex<State>,
    reads: Reads,
    ticks: Ticks,
}

/// Counts the beginnings and ends of readings, so that one knows which of two was first.
#[derive(Debug, Clone, Default)]
struct Ticks(Arc<AtomicU64>);

/// When a reading began and ended.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    from: u64,
    to: u64,
}

/// What is known about the file.
#[derive(Debug)]
struct State {
    /// What the tokens in use were read from; `None` after an unusable file has revoked
    /// some of them, so that they match no content.
    content: Option<Content>,
    modified: Option<UnixTime>,
    /// Why the file can't be used in its present state.
    unusable: Option<Unusable>,
    /// The latest reading, from which this is.
    reading: Reading,
}

impl AccessTokenSource {
    /// Tokens that never change. The task only warns of their expiry.
    pub fn fixed(tokens: AccessTokens, clock: Arc<dyn Clock>) -> Self {
        Self::new(tokens, None, clock)
    }

    /// The tokens in a file of at most 64 KiB, in the format described at
    /// [`AccessTokens::from_toml`]. Reads it, and needs no runtime.
    ///
    /// # Errors
    /// If the file can't be read, or everybody can write or replace it; and with every
    /// fault in it.
    pub fn file(
        path: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccessTokensError> {
        Self::open(path.into(), Terms::default(), clock, None)
    }

    /// Like [`file`](Self::file), by these rules, now and whenever it has changed. Where
    /// `predecessor` watches the same file by the same rules, it is read now and shared: what
    /// has been revoked at either is revoked at both.
    pub(crate) fn open(
        path: PathBuf,
        terms: Terms,
        clock: Arc<dyn Clock>,
        predecessor: Option<&Self>,
    ) -> Result<Self, AccessTokensError> {
        if let Some(same) = predecessor
            && let Some(file) = &same.0.shared.file
            && (&file.path, file.terms) == (&path, terms)
        {
            same.0.shared.look_now(file)?;
            return Ok(same.clone());
        }
        let found = file::read(&path, terms).map_err(|unusable| unusable.error)?;
        let tokens = found.tokens;
        observe::access_tokens_read(&path, tokens.apis().map(Api::as_str));
        let file = Watched {
            path,
            terms,
            state: Mutex::new(State {
                content: Some(found.content),
                modified: found.modified,
                unusable: None,
                reading: Reading::default(),
            }),
            reads: Reads::default(),
            ticks: Ticks::default(),
        };
        let this = Self::new(tokens, Some(file), clock);
        this.0.shared.warn_of_dates();
        Ok(this)
    }

    fn new(tokens: AccessTokens, file: Option<Watched>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Handle {
            shared: Arc::new(Shared {
                current: ArcSwap::from_pointee(tokens),
                file,
                clock,
                announced: Mutex::default(),
                pulse: Pulse::default(),
                last_look: AtomicU64::new(0),
            }),
            watch: Background::default(),
        }))
    }

    /// Whether `presented` is a token of `api` that is accepted now.
    ///
    /// # Errors
    /// As [`AccessTokens::check`].
    pub fn check(
        &self,
        presented: impl AsRef<[u8]>,
        api: &Api,
    ) -> Result<AccessGranted, VerifyError> {
        let Shared { current, clock, .. } = &*self.0.shared;
        let now = clock.now();
        self.0.keep_running(now);
        current.load().check(presented, api, now)
    }

    /// The current tokens.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<AccessTokens>> {
        self.0.shared.current.load()
    }

    /// Reads the file now: once this returns `Ok`, only its tokens are accepted. Does
    /// nothing for tokens given in code. Call it within tokio.
    ///
    /// # Errors
    /// If the file can't be used; the tokens then stay as they are.
    pub async fn reload(&self) -> Result<(), AccessTokensError> {
        self.0.keep_running(self.0.shared.clock.now());
        self.0.shared.look().await
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn measure(&self) {
        self.0.shared.measure();
    }

    /// When the tokens expire, and the state of their file.
    pub fn health(&self) -> AccessTokensHealth {
        let shared = &self.0.shared;
        let now = shared.clock.now();
        self.0.keep_running(now);
        let file = shared.file.as_ref().map(Watched::health);
        AccessTokensHealth::of(&shared.current.load(), file, now)
    }
}

impl Handle {
    /// Makes sure that the watch is running: the first call within a runtime starts it,
    /// and a later one restarts it if that runtime was shut down or is no longer driven.
    /// Otherwise costs two loads.
    fn keep_running(&self, now: UnixTime) {
        let shared = &self.shared;
        // If `now` is earlier, the clock was set back.
        let since = (now.as_secs()).checked_sub(shared.last_look.load(Ordering::Relaxed));
        let is_in_time = since.is_some_and(|since| since < 2 * INTERVAL.as_secs());
        if !shared.pulse.is_running() || !is_in_time {
            self.watch.start(|| Running::begin(shared).map(run));
        }
    }
}

/// Owned by the watch while it runs.
struct Running {
    shared: Arc<Shared>,
    number: u64,
}

impl Running {
    /// `None` if the watch is already running.
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        let now = Moment::now(&*shared.clock);
        let number = shared.pulse.begin(now, Due::within(READ_WAIT))?;
        let shared = Arc::clone(shared);
        Some(Self { shared, number })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.pulse.end(self.number);
    }
}

async fn run(running: Running) {
    let Running { shared, number } = &running;
    loop {
        // An error is logged and shown in the health.
        let _ = shared.look().await;
        shared.warn_of_dates();
        shared.announce();
        shared.measure();
        let now = Moment::now(&*shared.clock);
        let next = now.elapsed.saturating_add(INTERVAL);
        if !shared.pulse.is_current(*number) {
            return;
        }
        shared.pulse.expect(Due::at(next));
        (shared.last_look).store(now.wall.as_secs(), Ordering::Relaxed);
        shared.clock.sleep_until(next).await;
        if !shared.pulse.is_current(*number) {
            return;
        }
        shared.pulse.expect(Due::within(READ_WAIT));
    }
}

impl Shared {
    /// Checks the file, and takes its tokens if they have changed.
    async fn look(&self) -> Result<(), AccessTokensError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        loop {
            let begun = file.ticks.now();
            let (path, terms, ticks) = (file.path.clone(), file.terms, file.ticks.clone());
            let read = file
                .reads
                .run(move || ticks.timed(|| file::read(&path, terms)));
            let (reading, outcome) = read.await.unwrap_or_else(|unread| {
                let unusable = Unusable::unread(&file.path, unread.into());
                (begun, Err(unusable))
            });
            if let Some(result) = self.settle(file, reading, outcome) {
                return result;
            }
        }
    }

    /// The same. Blocks.
    fn look_now(&self, file: &Watched) -> Result<(), AccessTokensError> {
        loop {
            let read = || file::read(&file.path, file.terms);
            let (reading, outcome) = file.ticks.timed(read);
            if let Some(result) = self.settle(file, reading, outcome) {
                return result;
            }
        }
    }

    fn warn_of_dates(&self) {
        let ahead = {
            let mut announced = (self.announced.lock()).unwrap_or_else(PoisonError::into_inner);
            announced.ahead(&self.current.load(), self.clock.now())
        };
        for Ahead { api, line, issued } in ahead {
            observe::access_token_ahead(api.as_str(), line, issued);
        }
    }

    /// Applies what was read, or what an otherwise unusable file revokes, then reports it. A
    /// reading that was over before the present one began changes nothing. `None`: they ran
    /// at the same time and differ, so that only another one tells what is newer.
    fn settle(
        &self,
        file: &Watched,
        reading: Reading,
        outcome: Result<Found, Unusable>,
    ) -> Option<Result<(), AccessTokensError>> {
        let mut state = file.state();
        if reading.to < state.reading.from {
            return Some(state.result());
        }
        let is_same = |found: &Found| state.content == Some(found.content);
        if reading.from < state.reading.to && !outcome.as_ref().is_ok_and(is_same) {
            return None;
        }
        state.reading = state.reading.later(reading);
        let before = state.unusable.take();
        match outcome {
            Ok(found) => {
                let replaced = (state.content != Some(found.content))
                    .then(|| self.current.swap(Arc::new(found.tokens)));
                state.content = Some(found.content);
                state.modified = found.modified;
                drop(state);
                if let Some(replaced) = &replaced {
                    self.measure_gone(replaced);
                }
                if replaced.is_some() || before.is_some() {
                    let tokens = self.current.load();
                    observe::access_tokens_read(&file.path, tokens.apis().map(Api::as_str));
                }
                Some(Ok(()))
            }
            Err(unusable) => {
                let error = unusable.error.clone();
                let is_new = before.is_none_or(|before| !before.is_same(&unusable));
                // A leaked token is the one thing that can't wait until the rest is
                // corrected, and a token revoked by mistake is accepted again once the
                // file is right.
                let revoking = self.current.load().revoking(&unusable.revoked);
                let replaced = revoking.map(|tokens| {
                    state.content = None;
                    self.current.swap(Arc::new(tokens))
                });
                state.unusable = Some(unusable);
                drop(state);
                if let Some(replaced) = &replaced {
                    observe::access_tokens_revoked(&file.path);
                    self.measure_gone(replaced);
                }
                if is_new {
                    let faults = error.faults().map(ToString::to_string);
                    observe::access_tokens_not_read(&file.path, faults);
                }
                Some(Err(error))
            }
        }
    }

    /// Updates the metrics of the time that the tokens have left.
    fn measure(&self) {
        let now = self.clock.now();
        for token in self.current.load().current() {
            let left = token.accepted_until.saturating_since(now);
            observe::access_token_left(token.api.as_str(), left);
        }
    }

    /// The same for APIs that no longer have a token.
    fn measure_gone(&self, before: &AccessTokens) {
        let current = self.current.load();
        for api in before.apis() {
            if current.apis().all(|held| held != api) {
                observe::access_token_gone(api.as_str());
            }
        }
    }

    fn announce(&self) {
        let now = self.clock.now();
        let due = {
            let mut announced = (self.announced.lock()).unwrap_or_else(PoisonError::into_inner);
            announced.due(&self.current.load(), now)
        };
        for (api, notice) in due {
            observe::access_token_expires(api.as_str(), notice);
        }
    }
}

impl Reading {
    /// The later of two, or what is known of both if they have the same result.
    fn later(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.max(other.to),
        }
    }
}

impl Ticks {
    /// As if a reading had begun and ended now.
    fn now(&self) -> Reading {
        let now = self.0.load(Ordering::SeqCst);
        Reading { from: now, to: now }
    }

    fn timed<T>(&self, read: impl FnOnce() -> T) -> (Reading, T) {
        let tick = || self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let from = tick();
        let outcome = read();
        (Reading { from, to: tick() }, outcome)
    }
}

impl State {
    /// Whether the file could be used at the last check.
    fn result(&self) -> Result<(), AccessTokensError> {
        (self.unusable.as_ref()).map_or(Ok(()), |unusable| Err(unusable.error.clone()))
    }
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> AccessTokensFileHealth {
        let state = self.state();
        let last_error = state.unusable.as_ref().map(|unusable| &unusable.error);
        AccessTokensFileHealth {
            path: self.path.clone(),
            modified: state.modified,
            last_error: last_error.cloned(),
        }
    }
}

#[cfg(shuttle)]
mod models;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use test_support::at_once;

    use super::*;
    use crate::clock::ManualClock;
    use crate::file::detached::simulated::set_disk;
    use crate::file::watched::Unread;

    const GOOD: &str = "[[token]]\napi = \"own\"\ntoken = \"53ac077700000000000000000000abcd\"\n\
        issued = 2026-11-01T00:00:00Z\n";

    fn at(tick: u64) -> Reading {
        Reading {
            from: tick,
            to: tick,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_hung_reads_are_reported_and_no_third_begins() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), GOOD).expect("written");
        let clock = ManualClock::new(UnixTime::from_secs(1_800_000_000));
        let source = AccessTokenSource::file(file.path(), Arc::new(clock)).expect("good");
        let shared = &source.0.shared;
        let watched = shared.file.as_ref().expect("a file");

        let hanging = watched.reads.all_hanging();
        for _ in 0..2 {
            let error = shared.look().await.expect_err("it hangs");
            assert_eq!(
                error,
                Unusable::unread(file.path(), Unread::Slow.into()).error
            );
            let known = source.health().file.and_then(|file| file.last_error);
            assert_eq!(known, Some(error));
        }

        drop(hanging);
        // Paused time does not apply to the disk.
        tokio::time::resume();
        shared.look().await.expect("it reads again");
        assert_eq!(source.health().file.and_then(|file| file.last_error), None);
    }

    #[test]
    fn an_older_check_does_not_bring_a_revoked_token_back() {
        const REVOKED_IN_FAULT: &str = "[[token]]\napi = \"own\"\n\
            token = \"53ac077700000000000000000000abcd\"\nrevoked = true\n\
            [[token]]\napi = \"other\"\n";
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), GOOD).expect("written");
        let clock = ManualClock::new(UnixTime::from_secs(1_800_000_000));
        let source = AccessTokenSource::file(file.path(), Arc::new(clock)).expect("good");
        let shared = &source.0.shared;
        let watched = shared.file.as_ref().expect("a file");
        let read = || file::read(file.path(), Terms::default());

        let older = read();
        std::fs::write(file.path(), REVOKED_IN_FAULT).expect("written");
        let fault = shared.settle(watched, at(2), read());
        assert!(fault.as_ref().is_some_and(Result::is_err));
        assert_eq!(shared.settle(watched, at(1), older), fault);
        let own = Api::new("own").expect("a name");
        assert!(
            source
                .check("53ac077700000000000000000000abcd", &own)
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_checks_at_once_what_the_later_reading_revoked_stays_revoked() {
        let revoked = GOOD.to_owned() + "revoked = true\n";
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), GOOD).expect("written");
        let clock = Arc::new(ManualClock::new(UnixTime::from_secs(1_800_000_000)));
        let source = AccessTokenSource::file(file.path(), clock).expect("good");
        let shared = &source.0.shared;
        let millis = Duration::from_millis;
        let begun = |takes| {
            set_disk(Some(millis(takes)));
            Box::pin(shared.look())
        };
        // The second one reads earlier, and hears of it later.
        let mut first = begun(10);
        assert!(at_once(&mut first).is_pending());
        let mut second = begun(1);
        assert!(at_once(&mut second).is_pending());
        tokio::time::sleep(millis(5)).await;
        std::fs::write(file.path(), revoked).expect("written");
        let is_refused = || {
            let (own, now) = (Api::new("own").expect("a name"), shared.clock.now());
            let tokens = shared.current.load();
            (tokens.check("53ac077700000000000000000000abcd", &own, now)).is_err()
        };
        assert_eq!(first.await, Ok(()));
        assert!(is_refused(), "it was read");
        let _ = second.await;
        set_disk(None);
        assert!(is_refused(), "it is accepted again");
    }

    #[tokio::test]
    async fn a_late_check_replaces_nothing_newer() {
        let write = |text: &str| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), text).expect("written");
            file
        };
        let (older, newer) = (write(GOOD), write(&GOOD.replace("abcd", "abce")));
        let read = |file: &tempfile::NamedTempFile| file::read(file.path(), Terms::default());
        let clock = Arc::new(ManualClock::new(UnixTime::from_secs(1_800_000_000)));
        let source = AccessTokenSource::file(older.path(), clock).expect("good");
        let shared = &source.0.shared;
        let watched = shared.file.as_ref().expect("a file");
        let own = Api::new("own").expect("a name");
        let accepts = |token: &str| {
            let now = shared.clock.now();
            shared.current.load().check(token, &own, now).is_ok()
        };

        assert_eq!(shared.settle(watched, at(3), read(&newer)), Some(Ok(())));
        assert_eq!(shared.settle(watched, at(1), read(&older)), Some(Ok(())));
        assert!(accepts("53ac077700000000000000000000abce"));
        assert!(!accepts("53ac077700000000000000000000abcd"));

        // At the same time: either may be newer, if they differ.
        let both = |from, to| Reading { from, to };
        let during = shared.settle(watched, both(2, 4), read(&newer));
        assert_eq!(during, Some(Ok(())));
        assert_eq!(shared.settle(watched, both(3, 6), read(&older)), None);

        let broken = || read(&write("token = 1"));
        let fault = shared.settle(watched, at(8), broken());
        assert!(fault.as_ref().is_some_and(Result::is_err));
        assert_eq!(shared.settle(watched, at(7), read(&older)), fault);
        assert!(accepts("53ac077700000000000000000000abce"));
    }
}
