//! One credential in, [`Verified`] out: what decides, and why it rejects.
//!
//! [`Verifier`] checks one token with the caller's keys and time: the token's parts,
//! header and key, the signature, then the claims by the configured rules. The layer and
//! [`GoAuth::verify`](crate::GoAuth::verify) add keys, token cache, Access Tokens and a
//! clock.

pub(crate) mod authenticator;
pub(crate) mod token_cache;
pub(crate) mod verified;
pub(crate) mod verifier;

pub(crate) use self::verified::Verified;
pub use self::verifier::Verifier;
pub use crate::error::{VerifyError, VerifyErrorKind};
pub use crate::jwt::claims::Claims;
pub use crate::jwt::policy::RequiredClaim;
