//! Addresses, networks, clients, background tasks, and the one that refreshes.

pub mod address;
pub mod bounded_http;
pub(crate) mod client;
pub(crate) mod network;
pub(crate) mod refresher;
pub(crate) mod retry;
pub(crate) mod single_flight;
pub(crate) mod task;
pub(crate) mod tls;
