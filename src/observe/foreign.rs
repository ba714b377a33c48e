//! Calls into code unknown to this crate: the application's subscriber and its metrics
//! recorder.
//!
//! Nothing they do changes anything here. A panic of theirs ends where they were called.
//! A line at the levels that people read is emitted by a separate thread, so that no
//! request or background task waits for a stuck log: `tracing_subscriber::fmt` blocks for
//! as long as nobody reads a full pipe, and answers a failed write by writing to standard
//! error, which panics if that fails too.
//!
//! Callers hold no lock, and have finished all their changes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tracing::Span;
use tracing::dispatcher::{self, Dispatch};

use crate::net::task::forget;
use crate::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use crate::sync::{AtomicU64, thread, thread_local};

/// How many lines may wait to be emitted: a minute's worth for 16 handles that each
/// reject requests of all kinds, at two lines a kind. They take about 300 KiB.
#[cfg_attr(shuttle, expect(dead_code, reason = "models take another"))]
const MAX_PENDING: usize = 1024;

/// How often [`flush_log`] retries to enter a full queue.
const FLUSH_RETRY: Duration = Duration::from_millis(5);

static LOG: Log = Log {
    pending: OnceLock::new(),
    dropped: AtomicU64::new(0),
};

thread_local! {
    /// A subscriber or recorder is running on this thread: what it causes is not
    /// reported, or it would be called for ever.
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

/// Lines on their way to the thread that emits them.
struct Log {
    /// Empty before the first line, and for as long as the process may have no more
    /// threads.
    pending: OnceLock<SyncSender<Line>>,
    dropped: AtomicU64,
}

/// A line to be emitted, with the dispatcher and span in which it came up.
struct Line {
    subscriber: Dispatch,
    span: Span,
    emit: Box<dyn FnOnce() + Send>,
}

/// Calls a subscriber or a recorder. `None` if it panics or is already running on this
/// thread.
pub(super) fn call<T>(foreign: impl FnOnce() -> T) -> Option<T> {
    if CALLED.with(|called| called.replace(true)) {
        return None;
    }
    let result = catch_unwind(AssertUnwindSafe(foreign));
    CALLED.with(|called| called.set(false));
    result.map_err(forget).ok()
}

/// Has another thread emit a line: at once unless others wait. Where too many wait it is
/// dropped and counted.
pub(super) fn line(emit: impl FnOnce() + Send + 'static) {
    line_in(Span::none(), emit);
}

/// The same, in the caller's span.
pub(super) fn line_here(emit: impl FnOnce() + Send + 'static) {
    line_in(call(Span::current).unwrap_or_else(Span::none), emit);
}

fn line_in(span: Span, emit: impl FnOnce() + Send + 'static) {
    let line = Line {
        subscriber: dispatcher::get_default(Dispatch::clone),
        span,
        emit: Box::new(emit),
    };
    #[cfg(not(shuttle))]
    LOG.send(line, || start(MAX_PENDING));
    // In a model of something else at once, which is no later than by the thread.
    #[cfg(shuttle)]
    crate::sync::reported(|| line.emit());
}

/// The queue to the thread that emits lines, of which so many may wait. `None` if the
/// process may have no more threads now; the next line tries again.
#[cold]
fn start(max_pending: usize) -> Option<SyncSender<Line>> {
    let (queue, pending) = sync_channel(max_pending);
    thread::Builder::new()
        .name("go-auth-log".to_owned())
        .spawn(move || emit_all(&pending))
        .ok()
        .map(|_| queue)
}

fn emit_all(pending: &Receiver<Line>) {
    while let Ok(line) = pending.recv() {
        line.emit();
    }
}

impl Line {
    fn emit(self) {
        call(move || {
            let Self {
                subscriber,
                span,
                emit,
            } = self;
            dispatcher::with_default(&subscriber, || span.in_scope(emit));
        });
    }
}

impl Log {
    fn send(&self, line: Line, start: impl FnOnce() -> Option<SyncSender<Line>>) {
        // Where another line was faster, the thread ends with its queue.
        let started = || start().map(|queue| self.pending.get_or_init(|| queue));
        let unsent = match self.pending.get().or_else(started) {
            Some(queue) => queue.try_send(line).err().map(|error| match error {
                TrySendError::Full(line) | TrySendError::Disconnected(line) => line,
            }),
            None => Some(line),
        };
        if let Some(line) = unsent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            call(|| drop(line));
        }
    }

    fn flush(&self, limit: Duration) -> bool {
        let Some(queue) = self.pending.get() else {
            return true;
        };
        let started = Instant::now();
        let left = || limit.saturating_sub(started.elapsed());
        let (reached, end) = sync_channel(1);
        let mut mark = Line {
            subscriber: Dispatch::none(),
            span: Span::none(),
            emit: Box::new(move || {
                // The caller may no longer be waiting.
                let _ = reached.send(());
            }),
        };
        loop {
            match queue.try_send(mark) {
                Ok(()) => return end.recv_timeout(left()).is_ok(),
                Err(TrySendError::Full(unsent)) if !left().is_zero() => mark = unsent,
                Err(_) => return false,
            }
            thread::sleep(FLUSH_RETRY.min(left()));
        }
    }
}

/// Waits until every log event that this crate has produced so far is emitted, for at
/// most `limit`. `false` if they are not: the subscriber is slow or stuck.
///
/// Events at the levels `info`, `warn` and `error` are emitted by a thread of this crate,
/// in the span in which they came up. Call this before a process ends, and in tests that
/// look at the log.
pub fn flush_log(limit: Duration) -> bool {
    LOG.flush(limit)
}

/// How many log events were dropped so far because too many were waiting for a slow or
/// stuck subscriber.
pub fn dropped_log_events() -> u64 {
    LOG.dropped.load(Ordering::Relaxed)
}

#[cfg(shuttle)]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_foreign_code_ends_there() {
        assert_eq!(call(|| -> u8 { panic!("on purpose") }), None);
        assert_eq!(call(|| 7), Some(7));
    }

    #[test]
    fn a_foreign_call_within_another_is_not_made() {
        assert_eq!(call(|| call(|| 7)), Some(None));
    }

    #[test]
    fn a_line_that_panics_does_not_stop_later_ones() {
        let (said, heard) = sync_channel(1);
        line(|| panic!("on purpose"));
        line(move || said.send(7).expect("somebody listens"));
        assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(7));
    }

    #[test]
    fn a_line_is_emitted_once_the_log_is_flushed() {
        let (said, heard) = sync_channel(1);
        line(move || said.send(7).expect("somebody listens"));
        assert!(flush_log(Duration::from_secs(10)));
        assert_eq!(heard.try_recv(), Ok(7));
    }
}
