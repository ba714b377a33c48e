//! What a request carries instead of a [`Verified`](crate::Verified) where the layer is
//! configured to pass it on.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use super::credentials::RequestHead;
use super::rejection::Rejection;
use super::respond::{Respond, respond_to};

/// In the extensions of a request that was passed on unverified, as configured: why it is
/// not verified.
#[derive(Debug, Clone)]
pub struct Unverified {
    rejection: Rejection,
    respond: Arc<dyn Respond>,
}

impl Unverified {
    pub(super) const fn new(rejection: Rejection, respond: Arc<dyn Respond>) -> Self {
        Self { rejection, respond }
    }

    /// Why the request would have been rejected.
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }

    /// The answer that the layer would have given to this request.
    pub fn to_response(&self, request: RequestHead<'_>) -> Response<Bytes> {
        respond_to(&*self.respond, request, self.rejection.clone())
    }
}
