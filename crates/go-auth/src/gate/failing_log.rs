//! A log that fails, for tests: it panics at each event of one message.

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

struct PanicsAt(&'static str);

/// Holds for this thread, until it is dropped.
pub(super) fn panics_at(message: &'static str) -> DefaultGuard {
    tracing::subscriber::set_default(tracing_subscriber::registry().with(PanicsAt(message)))
}

impl<S: Subscriber> Layer<S> for PanicsAt {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        assert!(message.0 != self.0, "on purpose");
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
