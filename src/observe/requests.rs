//! Logging of requests: a debug event for each accepted one, and few events for
//! rejections at the levels that people read.
//!
//! Debug events are emitted in the request's place, the others by [the log's
//! thread](super::foreign).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::Level;

use super::metrics::Meter;
use super::refusals::{Refusals, Said};
use super::{REQUEST, foreign};
use crate::clock::Clock;
use crate::net::task::Background;

/// The kinds that any internet scanner causes, and GO never does: logged at info, the
/// others at warn.
const NOISE: [&str; 6] = [
    "missing_credentials",
    "invalid_request",
    "too_long",
    "malformed",
    "header",
    "algorithm",
];

/// Logging and counting for one `GoAuth` handle. Dropping it flushes pending counts.
#[derive(Debug)]
pub(crate) struct Requests {
    meter: Meter,
    shared: Arc<Shared>,
    teller: Background,
}

/// What the background task shares.
#[derive(Debug)]
struct Shared {
    kinds: Box<[Kind]>,
    refused: Refusals,
    observed: Refusals,
    clock: Arc<dyn Clock>,
    running: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    is_noise: bool,
}

/// An accepted caller: `api` belongs to an Access Token, the other fields to a JWT.
pub(crate) struct Caller<'c> {
    pub(crate) subject: Option<&'c str>,
    pub(crate) token_id: Option<&'c str>,
    pub(crate) issuer: Option<&'c str>,
    pub(crate) kid: Option<&'c str>,
    pub(crate) api: Option<&'c str>,
}

impl Requests {
    /// `kinds`: the names of the rejection kinds. A rejection's kind is given by its
    /// place among them.
    pub(crate) fn new(kinds: Vec<&'static str>, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                refused: Refusals::new(kinds.len()),
                observed: Refusals::new(kinds.len()),
                kinds: (kinds.iter())
                    .map(|name| Kind {
                        name,
                        is_noise: NOISE.contains(name),
                    })
                    .collect(),
                clock,
                running: AtomicBool::new(false),
            }),
            meter: Meter::new(kinds),
            teller: Background::default(),
        }
    }

    /// The metrics of verifying.
    pub(crate) const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Asks for the caller only if the event is enabled. `by_jwt`: by a JWT instead of an
    /// Access Token.
    pub(crate) fn accepted<'c>(&self, by_jwt: bool, caller: impl Fn() -> Caller<'c>) {
        self.meter.accepted(by_jwt);
        foreign::call(|| {
            tracing::debug!(
                target: REQUEST,
                sub = caller().subject,
                jti = caller().token_id,
                issuer = caller().issuer,
                kid = caller().kid,
                api = caller().api,
                "request accepted"
            );
        });
    }

    pub(crate) fn refused(&self, kind: usize, status: u16) {
        self.meter.refused(kind);
        let Some(Kind { name, is_noise }) = self.kind(kind) else {
            return;
        };
        // A disabled event does not read the clock.
        let listening = foreign::call(|| {
            if is_noise {
                tracing::enabled!(target: REQUEST, Level::INFO)
            } else {
                tracing::enabled!(target: REQUEST, Level::WARN)
            }
        });
        if listening != Some(true) {
            return;
        }
        match self.count(kind, &self.shared.refused) {
            Said::First { untold } => {
                self.shared.tell_refused(kind, untold);
                foreign::line_here(move || {
                    if is_noise {
                        tracing::info!(target: REQUEST, kind = name, status, "request refused");
                    } else {
                        tracing::warn!(target: REQUEST, kind = name, status, "request refused");
                    }
                });
            }
            Said::Second | Said::Another => {
                foreign::call(|| {
                    tracing::debug!(target: REQUEST, kind = name, status, "request refused");
                });
            }
        }
    }

    /// A request that would be rejected was passed on, as configured.
    pub(crate) fn observed(&self, kind: usize) {
        const MESSAGE: &str = "request let through unverified: observing only";
        self.meter.observed(kind);
        let Some(Kind { name, .. }) = self.kind(kind) else {
            return;
        };
        let listening = foreign::call(|| tracing::enabled!(target: REQUEST, Level::WARN));
        if listening != Some(true) {
            return;
        }
        match self.count(kind, &self.shared.observed) {
            Said::First { untold } => {
                self.shared.tell_observed(kind, untold);
                foreign::line_here(
                    move || tracing::warn!(target: REQUEST, kind = name, "{MESSAGE}"),
                );
            }
            Said::Second | Said::Another => {
                foreign::call(|| tracing::debug!(target: REQUEST, kind = name, "{MESSAGE}"));
            }
        }
    }

    fn kind(&self, kind: usize) -> Option<Kind> {
        self.shared.kinds.get(kind).copied()
    }

    fn count(&self, kind: usize, refusals: &Refusals) -> Said {
        let said = refusals.count(kind, self.shared.now());
        if said == Said::Second && !self.shared.running.load(Ordering::SeqCst) {
            // Outside tokio the next rejection of the kind reports the count, or the
            // handle's end.
            self.teller
                .start(|| Running::begin(&self.shared).map(Running::tell));
        }
        said
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.shared.tell_due(u32::MAX);
    }
}

impl Shared {
    fn now(&self) -> u32 {
        u32::try_from(self.clock.monotonic().as_secs()).unwrap_or(u32::MAX)
    }

    fn next_end(&self) -> Option<u32> {
        let ends = [self.refused.next_end(), self.observed.next_end()];
        ends.into_iter().flatten().min()
    }

    fn tell_due(&self, now: u32) {
        for (kind, count) in self.refused.take_due(now) {
            self.tell_refused(kind, count);
        }
        for (kind, count) in self.observed.take_due(now) {
            self.tell_observed(kind, count);
        }
    }

    fn tell_refused(&self, kind: usize, count: u32) {
        const MESSAGE: &str = "further requests refused within a minute";
        let Some(&Kind { name, is_noise }) = self.kinds.get(kind).filter(|_| count > 0) else {
            return;
        };
        foreign::line(move || {
            if is_noise {
                tracing::info!(target: REQUEST, kind = name, count, "{MESSAGE}");
            } else {
                tracing::warn!(target: REQUEST, kind = name, count, "{MESSAGE}");
            }
        });
    }

    fn tell_observed(&self, kind: usize, count: u32) {
        let Some(&Kind { name, .. }) = self.kinds.get(kind).filter(|_| count > 0) else {
            return;
        };
        foreign::line(move || {
            tracing::warn!(
                target: REQUEST,
                kind = name,
                count,
                "further requests let through unverified within a minute: observing only"
            );
        });
    }
}

/// Held by the background task while it runs: it exists while a count waits for the end
/// of its minute.
struct Running(Arc<Shared>);

impl Running {
    /// `None` if the task is already running.
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        (!shared.running.swap(true, Ordering::SeqCst)).then(|| Self(Arc::clone(shared)))
    }

    async fn tell(self) {
        let mut this = self;
        loop {
            let shared = Arc::clone(&this.0);
            while let Some(end) = shared.next_end() {
                shared
                    .clock
                    .sleep_until(Duration::from_secs(end.into()))
                    .await;
                shared.tell_due(shared.now());
            }
            drop(this);
            // A second one counted meanwhile relied on this task, which looked as if it
            // was running.
            if shared.next_end().is_none() {
                return;
            }
            match Self::begin(&shared) {
                Some(again) => this = again,
                None => return,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::SeqCst);
    }
}
