//! One credential in, [`Verified`] out: what decides, and why it rejects.
//!
//! [`Verifier`] checks one token with keys and a time of the caller's own. Its way: the
//! token's parts, header and key, the signature, the claims by the configured rules. The
//! layer and [`GoAuth::verify`](crate::GoAuth::verify) put keys, token cache, Access Tokens
//! and a clock around it.

pub(crate) mod authenticator;
pub(crate) mod token_cache;
pub(crate) mod verified;
pub(crate) mod verifier;

pub(crate) use self::verified::Verified;
pub use self::verifier::Verifier;
pub use crate::error::{VerifyError, VerifyErrorKind};
pub use crate::jwt::claims::Claims;
pub use crate::jwt::policy::RequiredClaim;
