//! The gate for other stacks, as the process that a proxy asks.

mod bounds;
mod files;
mod json_log;
mod reload;
mod settings;
mod shutdown;
mod status;
mod status_port;
mod streams;
mod verdicts;
