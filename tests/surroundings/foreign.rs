//! Foreign code: a subscriber and a recorder that panic, call back, block or are slow.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use derbysoft_go_auth::GoAuth;
use test_support::log::{log_is_flushed, second_dispatch};
use test_support::passive_runtime;
use test_support::recorder::Recorder;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};

/// What the foreign code does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Silent,
    Panics,
    /// Asks for the health, for a verdict and for the metrics.
    CallsBack,
    /// At the levels that people read, until the history is over.
    Blocks,
    /// A moment each time, at all levels.
    IsSlow,
}

pub(crate) const MANNERS: [Manner; 5] = [
    Manner::Silent,
    Manner::Panics,
    Manner::CallsBack,
    Manner::Blocks,
    Manner::IsSlow,
];

/// A layer of a subscriber, and a recorder.
#[derive(Clone)]
pub(crate) struct Foreign(Arc<Shared>);

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

    /// Calls back into this one.
    pub(crate) fn of(&self, auth: &GoAuth) {
        self.0.auth.set(auth.clone()).expect("the first");
    }

    fn dispatch(&self) -> Dispatch {
        let level = if self.0.manner == Manner::Blocks {
            LevelFilter::INFO
        } else {
            LevelFilter::TRACE
        };
        Dispatch::new(tracing_subscriber::registry().with(self.clone().with_filter(level)))
    }

    fn recorder(&self) -> Recorder {
        let this = self.clone();
        Recorder::new(move || this.count())
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

/// Runs with foreign code of this manner, on a thread and a runtime of its own.
pub(crate) fn with_foreign<T>(manner: Manner, play: impl AsyncFnOnce(&Foreign) -> T) -> T {
    second_dispatch();
    let (foreign, runtime) = (Foreign::new(manner), passive_runtime());
    let dispatch = foreign.dispatch();
    let recorder = foreign.recorder();
    let outcome = tracing::dispatcher::with_default(&dispatch, || {
        metrics::with_local_recorder(&recorder, || runtime.block_on(play(&foreign)))
    });
    foreign.0.is_over.store(true, Ordering::Release);
    log_is_flushed();
    if manner != Manner::Silent {
        assert!(foreign.0.calls.load(Ordering::Relaxed) > 0);
    }
    outcome
}

/// Silences the panics that are on purpose.
pub(crate) fn hush() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"on purpose") {
            say(info);
        }
    }));
}
