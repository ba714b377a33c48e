//! Inbound authentication for APIs that DerbySoft GO calls: only GO's genuine requests
//! reach your handlers.
//!
//! GO signs its requests with a JWT (RS256) and publishes its keys, or sends an Access
//! Token. Wrap an axum or hyper API in the [`GoAuthLayer`] of a [`GoAuth`] configured
//! with issuer, audience and key address. It fetches and caches the keys, checks each
//! request's token, and rejects or ignores every request that is not from GO:
//!
//! ```toml
//! [dependencies]
//! axum = "0.8"
//! derbysoft-go-auth = { version = "0.1", features = ["axum"] }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! use axum::{Json, Router, routing::get};
//! # #[cfg(feature = "axum")]
//! use derbysoft_go_auth::{Config, Verified};
//!
//! # #[cfg(feature = "axum")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // GO_AUTH_ISSUER, GO_AUTH_AUDIENCE, GO_AUTH_JWKS_URL
//!     let auth = Config::from_env()?.build()?;
//!     if let Err(error) = auth.ready().await {
//!         eprintln!("{error:?}"); // serve all the same: GO gets 503 until there are keys
//!     }
//!
//!     let api = Router::new()
//!         .route("/ping", get(|_: Verified| async { Json("ok") }))
//!         .layer(auth.layer());
//!     axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, api).await?;
//!     Ok(())
//! }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! The [guides](guide) go on from here: [getting started](guide::getting_started) has the
//! same with a simulated GO, [configuration](guide::configuration) every setting.
//!
//! # What is checked
//!
//! Checks run in this order; the first that fails gives the
//! [kind](authenticate::VerifyErrorKind) of the error. Every limit is documented, with
//! its reason, in [`Config`].
//!
//! | part | rule |
//! |---|---|
//! | length | at most 8 KiB, before anything is decoded |
//! | form | three segments of canonical base64url |
//! | header | strict JSON; `alg` is the string `RS256`; a `kid`; nothing that would change the meaning of the signature |
//! | key | published by the configured issuer; looked up, never taken from the token |
//! | signature | RSASSA-PKCS1-v1_5 with SHA-256, by aws-lc |
//! | claims | strict JSON; `iss`, `aud` and `exp` present and right, `nbf` right where present, 30 s of leeway; and what you add: subjects, required claims, a cap on the lifetime |
//!
//! Only RS256 is accepted: a choice of algorithms is a choice for attackers.
//!
//! # Keys
//!
//! Keys are fetched when first needed, refreshed ahead of time in the background, and
//! kept when a refresh fails, up to [`Config::max_stale`]. A token with an unknown `kid`
//! causes one fetch, shared by all waiting requests, and none within [`Config::cooldown`]
//! after the last attempt. [`GoAuth::health`] reports the state of the keys. While no
//! keys are available, requests are answered 503, never accepted.
//!
//! [`Config::jwks_file`] takes them from a watched file instead, by the same rules.
//!
//! # Access Tokens
//!
//! Opaque Access Tokens are GO's default. [`Config::access_tokens`] names the file that
//! contains them; the same layer accepts them, alone or beside JWTs. See
//! [`AccessTokens`](access_token::AccessTokens) for how long each is accepted.
//!
//! # Calling GO
//!
//! The other direction is in [`outbound`]: Access Tokens for BookingUSB and
//! ShoppingEngine, and OAuth 2.0 for suppliers that push; [the guide](guide::calling_go)
//! says what is safe to repeat.
//!
//! # Features
//!
//! - `axum`: [`Verified`] and `TokenClaims` as extractors.
//! - `metrics`: counters, gauges and a histogram through the `metrics` facade, with the
//!   names in [observability](guide::observability). Install a recorder before the first
//!   request; see `GoAuth::record_metrics`.
//!
//! - `tls-aws-lc` (default): TLS by aws-lc-rs, unless the process has a provider
//!   installed.
//! - `tls-ring`: the same with ring, where `tls-aws-lc` is off.
//!
//! None of them changes what is accepted, and signatures are checked by aws-lc-rs in any
//! case.
//!
//! # TLS beside yours
//!
//! If your application itself uses rustls with ring, it would find two providers, and
//! rustls would panic at its start: "could not automatically determine the process-level
//! `CryptoProvider`". Leave this crate's default out, or say in `main` which one counts;
//! [the guide](guide::configuration#tls-with-ring) has both.
//!
//! # Beside this crate
//!
//! - `derbysoft-go-simulator`: GO on a loopback port, for testing an API.
//! - `go-auth`: the command. It explains why a token is rejected and what a key address
//!   serves, runs the gate for API servers in any language, and simulates GO for their
//!   tests: [its guide](guide::cli), and [the gate's](guide::gate).
//!
//! This crate is not affiliated with DerbySoft.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access_token;
pub mod authenticate;
pub mod clock;
pub mod config;
mod credential_lifetime;
mod error;
mod fault;
mod file;
mod go_auth;
// Documentation alone. Its examples use axum, so they are tested only with that feature.
#[cfg(all(doc, any(not(doctest), feature = "axum")))]
pub mod guide;
mod health;
pub mod inbound;
#[doc(hidden)]
pub mod inspect;
mod jwt;
pub mod keys;
mod net;
pub mod observe;
pub mod outbound;
mod quote;
mod secret;
mod show;
#[cfg(test)]
#[cfg(unix)]
mod simulation;
mod sync;

pub use authenticate::verified::Verified;
pub use config::fields::Config;
pub use go_auth::{GoAuth, GoAuthBuilder};
pub use health::Health;
#[cfg(feature = "axum")]
pub use inbound::extract::TokenClaims;
pub use inbound::layer::GoAuthLayer;
pub use inbound::rejection::{Rejection, RejectionKind};
pub use net::network::Network;

/// Compiles the code in the README.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
