//! Access Tokens: opaque and shared, one for each API (DerbySoft GO's "Access Token").
//!
//! GO's default credential. A token contains no information: whoever has it is accepted.
//! All there is to decide is whether it is one of those configured, still valid, and for
//! the API that is called. [`AccessTokens`] decides, purely; [`AccessTokenSource`]
//! watches the file that contains them.
//!
//! # What is compared
//!
//! Digests, never tokens. What a caller presents is hashed once with SHA-256, and the
//! digest is compared with *every* configured digest, of every API, each in constant time
//! and without an early exit: the time taken reveals neither how much of a token is right
//! nor which one was meant. Comparing all APIs' tokens distinguishes a token of another
//! API from an unknown one. A plain digest protects a random token, as GO's are (32 hex
//! digits, 128 bits), but not one that can be guessed: hence the minimum length. Revoked
//! tokens are compared like all others.
//!
//! How long a token is accepted: see [`AccessTokens`].

mod api;
mod document;
mod entry;
mod expiry;
mod fault;
mod file;
mod health;
mod rotation;
mod set;
mod source;

pub use self::api::{Api, InvalidApi};
pub use self::entry::AccessToken;
pub(crate) use self::entry::MAX_TOKEN_BYTES;
pub use self::fault::{AccessTokenFault, AccessTokensError};
pub(crate) use self::file::Terms;
pub use self::health::{AccessTokenHealth, AccessTokensFileHealth, AccessTokensHealth};
pub use self::set::{AccessGranted, AccessTokens};
pub use self::source::AccessTokenSource;
