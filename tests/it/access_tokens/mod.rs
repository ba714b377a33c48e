//! The other credential: where Access Tokens come from, what they open and when they end.

mod expiry;
mod file;
mod layer;
mod renewal;
mod settings;
mod watched;
