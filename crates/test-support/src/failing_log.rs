//! Logs that fail.

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

struct FailingLog<F>(F);

/// Calls `fail` with the message of each event; it may panic, or take its time.
pub fn failing_log(fail: impl Fn(&str) + Send + Sync + 'static) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(FailingLog(fail)))
}

/// Panics at each event of one message, on this thread, until the guard is dropped.
pub fn panics_at(message: &'static str) -> DefaultGuard {
    let log = failing_log(move |logged| assert!(logged != message, "on purpose"));
    tracing::dispatcher::set_default(&log)
}

impl<S: Subscriber, F: Fn(&str) + 'static> Layer<S> for FailingLog<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        (self.0)(&message.0);
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
