//! What a caller without tower keeps of a request that carries the token.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Gateway;
use super::error::GatewayError;
use super::refresher::Issued;

/// A request that carries the gateway's token, as [`Gateway::authorize`] put it into its
/// headers: for use when the API answers 401.
#[derive(Debug)]
#[must_use = "where the API answers 401, `renew` gets another token"]
pub struct Authorized {
    gateway: Gateway,
    issued: Arc<Issued>,
}

impl Authorized {
    /// Puts the token into `headers`.
    pub(super) fn put(gateway: Gateway, issued: Arc<Issued>, headers: &mut HeaderMap) -> Self {
        headers.insert(AUTHORIZATION, issued.value.clone());
        Self { gateway, issued }
    }

    /// After a 401 from the API: replaces the rejected token in `headers` with another,
    /// fetching it first if need be. `true`: send the request again, once.
    ///
    /// `false`: the 401 is final. The token was fetched within the last 10 s, so it was
    /// not rejected for its age; or `headers` do not contain it. So for a request that
    /// can't be sent again, pass headers without the token (an empty map will do): the
    /// fetch is left to the background, and later calls get the other token.
    ///
    /// All calls rejected with one token share one fetch, and after a failure there is a
    /// cooldown, as everywhere. Nothing is lost if the caller stops waiting.
    ///
    /// # Errors
    /// If no other token can be fetched; the 401 is then final.
    pub async fn renew(self, headers: &mut HeaderMap) -> Result<bool, GatewayError> {
        let Self { gateway, issued } = self;
        let shared = &gateway.shared;
        let is_replaced = || {
            let current = shared.current.load();
            (current.as_ref()).is_some_and(|current| current.number > issued.number)
        };
        if !is_replaced() && issued.life.is_young(shared.core.now()) {
            return Ok(false);
        }
        if headers.get(AUTHORIZATION) != Some(&issued.value) {
            let running = shared.keep_running();
            let now = shared.core.now();
            let mut status = shared.core.status();
            let may_fetch =
                !status.flight.is_pending() && status.failures.cooling_down(now).is_zero();
            if running && may_fetch && !is_replaced() {
                status.flight.want(&shared.core.pulse, ());
            }
            return Ok(false);
        }
        let other = gateway.token(Some(issued.number)).await?;
        headers.insert(AUTHORIZATION, other.value.clone());
        Ok(true)
    }
}
