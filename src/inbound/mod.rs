//! The tower middleware: nothing reaches the service it wraps but GO's genuine
//! requests.
//!
//! ```text
//!  request ─► credentials ─► authority ─► settle ─► the wrapped service
//!                                │           └────► Respond: reject or ignore
//!                                └ the key is not known yet: wait for one fetch
//! ```
//!
//! What a refused caller gets is decided by a [`Respond`]: [`Reject`] says why,
//! with the status and challenge of RFC 6750 and a body like GO's own;
//! [`Ignore`] says nothing. Where a request is let in, its extensions hold the
//! [`Verified`](crate::Verified); where it is let through without one, as
//! [`allow_missing`](GoAuthLayer::allow_missing) and
//! [`danger_observe_only`](GoAuthLayer::danger_observe_only) do, they hold an
//! [`Unverified`] instead. A request that has neither did not pass this layer.

mod body;
mod credentials;
#[cfg(feature = "axum")]
pub(crate) mod extract;
mod future;
mod layer;
mod rejection;
mod respond;
mod service;
mod settings;
mod unverified;

pub use self::body::ResponseBody;
pub use self::credentials::{Credential, RequestHead};
pub use self::future::ResponseFuture;
pub use self::layer::GoAuthLayer;
pub use self::rejection::{Rejection, RejectionKind};
#[cfg(feature = "axum")]
pub(crate) use self::respond::respond_to;
pub use self::respond::{BodyShape, Ignore, Reject, Respond};
pub(crate) use self::respond::{DEFAULT_REALM, is_realm};
pub use self::service::GoAuthService;
#[cfg(feature = "axum")]
pub(crate) use self::settings::Responder;
pub use self::unverified::Unverified;
