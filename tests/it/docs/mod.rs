//! What the documents, the examples and `rust-version` promise.

mod conformance;
mod examples;
mod guides;
mod public_api;
mod toolchain;
