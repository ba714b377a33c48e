//! A subscriber that records every event of this crate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};

use test_support::log::{log_is_flushed, second_dispatch};

/// An event or a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) target: String,
    pub(super) level: Level,
    /// Of a span, its name.
    pub(super) message: String,
    pub(super) fields: BTreeMap<&'static str, String>,
}

impl Logged {
    fn new(metadata: &Metadata<'_>) -> Self {
        Self {
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            message: String::new(),
            fields: BTreeMap::new(),
        }
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.message = value,
            name => {
                self.fields.insert(name, value);
            }
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Records what is logged on the threads that it was set for.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness {
    events: Arc<Mutex<Vec<Logged>>>,
    spans: Arc<Mutex<Vec<Logged>>>,
}

impl Witness {
    /// Listens on this thread, at this level and above.
    pub(super) fn listening(level: LevelFilter) -> (Self, DefaultGuard) {
        let witness = Self::default();
        let guard = tracing::subscriber::set_default(witness.subscriber(level));
        (witness, guard)
    }

    pub(super) fn dispatch(&self, level: LevelFilter) -> Dispatch {
        Dispatch::new(self.subscriber(level))
    }

    fn subscriber(&self, level: LevelFilter) -> impl Subscriber + Send + Sync + use<> {
        second_dispatch();
        tracing_subscriber::registry().with(self.clone().with_filter(level))
    }

    /// All events so far but the simulator's.
    pub(super) fn events(&self) -> Vec<Logged> {
        log_is_flushed();
        taken(&self.events)
    }

    /// What is logged about requests but for the details of their claims.
    pub(super) fn verdicts(&self) -> Vec<Logged> {
        let mut events = self.events();
        events.retain(|it| it.target == "derbysoft_go_auth::request");
        events.retain(|it| it.message != "claim rejected");
        events
    }

    pub(super) fn spans(&self) -> Vec<Logged> {
        taken(&self.spans)
    }

    pub(super) fn clear(&self) {
        log_is_flushed();
        (self.events.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The events with this message.
    pub(super) fn of(&self, message: &str) -> Vec<Logged> {
        let mut events = self.events();
        events.retain(|event| event.message == message);
        events
    }
}

fn taken(of: &Mutex<Vec<Logged>>) -> Vec<Logged> {
    of.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The simulator stands for GO; its own log does not count.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target.starts_with("derbysoft_go_auth") && !target.contains("::simulator")
}

impl<S: Subscriber> Layer<S> for Witness {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if is_ours(event.metadata()) {
            let mut logged = Logged::new(event.metadata());
            event.record(&mut logged);
            (self.events.lock())
                .unwrap_or_else(PoisonError::into_inner)
                .push(logged);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if is_ours(attributes.metadata()) {
            let mut logged = Logged::new(attributes.metadata());
            attributes.record(&mut logged);
            attributes.metadata().name().clone_into(&mut logged.message);
            (self.spans.lock())
                .unwrap_or_else(PoisonError::into_inner)
                .push(logged);
        }
    }
}
