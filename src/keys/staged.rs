//! A key address as a model has it. Each of its documents has a key of its own, named by
//! the document's number, and the one key that is in all of them.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use derbysoft_go_simulator::{PublishedKey, SigningKey};

use super::fetch::{Document, Failed, FetchError, Fetched, Mode};
use super::freshness::Schedule;
use super::source::Source;
use super::{KeySet, KeySource, Published, SnapshotFile};
use crate::clock::{Clock, ManualClock};
use crate::sync::{AtMost, AtomicBool, AtomicU64, any, pause};

/// The name of the key that is in every document.
pub(crate) const COMMON: &str = "common";

pub(crate) const SCHEDULE: Schedule = Schedule {
    interval: Duration::from_secs(300),
    cooldown: Duration::from_secs(10),
    max_stale: Duration::from_secs(3600),
    longest_retry: Duration::from_secs(60),
};

#[derive(Debug)]
pub(crate) struct Staged {
    clock: ManualClock,
    /// The number of the document that is at the address now.
    now: AtomicU64,
    under_way: AtMost,
    /// One in so many fetches fails; none if 0.
    fails: usize,
    /// All do.
    is_down: AtomicBool,
}

/// A document's keys, and what signs with them.
struct Edition {
    document: Document,
    own: SigningKey,
}

static COMMON_KEY: LazyLock<PublishedKey> =
    LazyLock::new(|| PublishedKey::fresh().with_kid(COMMON));

static EDITIONS: LazyLock<[Edition; 6]> = LazyLock::new(|| {
    [0, 1, 2, 3, 4, 5].map(|number: u64| {
        let own = PublishedKey::fresh().with_kid(number.to_string());
        let document = serde_json::json!({ "keys": [COMMON_KEY.jwk(), own.jwk()] }).to_string();
        Edition {
            document: Document {
                keys: KeySet::from_document(document.as_bytes()).expect("two keys"),
                bytes: document.into(),
                validator: None,
            },
            own: own.signing_key().expect("a key that signs").clone(),
        }
    })
});

/// The key that is in every document.
pub(crate) fn common() -> SigningKey {
    COMMON_KEY.signing_key().expect("a key that signs").clone()
}

impl Staged {
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

    /// At most so many fetches are made at a time.
    pub(crate) fn new(clock: &ManualClock, most: u64, fails: usize) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            now: AtomicU64::new(0),
            under_way: AtMost::new(most),
            fails,
            is_down: AtomicBool::new(false),
        })
    }

    /// The key of the document with this number.
    pub(crate) fn key(number: u64) -> SigningKey {
        EDITIONS[usize::try_from(number).expect("small")]
            .own
            .clone()
    }

    /// The number of the document that is at the address now.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }

    /// The next document takes the place of this one.
    pub(crate) fn rotate(&self) -> u64 {
        let next = self.now.fetch_add(1, SeqCst) + 1;
        // What is asked for from now on is not asked for at the same time.
        self.clock.advance(Duration::from_secs(1));
        next
    }

    pub(crate) fn go_down(&self) {
        self.is_down.store(true, SeqCst);
    }

    pub(super) async fn fetch(
        &self,
        clock: &dyn Clock,
        held: &Document,
        mode: Mode,
    ) -> Result<Fetched, Failed> {
        let end = clock.monotonic() + Self::TIMEOUT;
        let _under_way = self.under_way.enter();
        pause().await;
        let now = self.now();
        pause().await;
        if clock.monotonic() >= end {
            return Err(FetchError::Timeout.into());
        }
        let fails = self.fails > 0 && any(self.fails) == 0;
        if fails || self.is_down.load(SeqCst) {
            return Err(FetchError::Status(500).into());
        }
        let is_held = mode == Mode::Conditional && number(&held.keys) == Some(now);
        let edition = &EDITIONS[usize::try_from(now).expect("small")];
        Ok(Fetched {
            document: (!is_held).then(|| edition.document.clone()),
            max_age: None,
        })
    }
}

/// The number of the document that a set is from; `None` if it has none of its own.
fn number(keys: &KeySet) -> Option<u64> {
    keys.keys().find_map(|(kid, _)| kid.parse().ok())
}

impl Published {
    /// See [`number`].
    pub(crate) fn edition(&self) -> Option<u64> {
        number(&self.keys)
    }

    pub(crate) fn has(&self, kid: &str) -> bool {
        self.keys.keys().any(|(held, _)| held == kid)
    }
}

impl KeySource {
    pub(crate) fn staged(issuer: &str, staged: &Arc<Staged>) -> Self {
        Self::saved(issuer, staged, None)
    }

    /// The same, with a snapshot.
    pub(super) fn saved(
        issuer: &str,
        staged: &Arc<Staged>,
        snapshot: Option<SnapshotFile>,
    ) -> Self {
        let source = Source::Staged(Arc::clone(staged));
        let clock = Arc::new(staged.clock.clone());
        Self::refreshed(issuer, source, snapshot, SCHEDULE, clock, Arc::default())
    }

    /// The published set.
    pub(crate) fn published(&self) -> Arc<Published> {
        self.current.load_full()
    }
}
