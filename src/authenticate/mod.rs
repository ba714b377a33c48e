//! Credential in, [`Verified`] out.

pub(crate) mod authority;
pub(crate) mod token_cache;
mod verified;
pub(crate) mod verifier;

pub use self::verified::Verified;
