//! DerbySoft GO on a loopback port, for tests and trials.
//!
//! A distributor's API answers GO's calls only after it has checked a token against keys that it
//! fetched from GO. Whether it does so correctly shows in situations that can't be ordered from the
//! real GO: a rotation in the middle of traffic, a forged signature, a key address that hangs, cuts
//! its answer short or redirects to a foreign host. A [`Simulator`] is GO's identity side in the
//! same process: it publishes keys, mints the tokens that GO would send, and misbehaves on command.
//!
//! What it sends has the shape of GO's documented samples, down to the order of the members. It
//! shares no parsing or signing code with the verifier of this crate, so that one misreading of a
//! specification can't cancel itself out.
//!
//! # Testing an API
//!
//! Point the API at the simulator's addresses, send it requests with the simulator's tokens:
//!
//! ```text
//! let go = Simulator::start().await?;
//! let auth = GoAuth::builder()
//!     .issuer(go.issuer())
//!     .audience(go.audience())
//!     .jwks_url(go.jwks_url())
//!     .build()?;
//! let api = my_api().layer(auth.layer());
//!
//! // GO's genuine call gets through …
//! assert_eq!(call(&api, go.token()).await, 200);
//! // … a token for somebody else doesn't …
//! assert_eq!(call(&api, go.mint().audience("somebody else").token()).await, 401);
//! // … one that another key signed doesn't either …
//! let forged = go.mint().key(SigningKey::pooled()).token();
//! assert_eq!(call(&api, forged).await, 401);
//! // … and an outage of the key address doesn't stop genuine calls.
//! go.fail(Fault::Hang);
//! assert_eq!(call(&api, go.token()).await, 200);
//! ```
//!
//! [`rotate`](Simulator::rotate) changes GO's keys under running traffic. A verifier fetches keys
//! again for an unknown `kid`, but not more often than its cooldown allows, so a test of rotation
//! sets a short one.
//!
//! # Testing a client
//!
//! It also plays what is called: the gateway that suppliers push to, with its token endpoint
//! ([`token_url`](Simulator::token_url), [`gateway_url`](Simulator::gateway_url)), and the APIs that
//! distributors call ([`api_url`](Simulator::api_url)). Credentials are rotated and revoked as
//! documented, by a [clock](SimulatorBuilder::clock) of the test's. And it
//! [pushes](Simulator::push) to a distributor, with either credential.
//!
//! # Testing in another language
//!
//! The command `go-auth simulate` is a simulator as a process, ruled over HTTP: see
//! [`SimulatorBuilder::with_control`].
//!
//! # What it can do
//!
//! ```
//! use derbysoft_go_simulator::{Encoding, Fault, SignatureKind, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let go = Simulator::builder().audience("MY-API").start().await?;
//! assert!(go.jwks_url().ends_with("/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"));
//!
//! // Tokens that must be refused.
//! let expired = go.mint().at(1_703_559_790).token();
//! let unsigned = go.mint().header("alg", "none").signature(SignatureKind::Empty).token();
//! let sloppy = go.mint().encoding(Encoding::Padded).token();
//! # let _ = (expired, unsigned, sloppy);
//!
//! // A key that is published before it signs, as in a careful rotation.
//! let next = go.stage();
//! go.sign_with(&next);
//! go.retire_all_but_current();
//! assert_eq!(go.signing_kid(), next);
//!
//! // One failure, then health again; and no request has come yet.
//! go.fail_next(1, Fault::RedirectNotFound);
//! assert_eq!(go.fetches(), 0);
//! # Ok(())
//! # }
//! ```

mod answer;
#[doc(hidden)]
pub mod bounded_tcp;
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
