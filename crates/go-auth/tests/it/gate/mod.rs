//! The gate for other stacks, as the process that a proxy asks.

mod bounds;
mod files;
mod reload;
#[cfg(target_os = "linux")]
mod service_manager;
mod settings;
mod shutdown;
mod status;
mod status_port;
mod streams;
mod unix_socket;
mod verdicts;
