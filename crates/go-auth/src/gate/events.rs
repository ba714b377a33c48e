//! The events of the gate itself, in one place: `docs/guide/observability.md` lists them, and
//! `tests/it/events.rs` compares.

use std::error::Error;

const GATE: &str = "derbysoft_go_auth::gate";

pub(super) fn settings_reloaded() {
    tracing::info!(target: GATE, "settings reloaded");
}

pub(super) fn settings_refused(faults: &[String]) {
    tracing::error!(
        target: GATE,
        ?faults,
        "the settings can't be used; the last good ones stay"
    );
}

/// Only the first at a level that people read, since all of a caller's tokens have such a
/// claim if one has.
pub(super) fn claim_too_long(is_first: bool) {
    const MESSAGE: &str = "a genuine token is rejected: it has a claim too long for a header";
    if is_first {
        tracing::warn!(target: GATE, "{MESSAGE}");
    } else {
        tracing::debug!(target: GATE, "{MESSAGE}");
    }
}

/// `again`: the one before was not accepted either, as goes on for a while where file
/// descriptors are lacking.
pub(super) fn not_accepted(error: &dyn Error, again: bool) {
    const MESSAGE: &str = "a connection could not be accepted";
    if again {
        tracing::debug!(target: GATE, %error, "{MESSAGE}");
    } else {
        tracing::warn!(target: GATE, %error, "{MESSAGE}");
    }
}

/// `again`: the attempt before failed, too.
pub(super) fn not_notified(error: &dyn Error, again: bool) {
    const MESSAGE: &str = "the service manager could not be notified";
    if again {
        tracing::debug!(target: GATE, %error, "{MESSAGE}");
    } else {
        tracing::warn!(target: GATE, %error, "{MESSAGE}");
    }
}

pub(super) fn connection_failed(error: &dyn Error) {
    tracing::debug!(target: GATE, %error, "a connection failed");
}

/// What scanners of the internet cause, through proxies that let it pass.
pub(super) fn not_http(error: &str) {
    tracing::info!(target: GATE, error, "a request that is not valid HTTP was rejected");
}

pub(super) fn more_not_http(error: &str, count: u32) {
    tracing::info!(
        target: GATE,
        count,
        error,
        "further requests that are not valid HTTP were rejected within a minute"
    );
}

pub(super) fn signal_ignored(signal: &'static str) {
    tracing::info!(target: GATE, signal, "a signal that has no meaning here was ignored");
}

pub(super) fn panicked(panic: &str) {
    tracing::error!(target: GATE, panic, "a thread panicked");
}

pub(super) fn task_panicked(task: &'static str) {
    tracing::error!(target: GATE, task, "a background task panicked and is restarted");
}

pub(super) fn stopping() {
    tracing::info!(target: GATE, "stopping");
}

pub(super) fn stopped() {
    tracing::info!(target: GATE, "stopped");
}

pub(super) fn stopped_by_a_second_signal() {
    tracing::warn!(target: GATE, "stopped before all requests had ended");
}

pub(super) fn stopped_after_the_time_limit() {
    tracing::warn!(target: GATE, "stopped after 30s, before all requests had ended");
}
