//! A file of Access Tokens that is watched by a clock under the test's control.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use derbysoft_go_auth::access_token::AccessTokenSource;
use derbysoft_go_auth::access_token::{AccessTokensError, Api};
use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use tokio::sync::watch;

use test_support::distributor::{self, TokenFile};
use test_support::{secs, soon};

pub(super) const API: Api = Api::AVAILABILITY_PEER;
pub(super) const OLD: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
pub(super) const NEW: &str = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";
pub(super) const DAY: u64 = 86_400;

/// So many days after 2026-11-01T00:00:00Z.
pub(super) fn day(days: u64) -> UnixTime {
    UnixTime::from_secs(1_793_491_200 + days * DAY)
}

pub(super) fn entry(token: &str, issued: UnixTime) -> String {
    distributor::entry(&API, token, issued)
}

/// A clock that only the test moves, and that records who sleeps by it.
#[derive(Debug)]
pub(super) struct Sleepers {
    pub(super) clock: ManualClock,
    /// Until when each sleeps.
    pub(super) asleep: watch::Sender<Vec<Duration>>,
}

impl Clock for Sleepers {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let sleep = self.clock.sleep_until(moment);
        self.asleep.send_modify(|asleep| asleep.push(moment));
        sleep
    }
}

/// A file of tokens, and the clock by which it is watched.
pub(super) struct Watched {
    file: TokenFile,
    pub(super) clock: Arc<Sleepers>,
}

impl Watched {
    /// On the day when `OLD`, which is in the file, was issued.
    pub(super) fn new() -> Self {
        let clock = Sleepers {
            clock: ManualClock::new(day(0)),
            asleep: watch::Sender::default(),
        };
        Self {
            file: TokenFile::of(entry(OLD, day(0))),
            clock: Arc::new(clock),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.file.path()
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.path().parent().expect("a directory").to_owned()
    }

    /// Replaces the file as a whole.
    pub(super) fn write(&self, text: impl AsRef<[u8]>) {
        self.file.write(text);
    }

    pub(super) fn open(&self) -> Result<AccessTokenSource, AccessTokensError> {
        AccessTokenSource::file(self.path(), Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// In use and watched.
    pub(super) async fn source(&self) -> AccessTokenSource {
        let source = self.open().expect("a good file");
        self.first_look(&source).await;
        source
    }

    pub(super) async fn first_look(&self, source: &AccessTokenSource) {
        let before = self.looks();
        let _ = verdict(source, OLD);
        self.looked(before + 1).await;
    }

    /// How often the file was read: the watch sleeps after each time.
    fn looks(&self) -> usize {
        self.clock.asleep.borrow().len()
    }

    async fn looked(&self, times: usize) {
        let mut asleep = self.clock.asleep.subscribe();
        let looked = asleep.wait_for(|asleep| asleep.len() >= times);
        soon(looked).await.expect("the clock is held here");
    }

    /// Lets time pass until the file was read again.
    pub(super) async fn look(&self) {
        self.look_after(secs(10)).await;
    }

    async fn look_after(&self, by: Duration) {
        let before = self.looks();
        self.clock.clock.advance(by);
        self.looked(before + 1).await;
    }

    /// The same, on that day.
    pub(super) async fn look_on(&self, time: UnixTime) {
        self.look_after(time.saturating_since(self.clock.now()))
            .await;
    }
}

pub(super) fn verdict(source: &AccessTokenSource, token: &str) -> &'static str {
    match source.check(token, &API) {
        Ok(granted) if granted.is_previous() => "previous",
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}

pub(super) fn last_error(source: &AccessTokenSource) -> Option<String> {
    let error = source.health().file?.last_error?;
    Some(error.to_string())
}
