//! What a caller without tower holds of a request that carries the token.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Gateway;
use super::error::GatewayError;
use super::refresher::Issued;

/// A request that carries the gateway's token, as [`Gateway::authorize`] put it into
/// its headers: for the case that the API answers 401.
#[must_use = "where the API answers 401, `renew` gets another token"]
pub struct Authorized {
    gateway: Gateway,
    issued: Arc<Issued>,
}

impl Authorized {
    pub(super) const fn new(gateway: Gateway, issued: Arc<Issued>) -> Self {
        Self { gateway, issued }
    }

    /// After a 401 of the API: puts another token in place of the refused one in
    /// `headers`, and fetches it first if need be. `true`: send the request again, once.
    ///
    /// `false`: the 401 is the last word. The token was fetched within the last 10 s, so
    /// that it was not refused for its age; or `headers` do not have it. So a request
    /// that can't be sent again gives headers without it (an empty map will do), and
    /// the fetch is left to the background: calls after it get the other token.
    ///
    /// All who were refused with one token share one fetch, and after a failure there
    /// is none for a while, as everywhere. Nothing is lost where the caller gives up
    /// waiting.
    ///
    /// # Errors
    /// Where no other token can be had; the 401 stands then.
    pub async fn renew(self, headers: &mut HeaderMap) -> Result<bool, GatewayError> {
        let Self { gateway, issued } = self;
        if !gateway.is_worth_another(&issued) {
            return Ok(false);
        }
        if headers.get(AUTHORIZATION) != Some(&issued.value) {
            gateway.fetch_another(&issued);
            return Ok(false);
        }
        let other = gateway.token(Some(issued.number)).await?;
        headers.insert(AUTHORIZATION, other.value.clone());
        Ok(true)
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized").finish_non_exhaustive()
    }
}
