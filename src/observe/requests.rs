//! Logging and counting of requests: a debug event for each accepted one, and few events
//! for rejections at the levels that people read.
//!
//! Debug events are emitted in the request's place, the others by [the log's
//! thread](super::foreign).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::HeaderMap;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::metrics::Meter;
use super::refusals::{Counted, Refusals};
use super::trace_context::traceparent;
use super::{REQUEST, foreign};
use crate::clock::Clock;
use crate::net::task::Background;
use crate::sync::AtomicBool;

/// The kinds that any internet scanner causes, and GO never does: logged at info, the
/// others at warn. They are found before it is known whose rules apply.
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
    reporter: Background,
}

/// What the background task shares.
#[derive(Debug)]
struct Shared {
    kinds: Box<[Kind]>,
    issuers: Box<[Arc<str>]>,
    refused: Series,
    observed: Series,
    clock: Arc<dyn Clock>,
    running: AtomicBool,
}

/// Events of which the first of a kind is logged, and then how many followed.
#[derive(Debug)]
struct Series {
    first: &'static str,
    more: &'static str,
    /// Whether what scanners cause is logged at info.
    has_noise: bool,
    counts: Refusals,
}

/// The kind of a rejection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) is_noise: bool,
}

/// Emits at info what scanners cause, everything else at warn.
macro_rules! event {
    ($is_noise:ident, $($event:tt)+) => {
        if $is_noise {
            tracing::info!(target: REQUEST, $($event)+);
        } else {
            tracing::warn!(target: REQUEST, $($event)+);
        }
    };
}

/// An accepted caller: `api` belongs to an Access Token, the other fields to a JWT.
pub(crate) struct Caller<'c> {
    pub(crate) subject: Option<&'c str>,
    pub(crate) token_id: Option<&'c str>,
    pub(crate) issuer: Option<&'c str>,
    pub(crate) kid: Option<&'c str>,
    pub(crate) api: Option<&'c str>,
}

/// A rejection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rejected<'r> {
    /// The place of its kind's name.
    pub(crate) kind: usize,
    /// Fixed words.
    pub(crate) detail: &'static str,
    /// Of the answer.
    pub(crate) status: u16,
    /// The place of the issuer whose rules were applied.
    pub(crate) issuer: Option<usize>,
    /// How a genuine token's claims differ from what a handler expects.
    pub(crate) claims: Option<&'r str>,
    /// Of the request; not looked at unless a line is logged.
    pub(crate) headers: &'r HeaderMap,
}

impl Requests {
    /// `kinds`: the names of the rejection kinds; `issuers`: those of the trusted issuers.
    /// A rejection names both by their places.
    pub(crate) fn new(
        kinds: Vec<&'static str>,
        issuers: Box<[Arc<str>]>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let kinds: Box<[_]> = (kinds.into_iter())
            .map(|name| Kind {
                name,
                is_noise: NOISE.contains(&name),
            })
            .collect();
        Self {
            meter: Meter::new(&kinds, &issuers),
            shared: Arc::new(Shared {
                issuers,
                refused: Series {
                    first: "request rejected",
                    more: "further requests rejected within a minute",
                    has_noise: true,
                    counts: Refusals::new(kinds.len()),
                },
                observed: Series {
                    first: "request admitted unverified: observing only",
                    more: "further requests admitted unverified within a minute: observing only",
                    has_noise: false,
                    counts: Refusals::new(kinds.len()),
                },
                kinds,
                clock,
                running: AtomicBool::new(false),
            }),
            reporter: Background::default(),
        }
    }

    /// The metrics of verifying.
    pub(crate) const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Asks for the caller only if the event is enabled. `issuer`: the place of a JWT's;
    /// `None` for an Access Token.
    pub(crate) fn accepted<'c>(&self, issuer: Option<usize>, caller: impl Fn() -> Caller<'c>) {
        self.meter.accepted(issuer);
        // Asks no subscriber: a request costs less for it where none listens.
        if Level::DEBUG > LevelFilter::current() {
            return;
        }
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

    pub(crate) fn refused(&self, rejected: Rejected<'_>) {
        self.meter.refused(rejected.kind, rejected.issuer);
        self.report(&self.shared.refused, rejected, Some(rejected.status));
    }

    /// A request that would be rejected was passed on, as configured.
    pub(crate) fn observed(&self, rejected: Rejected<'_>) {
        self.meter.observed(rejected.kind, rejected.issuer);
        self.report(&self.shared.observed, rejected, None);
    }

    fn report(&self, series: &Series, rejected: Rejected<'_>, status: Option<u16>) {
        let Rejected { kind, detail, .. } = rejected;
        let Some((name, is_noise)) = self.shared.kind(series, kind) else {
            return;
        };
        let issuer = (rejected.issuer).and_then(|place| self.shared.issuers.get(place));
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
        let first = series.first;
        let counted = series.counts.count(kind, self.shared.now());
        if let Counted::First { unreported } = counted {
            self.shared.report_more(series, kind, unreported);
            let (issuer, claims) = (issuer.cloned(), rejected.claims.map(str::to_owned));
            let traceparent = traceparent(rejected.headers).map(str::to_owned);
            foreign::line_here(move || {
                let issuer = issuer.as_deref();
                event!(
                    is_noise,
                    kind = name,
                    status,
                    detail,
                    issuer,
                    claims,
                    traceparent,
                    "{first}"
                );
            });
            return;
        }
        if counted == Counted::Second && !self.shared.running.load(Ordering::SeqCst) {
            // Outside tokio the next rejection of the kind reports the count, or the
            // handle's end.
            self.reporter
                .start(|| Running::begin(&self.shared).map(Running::report));
        }
        let (issuer, claims) = (issuer.map(|issuer| &**issuer), rejected.claims);
        foreign::call(|| {
            tracing::debug!(
                target: REQUEST, kind = name, status, detail, issuer, claims,
                traceparent = traceparent(rejected.headers), "{first}"
            );
        });
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.shared.report_due(u32::MAX);
    }
}

impl Shared {
    fn now(&self) -> u32 {
        u32::try_from(self.clock.monotonic().as_secs()).unwrap_or(u32::MAX)
    }

    /// The name of a kind, and whether it is logged as noise.
    fn kind(&self, series: &Series, kind: usize) -> Option<(&'static str, bool)> {
        let Kind { name, is_noise } = *self.kinds.get(kind)?;
        Some((name, is_noise && series.has_noise))
    }

    fn next_end(&self) -> Option<u32> {
        let series = [&self.refused, &self.observed].into_iter();
        series.filter_map(|series| series.counts.next_end()).min()
    }

    fn report_due(&self, now: u32) {
        for series in [&self.refused, &self.observed] {
            for (kind, count) in series.counts.take_due(now) {
                self.report_more(series, kind, count);
            }
        }
    }

    fn report_more(&self, series: &Series, kind: usize, count: u32) {
        let Some((name, is_noise)) = self.kind(series, kind).filter(|_| count > 0) else {
            return;
        };
        let more = series.more;
        foreign::line(move || event!(is_noise, kind = name, count, "{more}"));
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

    async fn report(self) {
        let mut this = self;
        loop {
            let shared = Arc::clone(&this.0);
            while let Some(end) = shared.next_end() {
                shared
                    .clock
                    .sleep_until(Duration::from_secs(end.into()))
                    .await;
                shared.report_due(shared.now());
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

#[cfg(shuttle)]
mod models;
