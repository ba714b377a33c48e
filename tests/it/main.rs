//! Integration tests: the public interface, over real TCP where there is any.

mod access_tokens;
mod differential;
mod docs;
mod keys;
mod layer;
mod limits;
mod network;
mod observability;
mod outbound;
mod properties;
mod signatures;
mod tokens;
