//! What the documents, the examples and `rust-version` promise.

mod conformance;
mod errors_of_main;
mod examples;
mod guides;
mod public_api;
mod toolchain;
