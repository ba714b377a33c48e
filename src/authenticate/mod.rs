//! Credential in, [`Verified`](verifier::Verified) out.

pub(crate) mod authority;
pub(crate) mod token_cache;
pub(crate) mod verifier;
