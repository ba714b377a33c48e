//! What a request has instead of a [`Verified`](crate::Verified), where the layer
//! was told to let it through.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use super::rejection::Rejection;
use super::respond::{Respond, respond_to};

/// In the extensions of a request that was let through without being verified,
/// because the layer was told to: why it is not verified.
#[derive(Debug, Clone)]
pub struct Unverified {
    rejection: Rejection,
    respond: Arc<dyn Respond>,
}

impl Unverified {
    pub(super) const fn new(rejection: Rejection, respond: Arc<dyn Respond>) -> Self {
        Self { rejection, respond }
    }

    /// Why the request would have been refused.
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }

    /// The answer that the layer would have given.
    pub fn to_response(&self) -> Response<Bytes> {
        respond_to(&*self.respond, self.rejection.clone())
    }
}
