#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! - [`Simulator`] is the handle: it starts GO, rotates keys, sets faults and counts
//!   requests. [`SimulatorBuilder`] sets account, issuer, audience, clock and address.
//! - [`Mint`] makes tokens that depart from GO's in one respect; [`SampleToken`] lists
//!   named ones, each with its [`Expected`] verdict.
//! - [`Fault`] is what goes wrong at an [`Endpoint`]; [`Simulator::hold`] delays answers.
//! - [`Push`] sends a [`SamplePush`] to the tested API, as GO would.
//! - [`ClientCredentials`] and [`GatewayFailure`] belong to the gateway that suppliers
//!   push to, [`PartnerApi`] to the APIs that distributors call.
//!
//! A verifier fetches keys again for an unknown `kid`, but not more often than its
//! cooldown allows. So a test that [rotates](Simulator::rotate) keys sets a short
//! cooldown.
//!
//! ```
//! use derbysoft_go_auth::clock::UnixTime;
//! use derbysoft_go_simulator::{Encoding, Fault, SignatureKind, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let go = Simulator::builder().audience("MY-API").start().await?;
//! assert!(go.jwks_url().ends_with("/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"));
//!
//! // Tokens that must be rejected.
//! let expired = go.mint().at(UnixTime::from_secs(1_703_559_790)).token();
//! let unsigned = go.mint().header("alg", "none").signature(SignatureKind::Empty).token();
//! let padded = go.mint().encoding(Encoding::Padded).token();
//! # let _ = (expired, unsigned, padded);
//!
//! // A careful rotation publishes a key before it signs.
//! let next = go.stage();
//! go.sign_with(&next);
//! go.retire_all_but_current();
//! assert_eq!(go.signing_kid(), next);
//!
//! // One failure, then normal service. No request has arrived so far.
//! go.fail_next(1, Fault::RedirectNotFound);
//! assert_eq!(go.fetches(), 0);
//! # Ok(())
//! # }
//! ```

//!
//! # Time
//!
//! What takes minutes or months at GO takes no time in a test: give the simulator and
//! the tested API one [`ManualClock`](derbysoft_go_auth::clock::ManualClock), which moves
//! only when the test advances it.
//!
//! ```
//! use std::time::Duration;
//!
//! use derbysoft_go_auth::GoAuth;
//! use derbysoft_go_auth::clock::{Clock, ManualClock};
//! use derbysoft_go_simulator::Simulator;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = ManualClock::starting_now();
//! let go = Simulator::builder().clock(clock.clone()).start().await?;
//! let auth = GoAuth::builder()
//!     .issuer(go.issuer())
//!     .audience(go.audience())
//!     .jwks_url(go.jwks_url())
//!     .clock(clock.clone())
//!     .build()?;
//!
//! let token = go.token();
//! assert!(auth.verify(&token).await.is_ok());
//! clock.advance(Duration::from_secs(330)); // its five minutes, and 30 s of leeway
//! let error = auth.verify(&token).await.unwrap_err();
//! assert_eq!(error.kind().as_str(), "expired");
//!
//! let early = go.mint().at(clock.now().saturating_add(Duration::from_secs(3600)));
//! let error = auth.verify(&early.token()).await.unwrap_err();
//! assert_eq!(error.kind().as_str(), "not_yet_valid");
//! # Ok(())
//! # }
//! ```
//!
//! By the [clock](SimulatorBuilder::clock) go
//!
//! - the times in all tokens, whether the test, a [`Push`], the gateway or the control
//!   room issues them, unless [`Mint::at`] names another;
//! - the lives of Access Tokens, client IDs and client secrets;
//! - [`Fault::Delay`] and [`Fault::Drip`], counted from the arrival of the request;
//! - [`LoggedRequest::time`], and the days in a [`SamplePush`].
//!
//! Real time limits only what could keep a test or a process from ending:
//! [`Push::send`], [`Simulator::stop_within`], and the connections of a simulator [with
//! a control room](SimulatorBuilder::with_control).
//!
//! Advancing the clock wakes the sleepers, and doesn't wait for what they do then. Before
//! it advances the clock again, a test waits for what it expects: for a fetch to arrive,
//! with [`Simulator::wait_for_fetches`]; for a request to wait for keys, or for a
//! background task to have done its work, with
//! [`ManualClock::wait_for_sleepers`](derbysoft_go_auth::clock::ManualClock::wait_for_sleepers).
//! The guide [Getting started][guide] shows a whole outage. Don't pause tokio's time
//! while a simulator runs: it jumps ahead whenever all tasks wait for a socket.
//!
//! [guide]: https://docs.rs/derbysoft-go-auth/latest/derbysoft_go_auth/guide/getting_started

// Imports point one way, from left to right: builder, server, control and push,
// simulator, state, answer and tokens, keys and fault, bounded_streams and hex.
mod answer;
#[doc(hidden)]
pub mod bounded_streams;
mod builder;
mod control;
mod fault;
mod hex;
mod keys;
mod push;
mod server;
mod simulator;
mod state;
#[cfg(test)]
mod tests;
mod tokens;

pub use self::builder::SimulatorBuilder;
pub use self::fault::{Endpoint, Fault, FaultInForce};
pub use self::keys::{KeyError, PublishedKey, SigningKey};
#[doc(hidden)]
pub use self::push::posted;
pub use self::push::{Push, PushCredential, SamplePush};
pub use self::simulator::{Hold, Simulator};
pub use self::state::LoggedRequest;
pub use self::state::gateway::{ClientCredentials, GatewayFailure};
pub use self::state::partner_apis::{PartnerApi, PartnerRefusal};
pub use self::tokens::{Encoding, Expected, Mint, PublicKeyForm, SampleToken, SignatureKind};
