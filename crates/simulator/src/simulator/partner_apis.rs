//! GO's own APIs and their Access Tokens.

use super::Simulator;
use crate::state::partner_apis::{PartnerApi, PartnerRefusal, fresh_token};

/// GO's own APIs and their Access Tokens.
impl Simulator {
    /// The base address of an API, such as `http://127.0.0.1:PORT/bookingusb`.
    ///
    /// # Panics
    ///
    /// Panics for [`PartnerApi::AvailabilityPeer`], which the distributor serves.
    pub fn api_url(&self, api: PartnerApi) -> String {
        let (base, _) = api.served().expect("AvailabilityPeer isn't GO's");
        format!("{}{base}", self.origin())
    }

    /// The API's current Access Token: 32 hexadecimal digits.
    #[must_use]
    pub fn access_token(&self, api: PartnerApi) -> String {
        self.state().partners.tokens(api).current.credential.clone()
    }

    /// A renewal in GO Console: a new Access Token; the previous one stays valid for 7
    /// more days, or until it expires.
    pub fn rotate_access_token(&self, api: PartnerApi) -> String {
        let (fresh, now) = (fresh_token(), self.now());
        (self.state().partners.tokens(api).rotate(fresh, now)).clone()
    }

    /// A new Access Token; the previous one becomes invalid at once.
    pub fn revoke_access_token(&self, api: PartnerApi) -> String {
        let (fresh, now) = (fresh_token(), self.now());
        (self.state().partners.tokens(api).revoke(fresh, now)).clone()
    }

    /// How GO's own APIs reject a token from now on.
    pub fn set_partner_refusal(&self, refusal: PartnerRefusal) {
        self.state().partners.refusal = refusal;
    }
}
