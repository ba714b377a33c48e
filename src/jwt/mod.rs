//! One token read and judged: pure, without keys' origin, time's source or I/O.
//!
//! [`jws`] takes a token apart, [`json`] reads its header and claims, [`jwks`] reads the
//! keys, [`rs256`] is the one call of signature checking, [`claims`] and [`policy`] are
//! what a token says and which of it is accepted.

pub(crate) mod claims;
pub(crate) mod json;
pub(crate) mod jwks;
pub(crate) mod jws;
pub(crate) mod policy;
pub(crate) mod rs256;
#[cfg(test)]
mod vectors;
