//! Addresses, the bounded client, and tasks in the background.

pub mod address;
pub mod bounded_http;
pub(crate) mod retry;
pub(crate) mod single_flight;
pub(crate) mod task;
