//! What the log is told of the gate itself, in one place: the tables of
//! `docs/guide/observability.md` have it, and `tests/it/observability/gate.rs` holds them.

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

/// Told of the first at a level that people read, since all of a caller's tokens
/// have such a claim if one has.
pub(super) fn claim_too_long(is_first: bool) {
    const MESSAGE: &str = "a genuine token has a claim that is too long for a header; refused";
    if is_first {
        tracing::warn!(target: GATE, "{MESSAGE}");
    } else {
        tracing::debug!(target: GATE, "{MESSAGE}");
    }
}

/// `again`: the one before could not be either, as it is for a while where files are
/// wanting.
pub(super) fn not_accepted(error: &dyn Error, again: bool) {
    const MESSAGE: &str = "a connection could not be accepted";
    if again {
        tracing::debug!(target: GATE, %error, "{MESSAGE}");
    } else {
        tracing::warn!(target: GATE, %error, "{MESSAGE}");
    }
}

pub(super) fn connection_failed(error: &dyn Error) {
    tracing::debug!(target: GATE, %error, "a connection ended");
}

pub(super) fn panicked(panic: &str) {
    tracing::error!(target: GATE, panic, "a thread has panicked");
}

pub(super) fn task_panicked(task: &'static str) {
    tracing::error!(target: GATE, task, "a background task has panicked and is started again");
}

pub(super) fn stopping() {
    tracing::info!(target: GATE, "stopping");
}

pub(super) fn stopped() {
    tracing::info!(target: GATE, "stopped");
}

pub(super) fn stopped_when_told_again() {
    tracing::warn!(target: GATE, "stopped before all requests had ended");
}

pub(super) fn stopped_when_time_was_up() {
    tracing::warn!(target: GATE, "stopped after 30s, before all requests had ended");
}
