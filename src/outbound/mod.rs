//! The client side: the right credential on every call to DerbySoft GO, and on no other.
//!
//! GO takes two kinds of credentials, and each has a handle and a tower layer:
//!
//! | | for | credential |
//! |---|---|---|
//! | [`EndpointTokens`] | distributors that call BookingUSB and ShoppingEngine | an Access Token for each API, from GO Console |
//! | [`Gateway`] | suppliers that push to GO's gateway | OAuth 2.0 for PUSH: a JWT that is fetched with client ID and client secret, and renewed ahead of time |
//!
//! Both are given the base addresses that their tokens are for. A call anywhere else is
//! an error ([`CallRefused`]), and the token is never sent there. Base and path decide,
//! since several of GO's APIs share the same path.
//!
//! The layers wrap any `Service<http::Request<B>>`. Their errors are [`BoxError`]s, like
//! those of tower's own layers; find this crate's errors in them with `downcast_ref`.
//!
//! # Redirects
//!
//! The layers follow none, and a request that the client below redirects to another
//! origin must not take the token there. hyper follows none either; reqwest does unless
//! configured otherwise, so use [`HttpClient`], which always disables them.

use std::future::Future;
use std::pin::Pin;

mod base;
mod client;
mod endpoints;
mod error;
mod expiry;
mod form;
mod gateway;

pub use self::client::{HttpClient, HttpClientBuilder};
pub use self::endpoints::{
    BOOKING_USB, EndpointToken, EndpointTokens, EndpointTokensBuilder, EndpointTokensLayer,
    EndpointTokensService, ReplaceError, SHOPPING_ENGINE,
};
pub use self::error::CallRefused;
pub use self::expiry::CredentialHealth;
pub use self::form::HeaderForm;
#[cfg(fuzzing)]
pub(crate) use self::gateway::token_answer;
pub use self::gateway::{
    Authorized, ClientPair, Cloned, Excerpt, Gateway, GatewayBuilder, GatewayError,
    GatewayErrorKind, GatewayHealth, GatewayLayer, GatewayRefusal, GatewayService, Replay,
    reqwest_body,
};
pub use crate::secret::Secret;

/// The response future of the clients and layers. It is boxed: beside a call over the
/// network, an allocation costs nothing.
pub type CallFuture<T, E = BoxError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// The error of the layers' services, as with tower's own layers.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
