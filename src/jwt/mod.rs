//! Reads and judges one token: pure, without fetching keys, a clock or I/O.
//!
//! [`jws`] splits a token, [`json`] reads its header and claims, [`jwks`] reads the keys,
//! [`rs256`] is the one signature check, [`claims`] holds what a token says and
//! [`policy`] decides what is accepted.

pub(crate) mod claims;
pub(crate) mod json;
pub(crate) mod jwks;
pub(crate) mod jws;
pub(crate) mod mismatch;
pub(crate) mod policy;
pub(crate) mod rs256;
#[cfg(test)]
mod vectors;
