//! Inbound authentication for APIs that DerbySoft GO calls.
//!
//! x
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authority;
mod claims;
mod clock;
mod config;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod go_auth;
mod inbound;
mod json;
mod jwks;
mod jws;
mod keys;
mod observe;
mod policy;
mod rs256;
#[cfg(feature = "simulator")]
pub mod simulator;
mod token_cache;
mod verifier;

pub use claims::Claims;
pub use clock::{Clock, ManualClock, SystemClock, UnixTime};
pub use config::{Config, ConfigError, OnFailure};
pub use error::{VerifyError, VerifyErrorKind};
#[cfg(feature = "axum")]
pub use extract::{ExtractRejection, TokenClaims};
pub use go_auth::{GoAuth, GoAuthBuilder};
pub use inbound::{
    BodyShape, Credential, GoAuthLayer, GoAuthService, Ignore, Reject, Rejection, RejectionKind,
    RequestHead, Respond, ResponseBody, ResponseFuture, Unverified,
};
pub use jwks::{KeySet, KeySetError, MAX_KEYS, SkipReason, SkippedKey};
pub use keys::{FetchError, Health, KeysState};
pub use policy::RequiredClaim;
pub use verifier::{Verified, Verifier};
