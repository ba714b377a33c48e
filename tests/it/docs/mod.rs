//! What the documents, the examples and `rust-version` promise.

mod conformance;
mod examples;
mod guides;
mod toolchain;
