//! Whatever the application's subscriber and recorder do, it changes no verdict, no fetch and no
//! state: they panic at each call, call back, or block, and all is as with silent ones.
//!
//! A process of its own: a subscriber that blocks keeps the thread that emits events.

#![allow(clippy::expect_used)]

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::outbound::{ClientPair, Gateway};
use derbysoft_go_auth::{AccessTokenSource, Clock, GoAuth, ManualClock, UnixTime};
use derbysoft_go_simulator::{Fault, GatewayFailure, Simulator};
use http::{Request, Response};
use http_body_util::Full;
use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tower::{Layer as _, ServiceExt as _};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};

/// What the foreign code does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Silent,
    Panics,
    /// Asks for the health, for a verdict and for the metrics.
    CallsBack,
    /// At the levels that people read, until the history is over.
    Blocks,
    /// A moment each time, at all levels.
    IsSlow,
}

const MANNERS: [Manner; 5] = [
    Manner::Silent,
    Manner::Panics,
    Manner::CallsBack,
    Manner::Blocks,
    Manner::IsSlow,
];

/// A subscriber's layer and a recorder in one.
#[derive(Clone)]
struct Foreign(Arc<Shared>);

struct Shared {
    manner: Manner,
    auth: OnceLock<GoAuth>,
    is_over: AtomicBool,
    calls: AtomicUsize,
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.manner)
    }
}

impl Foreign {
    fn new(manner: Manner) -> Self {
        Self(Arc::new(Shared {
            manner,
            auth: OnceLock::new(),
            is_over: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        }))
    }

    fn dispatch(&self) -> Dispatch {
        let level = if self.0.manner == Manner::Blocks {
            LevelFilter::INFO
        } else {
            LevelFilter::TRACE
        };
        Dispatch::new(tracing_subscriber::registry().with(self.clone().with_filter(level)))
    }

    fn log(&self) {
        if self.0.manner == Manner::Blocks {
            while !self.0.is_over.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.count();
    }

    fn count(&self) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        match self.0.manner {
            Manner::Silent | Manner::Blocks => {}
            Manner::Panics => panic!("on purpose"),
            Manner::IsSlow => std::thread::sleep(Duration::from_micros(200)),
            Manner::CallsBack => {
                if let Some(auth) = self.0.auth.get() {
                    let _ = auth.health();
                    auth.record_metrics();
                    let mut verdict = std::pin::pin!(auth.verify("a.b.c"));
                    let waker = Waker::noop();
                    assert!(
                        verdict
                            .as_mut()
                            .poll(&mut Context::from_waker(waker))
                            .is_ready()
                    );
                }
            }
        }
    }
}

fn is_ours(target: &str) -> bool {
    target.starts_with("derbysoft_go_auth") && !target.contains("simulator")
}

impl<S: Subscriber> Layer<S> for Foreign {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        if is_ours(event.metadata().target()) {
            self.log();
        }
    }
}

impl CounterFn for Foreign {
    fn increment(&self, _: u64) {
        self.count();
    }

    fn absolute(&self, _: u64) {
        self.count();
    }
}

impl GaugeFn for Foreign {
    fn increment(&self, _: f64) {
        self.count();
    }

    fn decrement(&self, _: f64) {
        self.count();
    }

    fn set(&self, _: f64) {
        self.count();
    }
}

impl HistogramFn for Foreign {
    fn record(&self, _: f64) {
        self.count();
    }
}

impl metrics::Recorder for Foreign {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn register_counter(&self, _: &Key, _: &metrics::Metadata<'_>) -> Counter {
        self.count();
        Counter::from_arc(Arc::new(self.clone()))
    }

    fn register_gauge(&self, _: &Key, _: &metrics::Metadata<'_>) -> Gauge {
        self.count();
        Gauge::from_arc(Arc::new(self.clone()))
    }

    fn register_histogram(&self, _: &Key, _: &metrics::Metadata<'_>) -> Histogram {
        self.count();
        Histogram::from_arc(Arc::new(self.clone()))
    }
}

/// Plays with foreign code of this manner, on a thread and a runtime of its own.
fn with_foreign<T>(manner: Manner, play: impl AsyncFnOnce(&Foreign) -> T) -> T {
    // With a single subscriber alive, tracing would remember what the first of them wanted.
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(tracing::subscriber::NoSubscriber::default()));
    let foreign = Foreign::new(manner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let dispatch = foreign.dispatch();
    let outcome = tracing::dispatcher::with_default(&dispatch, || {
        metrics::with_local_recorder(&foreign, || runtime.block_on(play(&foreign)))
    });
    foreign.0.is_over.store(true, Ordering::Release);
    assert!(derbysoft_go_auth::flush_log(Duration::from_secs(30)));
    if manner != Manner::Silent {
        assert!(foreign.0.calls.load(Ordering::Relaxed) > 0);
    }
    outcome
}

/// Panics on purpose say nothing.
fn hush() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"on purpose") {
            say(info);
        }
    }));
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}

fn clock() -> ManualClock {
    let now = ManualClock::starting_now().now().as_secs();
    ManualClock::new(UnixTime::from_secs(now))
}

#[derive(Debug, Clone)]
enum Step {
    Push,
    Forged,
    /// Of a key that nobody publishes, issued long ago.
    Unknown,
    Missing,
    Invalid,
    /// Refused by the layer's own check.
    Turned,
    Observed,
    Rotate,
    Retire,
    Fail,
    Heal,
    /// A minute, and a stranger after it: so exactly one fetch comes, whoever causes it.
    Minute,
    Refresh,
    Expire,
}

/// What shows from outside: the answers, the fetches, the keys and their state.
type Shown = Vec<String>;

async fn play(foreign: &Foreign, history: &[Step]) -> Shown {
    let clock = clock();
    let go = Simulator::start().await.expect("a free port");
    let auth = GoAuth::builder()
        .issuer(go.issuer())
        .audience(go.audience())
        .jwks_url(go.jwks_url())
        .refresh_interval(Duration::from_secs(7 * 86_400))
        .max_stale(Duration::from_secs(7 * 86_400))
        .clock(clock.clone())
        .build()
        .expect("a good configuration");
    foreign.0.auth.set(auth.clone()).expect("the first");
    let handler = || {
        tower::service_fn(|_: Request<()>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        })
    };
    let door = auth.layer();
    let picky = auth.layer().check(|_| false);
    let observer = auth.layer().danger_observe_only();
    let mut shown = Vec::new();
    for step in [Step::Push].iter().chain(history) {
        let now = i64::try_from(clock.now().as_secs()).expect("before 9999");
        let mint = || go.mint().at(now);
        let long_ago = || mint().kid("nobody's").claim("iat", 1_600_000_000).token();
        let (layer, authorization) = match step {
            Step::Push => (&door, Some(mint().token())),
            Step::Forged => {
                let kind = derbysoft_go_simulator::SignatureKind::Corrupted;
                (&door, Some(mint().signature(kind).token()))
            }
            Step::Unknown => (&door, Some(long_ago())),
            Step::Missing => (&door, None),
            Step::Invalid => (&door, Some("a, b".to_owned())),
            Step::Turned => (&picky, Some(mint().token())),
            Step::Observed => (&observer, Some("a.b.c".to_owned())),
            Step::Rotate => {
                go.rotate();
                continue;
            }
            Step::Retire => {
                go.retire_all_but_current();
                continue;
            }
            Step::Fail => {
                go.fail(Fault::Status(500));
                continue;
            }
            Step::Heal => {
                go.heal();
                continue;
            }
            Step::Minute => {
                clock.advance(Duration::from_secs(61));
                (&door, Some(long_ago()))
            }
            Step::Refresh => {
                shown.push(format!("{:?}", soon(auth.refresh()).await));
                continue;
            }
            Step::Expire => {
                clock.advance(Duration::from_secs(7 * 86_400));
                (&door, Some(long_ago()))
            }
        };
        let mut request = Request::new(());
        if let Some(authorization) = authorization {
            let value = authorization.parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        }
        let Ok(response) = soon(layer.layer(handler()).oneshot(request)).await;
        let health = auth.health();
        shown.push(format!(
            "{step:?}: {} {} {:?}",
            response.status(),
            go.fetches(),
            health.issuers[0]
        ));
    }
    shown
}

fn histories() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        2 => Just(Step::Forged),
        2 => Just(Step::Unknown),
        1 => Just(Step::Missing),
        1 => Just(Step::Invalid),
        1 => Just(Step::Turned),
        1 => Just(Step::Observed),
        2 => Just(Step::Rotate),
        1 => Just(Step::Retire),
        1 => Just(Step::Fail),
        2 => Just(Step::Heal),
        3 => Just(Step::Minute),
        1 => Just(Step::Refresh),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..25)
}

#[test]
fn whatever_foreign_code_does_nothing_else_changes() {
    hush();
    given_a_withdrawal_a_broken_log_keeps_no_key();
    given_a_refused_pair_a_broken_log_sends_it_once();
    given_a_file_of_access_tokens_a_broken_log_keeps_none();
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let compared = |history: Vec<Step>| {
        let silent = with_foreign(Manner::Silent, async |foreign| {
            play(foreign, &history).await
        });
        for manner in MANNERS {
            let shown = with_foreign(manner, async |foreign| play(foreign, &history).await);
            assert_eq!(shown, silent, "{manner:?}");
        }
        Ok(())
    };
    if let Err(error) = runner.run(&histories(), compared) {
        panic!("{error}");
    }
}

/// GO rotates while each log line panics: the new key counts, and the old one no longer.
fn given_a_withdrawal_a_broken_log_keeps_no_key() {
    for manner in MANNERS {
        with_foreign(manner, async |foreign| {
            let (clock, go) = (clock(), Simulator::start().await.expect("a free port"));
            let auth = GoAuth::builder()
                .issuer(go.issuer())
                .audience(go.audience())
                .jwks_url(go.jwks_url())
                .clock(clock.clone())
                .build()
                .expect("a good configuration");
            foreign.0.auth.set(auth.clone()).expect("the first");
            let lasting = |mint: derbysoft_go_simulator::Mint| {
                let now = i64::try_from(clock.now().as_secs()).expect("before 9999");
                mint.at(now).expires_in(90_000).token()
            };
            soon(auth.ready()).await.expect("GO is well");
            let old = lasting(go.mint());
            soon(auth.verify(&old)).await.expect("genuine");
            go.rotate();
            go.retire_all_but_current();
            let new = lasting(go.mint());
            clock.advance(Duration::from_secs(270));
            soon(go.wait_for_fetches(2)).await;
            // The refresh has ended when the new key counts.
            for _ in 0..1000 {
                if auth.health().issuers[0].keys == 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            soon(auth.verify(&new)).await.expect("genuine");
            soon(auth.verify(&old)).await.expect_err("withdrawn");
            assert_eq!(auth.health().state().as_str(), "fresh");

            // Past `max_stale` nothing serves, and nothing panics in a `Drop`.
            go.fail(Fault::Cut);
            clock.advance(Duration::from_secs(86_400));
            soon(auth.verify(&new)).await.expect_err("past the bound");
            let before = go.fetches();
            for _ in 0..100 {
                soon(auth.verify(&new)).await.expect_err("past the bound");
            }
            assert_eq!(go.fetches(), before, "{manner:?}");
        });
    }
}

/// The gateway refuses the client pair: it is asked once, not with each call.
fn given_a_refused_pair_a_broken_log_sends_it_once() {
    for manner in MANNERS {
        with_foreign(manner, async |_| {
            let clock = clock();
            let go = Simulator::builder().clock(clock.clone()).start().await;
            let go = go.expect("a free port");
            go.refuse_tokens(Some(GatewayFailure::ALL[5]));
            let client = go.client();
            let issued = clock
                .now()
                .saturating_sub(Duration::from_secs(179 * 86_400));
            let pair = ClientPair::new(client.client_id, client.client_secret);
            let gateway = Gateway::builder()
                .token_url(go.token_url())
                .api(go.gateway_url())
                .credentials(pair.issued_at(issued))
                .clock(clock)
                .build()
                .expect("good settings");
            for _ in 0..100 {
                soon(gateway.ready()).await.expect_err("refused");
                let _ = gateway.health();
            }
            assert_eq!(go.token_fetches(), 1, "{manner:?}");
        });
    }
}

/// A token is taken out of the file: refused, whatever becomes of the line that says so.
fn given_a_file_of_access_tokens_a_broken_log_keeps_none() {
    const KEPT: &str = "53ac077700000000000000000000abcd";
    const GONE: &str = "be11e5e100000000000000000000abcd";
    let entry = |api: &str, token: &str| {
        format!("[[token]]\napi = \"{api}\"\ntoken = \"{token}\"\nissued = 2026-11-01T00:00:00Z\n")
    };
    for manner in MANNERS {
        with_foreign(manner, async |_| {
            let clock = ManualClock::new(UnixTime::from_secs(1_795_000_000));
            let file = tempfile::NamedTempFile::new().expect("a file");
            let both = entry("own", KEPT) + &entry("other", GONE);
            std::fs::write(file.path(), both).expect("written");
            let clock = Arc::new(clock);
            let tokens = AccessTokenSource::file(file.path(), clock).expect("a good file");
            let other = derbysoft_go_auth::Api::new("other").expect("a name");
            tokens.check(GONE, &other).expect("held");
            std::fs::write(file.path(), entry("own", KEPT)).expect("written");
            soon(tokens.reload()).await.expect("a good file");
            tokens.check(GONE, &other).expect_err("taken out");
            std::fs::write(file.path(), "nonsense").expect("written");
            soon(tokens.reload()).await.expect_err("a bad file");
            assert!(tokens.health().file.expect("a file").last_error.is_some());
        });
    }
}
