//! GO's current state and its answers, shared by the handle, the server and the control
//! room.

mod faults;
pub(crate) mod gateway;
mod holds;
pub(crate) mod issue;
mod log;
pub(crate) mod partner_apis;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use derbysoft_go_auth::clock::Clock;
use http::Method;
use http::request::Parts;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::faults::Faults;
use self::gateway::Gateway;
use self::holds::Holds;
use self::log::Log;
use self::partner_apis::PartnerApis;
use crate::answer::{Answer, Arrival, Serving};
use crate::fault::{Endpoint, Fault};
use crate::keys::KeyRing;

pub use self::log::LoggedRequest;

/// A simulator's addresses and identity.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) address: SocketAddr,
    pub(crate) origin: String,
    pub(crate) account: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) discovery_issuer: String,
    pub(crate) control: bool,
}

impl Who {
    pub(crate) fn keys_path(&self) -> String {
        format!("/id/{}/keys", self.account)
    }

    pub(crate) fn discovery_path(&self) -> String {
        format!("/id/{}/.well-known/openid-configuration", self.account)
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        if path == self.keys_path() {
            Some(Endpoint::Keys)
        } else if path == self.discovery_path() {
            Some(Endpoint::Discovery)
        } else {
            (gateway::TOKEN_PATHS.contains(&path)).then_some(Endpoint::Token)
        }
    }
}

/// Shared by the handle and the server.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) who: Who,
    pub(crate) clock: Arc<dyn Clock>,
    /// Locked by the request that the control room is working on.
    pub(crate) control_turn: tokio::sync::Mutex<()>,
    /// Cancelled when the server accepts no more requests and finishes those under way.
    pub(crate) draining: CancellationToken,
    /// Requests that have reached each endpoint.
    fetches: [watch::Sender<usize>; Endpoint::ALL.len()],
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) ring: KeyRing,
    pub(crate) faults: Faults,
    pub(crate) serving: Serving,
    pub(crate) jwks_uri: String,
    pub(crate) holds: Holds,
    pub(crate) gateway: Gateway,
    pub(crate) partners: PartnerApis,
    pub(crate) log: Log,
}

impl Shared {
    pub(crate) fn new(who: Who, ring: KeyRing, clock: Arc<dyn Clock>) -> Self {
        Self {
            control_turn: tokio::sync::Mutex::new(()),
            draining: CancellationToken::new(),
            fetches: Endpoint::ALL.map(|_| watch::Sender::new(0)),
            state: Mutex::new(State {
                ring,
                faults: Faults::default(),
                serving: Serving::default(),
                jwks_uri: format!("{}{}", who.origin, who.keys_path()),
                holds: Holds::default(),
                gateway: Gateway::new(clock.now()),
                partners: PartnerApis::new(clock.now()),
                log: Log::default(),
            }),
            who,
            clock,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests have reached this endpoint.
    pub(crate) fn fetches(&self, endpoint: Endpoint) -> usize {
        *self.fetches[endpoint as usize].borrow()
    }

    /// Waits until `n` requests in all have reached this endpoint.
    pub(crate) async fn wait_for_fetches(&self, endpoint: Endpoint, n: usize) {
        let mut fetches = self.fetches[endpoint as usize].subscribe();
        // The sender lives in `self`, so the channel can't close.
        let _ = fetches.wait_for(|count| *count >= n).await;
    }

    /// Decides the answer when the request arrives, so that a delayed answer is not a
    /// newer one.
    pub(crate) fn receive(&self, head: &Parts) -> (Answer, Option<CancellationToken>) {
        let endpoint = self.who.endpoint(head.uri.path());
        let arrival = Arrival::now(&self.clock);
        let now = arrival.now;
        let mut state = self.state();
        let answer = match endpoint {
            Some(endpoint) => self.answer(&mut state, endpoint, head, arrival),
            None => (state.gateway.api(head, now))
                .or_else(|| state.partners.answer(head, now))
                .unwrap_or_else(Answer::not_found),
        };
        state.log.record(head, answer.status(), now);
        let barrier = endpoint.and_then(|endpoint| {
            self.fetches[endpoint as usize].send_modify(|count| *count += 1);
            state.holds.stop(endpoint)
        });
        (answer, barrier)
    }

    fn answer(
        &self,
        state: &mut State,
        endpoint: Endpoint,
        head: &Parts,
        arrival: Arrival,
    ) -> Answer {
        let now = arrival.now;
        let fault = state.faults.take(endpoint);
        if endpoint == Endpoint::Token && fault.is_none() {
            return state.gateway.token_endpoint(head, now);
        }
        let document = match endpoint {
            _ if fault == Some(Fault::WrongKeys) => state.ring.strangers_document(),
            Endpoint::Keys => state.ring.document(),
            Endpoint::Discovery => self.discovery(&state.jwks_uri),
            Endpoint::Token => state.gateway.new_token_document(now),
        };
        if fault.is_none() && !matches!(head.method, Method::GET | Method::HEAD) {
            return Answer::method_not_allowed();
        }
        Answer::of(document, fault, &state.serving, &head.headers, arrival)
    }

    /// The members that OIDC Discovery 1.0 requires, except the addresses for signing
    /// users in.
    fn discovery(&self, jwks_uri: &str) -> Vec<u8> {
        let document = json!({
            "issuer": self.who.discovery_issuer,
            "jwks_uri": jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        document.to_string().into_bytes()
    }
}

/// The rest of a path below this base, with its slash.
fn below<'a>(base: &str, head: &'a Parts) -> Option<&'a str> {
    let rest = head.uri.path().strip_prefix(base)?;
    rest.starts_with('/').then_some(rest)
}
