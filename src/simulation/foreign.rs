//! A log and a recorder that fail at times: each call panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
    SharedString, Unit,
};
use tracing::span;
use tracing::{Event, Subscriber};

#[derive(Debug, Clone, Default)]
pub(super) struct Foreign(Arc<AtomicBool>);

impl Foreign {
    pub(super) fn fails(&self, fails: bool) {
        self.0.store(fails, Ordering::Relaxed);
    }

    fn call(&self) {
        if self.0.load(Ordering::Relaxed) {
            // Without a word on standard error.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}

impl Subscriber for Foreign {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        self.call();
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl CounterFn for Foreign {
    fn increment(&self, _: u64) {
        self.call();
    }

    fn absolute(&self, _: u64) {
        self.call();
    }
}

impl GaugeFn for Foreign {
    fn increment(&self, _: f64) {
        self.call();
    }

    fn decrement(&self, _: f64) {
        self.call();
    }

    fn set(&self, _: f64) {
        self.call();
    }
}

impl HistogramFn for Foreign {
    fn record(&self, _: f64) {
        self.call();
    }
}

impl metrics::Recorder for Foreign {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.call();
        Counter::from_arc(Arc::new(self.clone()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        self.call();
        Gauge::from_arc(Arc::new(self.clone()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        self.call();
        Histogram::from_arc(Arc::new(self.clone()))
    }
}
