//! What operators monitor: every issuer's keys and the access tokens.

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::access_token::AccessTokensHealth;
use crate::keys::{IssuerHealth, KeysState};

/// The state of all keys and access tokens, for readiness checks and dashboards.
///
/// Serializes as an object with `state`, the worst of all issuers', `issuers` and, if any
/// are accepted, `access_tokens`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// One entry for each trusted issuer, in the order of the configuration.
    pub issuers: Vec<IssuerHealth>,
    /// The access tokens, if any are accepted.
    pub access_tokens: Option<AccessTokensHealth>,
}

impl Health {
    /// Whether every issuer's requests can be verified: all keys are fresh or stale.
    pub fn is_ready(&self) -> bool {
        !matches!(self.state(), KeysState::Empty { .. })
    }

    /// The worst state of any issuer's keys.
    pub fn state(&self) -> &KeysState {
        (self.issuers.iter().map(|issuer| &issuer.state))
            .max_by_key(|state| state.severity())
            .unwrap_or(&KeysState::Fresh)
    }
}

impl Serialize for Health {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Health", 3)?;
        object.serialize_field("state", self.state().as_str())?;
        object.serialize_field("issuers", &self.issuers)?;
        if let Some(access_tokens) = &self.access_tokens {
            object.serialize_field("access_tokens", access_tokens)?;
        }
        object.end()
    }
}
