//! Shared by the benches: a scene of GO's keys and tokens, a way to time calls, and a
//! report. Each bench uses a part of it.
//!
//! On a shared machine only ratios mean anything, and only between contenders that ran in
//! turn: each one runs in every round, one after the other, and is compared with another
//! of the same round. The report has medians over the rounds.

pub(crate) mod arguments;
pub(crate) mod calls;
pub(crate) mod clock;
pub(crate) mod report;
pub(crate) mod rounds;
pub(crate) mod scene;
