//! The gateway's clients, tokens and failures.

use super::Simulator;
use crate::fault::Endpoint;
use crate::state::gateway::{API, ClientCredentials, GatewayFailure, TOKEN_PATHS};

/// The gateway that suppliers push to.
impl Simulator {
    /// The token endpoint, `http://127.0.0.1:PORT/authorizer/token`.
    pub fn token_url(&self) -> String {
        format!("{}{}", self.origin(), TOKEN_PATHS[0])
    }

    /// The token endpoint as GO's documentation spells it,
    /// `http://127.0.0.1:PORT/authorizer/toker`.
    pub fn toker_url(&self) -> String {
        format!("{}{}", self.origin(), TOKEN_PATHS[1])
    }

    /// The base address of the API that accepts pushes, on any path below it:
    /// `http://127.0.0.1:PORT/gateway`.
    pub fn gateway_url(&self) -> String {
        format!("{}{API}", self.origin())
    }

    /// The current client ID and secret.
    pub fn client(&self) -> ClientCredentials {
        self.state().gateway.clients.current.credential.clone()
    }

    /// *Rotate*: a new client ID and secret; the previous ones stay valid for 7 more
    /// days.
    pub fn rotate_client(&self) -> ClientCredentials {
        let (fresh, now) = (ClientCredentials::fresh(), self.now());
        self.state().gateway.clients.rotate(fresh, now).clone()
    }

    /// *Revoke*: a new client ID and secret; the previous ones become invalid at once.
    pub fn revoke_client(&self) -> ClientCredentials {
        let (fresh, now) = (ClientCredentials::fresh(), self.now());
        self.state().gateway.clients.revoke(fresh, now).clone()
    }

    /// A token of the gateway, issued now: `exp` − `iat` is 3600, as in the sample.
    #[must_use]
    pub fn gateway_token(&self) -> String {
        let now = self.now();
        self.state().gateway.new_token(now)
    }

    /// Invalidates all tokens issued so far.
    pub fn revoke_gateway_tokens(&self) {
        self.state().gateway.revoke_tokens();
    }

    /// The lifetime of new tokens, in seconds: `exp` − `iat`, 3600 in the sample, and
    /// `expires_in`, 7200 there.
    pub fn set_token_times(&self, lifetime: u64, expires_in: u64) {
        let gateway = &mut self.state().gateway;
        (gateway.lifetime, gateway.expires_in) = (lifetime, expires_in);
    }

    /// Answers every valid token request with exactly these bytes and status 200; with
    /// `None`, with a token again.
    pub fn set_token_answer(&self, answer: Option<&str>) {
        self.state().gateway.custom_answer = answer.map(|text| text.as_bytes().to_vec());
    }

    /// Rejects every token request with this failure, until `None` is set.
    pub fn refuse_tokens(&self, failure: Option<GatewayFailure>) {
        self.state().gateway.refuse_tokens = failure;
    }

    /// Rejects every push with this failure, until `None` is set.
    pub fn refuse_pushes(&self, failure: Option<GatewayFailure>) {
        self.state().gateway.refuse_pushes = failure;
    }

    /// How many pushes the gateway has accepted.
    pub fn pushes(&self) -> usize {
        self.state().gateway.pushes
    }

    /// How many requests have reached the token endpoint, including delayed ones.
    pub fn token_fetches(&self) -> usize {
        self.shared.fetches(Endpoint::Token)
    }

    /// Waits until `n` requests in all have reached the token endpoint.
    pub async fn wait_for_token_fetches(&self, n: usize) {
        self.shared.wait_for_fetches(Endpoint::Token, n).await;
    }
}
