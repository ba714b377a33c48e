//! Settings: from code, from any serde format, or from the environment.
//!
//! [`Config`] is only data until it is built. Building checks it as a whole and reports
//! every fault at once, so that nothing half-configured ever starts.

mod check;
mod document;
mod duration;
mod env;
pub(crate) mod fields;
mod file;
pub(crate) mod layers;
mod list;
mod nearest;
mod network;
mod platform;
pub(crate) mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use self::check::{Checked, CheckedIssuer, Keys, of_access_tokens};
pub(crate) use self::fields::Config;
pub use self::fields::{IssuerConfig, OnFailure};
pub(crate) use self::layers::both;
pub use crate::fault::ConfigError;
pub use crate::net::network::ProxyAddress;
