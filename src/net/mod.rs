//! Addresses, the bounded client, background tasks, and the one that refreshes.

pub mod address;
pub mod bounded_http;
pub(crate) mod refresher;
pub(crate) mod retry;
pub(crate) mod single_flight;
pub(crate) mod task;
