//! Metrics, through the `metrics` facade: for whatever recorder is installed.
//!
//! On a request's way each counter is a handle that was looked up once, at the first
//! request. What changes a few times a minute is looked up each time. The recorder is
//! [foreign] code.

use std::fmt;
use std::iter;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label, SharedString, Unit, with_recorder};

use super::foreign;
use super::requests::Kind;
use crate::clock::Clock;

/// Upper bounds of buckets for `go_auth_verify_seconds`, in seconds: from a token
/// rejected for its header, within a few microseconds, through a signature check, which
/// takes 10 to 200, to a wait for keys, which takes at most 30 s.
///
/// The recorder decides which buckets there are; `metrics-exporter-prometheus` makes a
/// summary of a histogram unless configured otherwise, and then a quantile over several
/// replicas is not possible.
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub const VERIFY_SECONDS_BUCKETS: [f64; 15] = [
    2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0, 5.0, 30.0,
];

/// A metric: its name, unit and description.
struct Metric {
    name: &'static str,
    unit: Unit,
    what: &'static str,
}

macro_rules! metrics {
    ($($metric:ident: $unit:ident, $name:literal, $what:literal;)*) => {
        $(const $metric: Metric = Metric { name: $name, unit: Unit::$unit, what: $what };)*
    };
}

metrics! {
    REQUESTS: Count, "go_auth_requests_total",
        "Requests, by what became of them, the kind of credential or rejection, and the issuer";
    VERIFY_SECONDS: Seconds, "go_auth_verify_seconds",
        "Time to verify a JWT that was not known already, waits for keys included";
    TOKEN_CACHE: Count, "go_auth_token_cache_total",
        "Looks into the cache of verified tokens";
    TOKEN_CACHE_BYTES: Bytes, "go_auth_token_cache_bytes",
        "Size of the cache of verified tokens";
    WAITING: Count, "go_auth_waiting_requests",
        "Requests that wait for keys";
    WAITING_MAX: Count, "go_auth_waiting_requests_max",
        "How many requests may wait for keys at once";
    KEY_REFRESHES: Count, "go_auth_key_refreshes_total",
        "Fetches of an issuer's keys that have ended";
    KEY_COUNT: Count, "go_auth_keys",
        "Keys of an issuer that can verify at present";
    KEYS_AGE: Seconds, "go_auth_keys_age_seconds",
        "Time since an issuer's keys were fetched; NaN while there are none";
    KEYS_STATE: Count, "go_auth_keys_state",
        "1 for the state that an issuer's keys are in, 0 for the others";
    ACCESS_TOKEN_LEFT: Seconds, "go_auth_access_token_seconds_left",
        "Time to the end of an API's current access token; NaN once there is none";
    CREDENTIAL_LEFT: Seconds, "go_auth_credential_seconds_left",
        "Time to the end of a credential for GO; NaN once it is not known any more";
}

const KEYS_STATES: [&str; 3] = ["fresh", "stale", "empty"];

impl Metric {
    fn counter(&self, labels: &[Label]) -> Counter {
        with_recorder(|recorder| {
            recorder.describe_counter(self.name.into(), Some(self.unit), self.what.into());
            recorder.register_counter(&self.key(labels), &METADATA)
        })
    }

    fn gauge(&self, labels: &[Label]) -> Gauge {
        with_recorder(|recorder| {
            recorder.describe_gauge(self.name.into(), Some(self.unit), self.what.into());
            recorder.register_gauge(&self.key(labels), &METADATA)
        })
    }

    fn histogram(&self) -> Histogram {
        with_recorder(|recorder| {
            recorder.describe_histogram(self.name.into(), Some(self.unit), self.what.into());
            recorder.register_histogram(&self.key(&[]), &METADATA)
        })
    }

    fn key(&self, labels: &[Label]) -> metrics::Key {
        metrics::Key::from_parts(self.name, labels.to_vec())
    }
}

const METADATA: metrics::Metadata<'static> =
    metrics::Metadata::new("derbysoft_go_auth", metrics::Level::INFO, None);

const fn label(name: &'static str, value: &'static str) -> Label {
    Label::from_static_parts(name, value)
}

/// A value from the configuration.
fn configured(name: &'static str, value: &str) -> Label {
    Label::new(name, SharedString::from(value.to_owned()))
}

/// The metrics of requests.
pub(crate) struct Meter {
    kinds: Box<[Kind]>,
    issuers: Box<[Arc<str>]>,
    handles: OnceLock<Handles>,
    /// For requests that a layer passes on while only observing, which few layers do.
    observed: OnceLock<ByIssuer<Box<[Counter]>>>,
}

struct Handles {
    by_access_token: Counter,
    /// By the place of the issuer.
    by_jwt: Box<[Counter]>,
    refused: ByIssuer<Box<[Counter]>>,
    verify_seconds: Histogram,
    cache_hit: Counter,
    cache_miss: Counter,
    cache_bytes: Gauge,
    waiting: Gauge,
    waiting_max: Gauge,
}

/// One for each trusted issuer in its place, after one for none.
struct ByIssuer<T>(Box<[T]>);

impl<T> ByIssuer<T> {
    fn get(&self, issuer: Option<usize>) -> Option<&T> {
        self.0.get(issuer.map_or(0, |place| place + 1))
    }
}

impl Meter {
    pub(super) fn new(kinds: &[Kind], issuers: &[Arc<str>]) -> Self {
        Self {
            kinds: kinds.into(),
            issuers: issuers.into(),
            handles: OnceLock::new(),
            observed: OnceLock::new(),
        }
    }

    /// `issuer`: of a JWT; `None` for an Access Token.
    pub(super) fn accepted(&self, issuer: Option<usize>) {
        foreign::call(|| {
            let handles = self.handles();
            let counter = match issuer {
                Some(place) => handles.by_jwt.get(place),
                None => Some(&handles.by_access_token),
            };
            if let Some(counter) = counter {
                counter.increment(1);
            }
        });
    }

    pub(super) fn refused(&self, kind: usize, issuer: Option<usize>) {
        foreign::call(|| count(&self.handles().refused, kind, issuer));
    }

    pub(super) fn observed(&self, kind: usize, issuer: Option<usize>) {
        foreign::call(|| {
            let observed = looked_up(&self.observed, || self.each_kind("observed"));
            count(observed, kind, issuer);
        });
    }

    pub(crate) fn cache_hit(&self) {
        foreign::call(|| self.handles().cache_hit.increment(1));
    }

    /// If a credential is checked several times, the first time counts.
    pub(crate) fn cache_miss(&self, stopwatch: &Stopwatch) {
        if stopwatch.0.is_none() {
            foreign::call(|| self.handles().cache_miss.increment(1));
        }
    }

    pub(crate) fn cache_bytes(&self, bytes: impl FnOnce() -> u64) {
        // Exact below 2^53.
        #[allow(clippy::cast_precision_loss)]
        foreign::call(|| self.handles().cache_bytes.set(bytes() as f64));
    }

    /// How many requests wait for keys, and how many may.
    pub(crate) fn waiting(&self, now: usize, max: usize) {
        #[allow(clippy::cast_precision_loss, reason = "at most 65,536")]
        foreign::call(|| {
            let handles = self.handles();
            handles.waiting.set(now as f64);
            handles.waiting_max.set(max as f64);
        });
    }

    /// Records the time if the stopwatch was started.
    pub(crate) fn verified(&self, stopwatch: &Stopwatch, clock: &dyn Clock) {
        if let Some(started) = stopwatch.0 {
            let took = clock.monotonic().saturating_sub(started);
            foreign::call(|| self.handles().verify_seconds.record(took));
        }
    }

    fn handles(&self) -> &Handles {
        looked_up(&self.handles, || {
            let accepted = |kind, issuer| requests("accepted", kind, issuer);
            Handles {
                by_access_token: accepted("access_token", NO_ISSUER),
                by_jwt: (self.issuers())
                    .map(|issuer| accepted("jwt", issuer))
                    .collect(),
                refused: self.each_kind("refused"),
                verify_seconds: VERIFY_SECONDS.histogram(),
                cache_hit: TOKEN_CACHE.counter(&[label("result", "hit")]),
                cache_miss: TOKEN_CACHE.counter(&[label("result", "miss")]),
                cache_bytes: TOKEN_CACHE_BYTES.gauge(&[]),
                waiting: WAITING.gauge(&[]),
                waiting_max: WAITING_MAX.gauge(&[]),
            }
        })
    }

    /// All of them from the start: a counter that appears with its first increment seems
    /// not to have increased.
    fn each_kind(&self, outcome: &'static str) -> ByIssuer<Box<[Counter]>> {
        let no_issuer = iter::once((NO_ISSUER, false));
        let issuers = self.issuers().map(|issuer| (issuer, true));
        let each = no_issuer.chain(issuers).map(|(issuer, is_known)| {
            let counter = |kind: &Kind| {
                if kind.is_noise && is_known {
                    Counter::noop()
                } else {
                    requests(outcome, kind.name, issuer.clone())
                }
            };
            self.kinds.iter().map(counter).collect()
        });
        ByIssuer(each.collect())
    }

    fn issuers(&self) -> impl Iterator<Item = Label> {
        self.issuers
            .iter()
            .map(|issuer| configured("issuer", issuer))
    }
}

const NO_ISSUER: Label = label("issuer", "");

fn requests(outcome: &'static str, kind: &'static str, issuer: Label) -> Counter {
    REQUESTS.counter(&[label("outcome", outcome), label("kind", kind), issuer])
}

fn count(counters: &ByIssuer<Box<[Counter]>>, kind: usize, issuer: Option<usize>) {
    if let Some(counter) = counters.get(issuer).and_then(|kinds| kinds.get(kind)) {
        counter.increment(1);
    }
}

/// The value looked up before, or now: outside `get_or_init`, where others would wait for
/// a slow recorder. Of several lookups at once one is kept.
fn looked_up<T>(place: &OnceLock<T>, look_up: impl FnOnce() -> T) -> &T {
    if let Some(found) = place.get() {
        return found;
    }
    let found = look_up();
    place.get_or_init(|| found)
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

/// When verifying a credential began, in elapsed time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Option<Duration>);

impl Stopwatch {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// If it is already running, it continues.
    pub(crate) fn start(&mut self, clock: &dyn Clock) {
        self.0.get_or_insert_with(|| clock.monotonic());
    }
}

/// How a fetch of keys ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refresh {
    Changed,
    Unchanged,
    Failed,
}

impl Refresh {
    const ALL: [Self; 3] = [Self::Changed, Self::Unchanged, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// An issuer's keys are to be fetched: the counters start at 0.
pub(crate) fn key_refreshes(issuer: &str) {
    foreign::call(|| {
        for result in Refresh::ALL {
            key_refresh_counter(issuer, result).increment(0);
        }
    });
}

pub(super) fn key_refresh(issuer: &str, result: Refresh) {
    foreign::call(|| key_refresh_counter(issuer, result).increment(1));
}

/// Has another thread count a failed fetch.
pub(super) fn key_refresh_failed_later(issuer: &str) {
    let issuer = issuer.to_owned();
    foreign::line(move || key_refresh_counter(&issuer, Refresh::Failed).increment(1));
}

fn key_refresh_counter(issuer: &str, result: Refresh) -> Counter {
    KEY_REFRESHES.counter(&[
        configured("issuer", issuer),
        label("result", result.as_str()),
    ])
}

/// An issuer's keys: how many can verify, how old they are (`None` if there are none, or
/// they have no age), and their state.
pub(crate) fn key_set(issuer: &str, keys: usize, age: Option<Duration>, state: &str) {
    let issuer = || configured("issuer", issuer);
    foreign::call(|| {
        #[allow(clippy::cast_precision_loss, reason = "at most a hundred")]
        KEY_COUNT.gauge(&[issuer()]).set(keys as f64);
        KEYS_AGE.gauge(&[issuer()]).set(seconds(age));
        for possible in KEYS_STATES {
            let gauge = KEYS_STATE.gauge(&[issuer(), label("state", possible)]);
            gauge.set(f64::from(u8::from(possible == state)));
        }
    });
}

pub(crate) fn access_token_left(api: &str, left: Duration) {
    set_seconds(&ACCESS_TOKEN_LEFT, configured("api", api), Some(left));
}

/// No token of this API is left.
pub(crate) fn access_token_gone(api: &str) {
    set_seconds(&ACCESS_TOKEN_LEFT, configured("api", api), None);
}

/// `left`: `None` if it was known, and no longer is.
pub(crate) fn credential_left(endpoint: &str, left: Option<Duration>) {
    set_seconds(&CREDENTIAL_LEFT, configured("endpoint", endpoint), left);
}

fn set_seconds(metric: &Metric, label: Label, time: Option<Duration>) {
    foreign::call(|| metric.gauge(&[label]).set(seconds(time)));
}

/// A gauge can't be removed; NaN crosses no threshold.
fn seconds(time: Option<Duration>) -> f64 {
    time.map_or(f64::NAN, |time| time.as_secs_f64())
}
