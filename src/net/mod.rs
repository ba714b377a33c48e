//! Addresses, the bounded client, and background tasks.

pub mod address;
pub mod bounded_http;
pub(crate) mod retry;
pub(crate) mod single_flight;
pub(crate) mod task;
