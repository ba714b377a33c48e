//! The tower middleware: only GO's genuine requests reach the service that it wraps.
//!
//! ```text
//!  request ─► credentials ─► authenticate ─► admission ─► the wrapped service
//!                                 │              └─────► Respond: reject or ignore
//!                                 └ the key is unknown: wait for one fetch
//! ```
//!
//! What a rejected caller gets is decided by a [`Respond`]: [`Reject`] says why, with the
//! status and challenge of RFC 6750 and a body like GO's own; [`Ignore`] says nothing. An
//! accepted request has the [`Verified`](crate::Verified) in its extensions; one that is
//! passed on without it, as by [`allow_missing`](GoAuthLayer::allow_missing) and
//! [`danger_observe_only`](GoAuthLayer::danger_observe_only), has an [`Unverified`]
//! instead. A request with neither did not pass this layer.

mod admission;
mod body;
mod credentials;
#[cfg(feature = "axum")]
pub(crate) mod extract;
mod future;
pub(crate) mod layer;
pub(crate) mod rejection;
mod respond;
mod service;
mod unverified;

#[cfg(feature = "axum")]
pub(crate) use self::admission::Responder;
pub(crate) use self::admission::authenticate;
pub use self::body::ResponseBody;
pub use self::credentials::{Credential, InvalidCredential, RequestHead};
pub(crate) use self::credentials::{CredentialSource, NoToken};
#[cfg(feature = "axum")]
pub use self::extract::{ExtractRejection, Refused};
pub use self::future::ResponseFuture;
pub(crate) use self::layer::GoAuthLayer;
pub(crate) use self::rejection::{Rejection, RejectionKind};
pub(crate) use self::respond::respond_to;
pub use self::respond::{BodyShape, Ignore, Reject, Respond};
pub(crate) use self::respond::{DEFAULT_REALM, is_realm};
pub use self::service::GoAuthService;
pub use self::unverified::Unverified;
