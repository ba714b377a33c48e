//! Access Tokens: opaque, shared, one for each API (DerbySoft GO's "Access
//! Token").
//!
//! The other way by which GO is let in, and its default. A token says nothing by
//! itself: whoever has it is let in, so that all there is to decide is whether it
//! is one of those held, still accepted, and of the API that is called. That is
//! pure ([`AccessTokens::check`]), as with JWTs; where the tokens come from and
//! when they change is [`AccessTokenSource`]'s business.
//!
//! # What is compared
//!
//! Digests, never tokens. What a caller presents is hashed once with SHA-256, and
//! its digest compared with *every* digest held, of every API, each in constant
//! time and with no way out before the last: how long it takes tells neither how
//! much of a token is right nor which was meant. All APIs' tokens are compared, so
//! that one of another API is told from one that nobody has. A plain digest
//! protects a token that is random, as GO's are (32 hex digits, 128 bits), and
//! none that can be guessed: hence the least length. Revoked tokens are compared like
//! all others, and their digests kept for it.
//!
//! # How long a token is accepted
//!
//! See [`AccessTokens`]; the rule itself is in [`rotation`].

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
