//! Addresses, the bounded client, and tasks in the background.

pub(crate) mod address;
pub(crate) mod bounded_http;
#[cfg(any(feature = "cli", feature = "simulator"))]
pub(crate) mod bounded_tcp;
pub(crate) mod task;
