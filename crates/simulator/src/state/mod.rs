//! What GO is at the moment, and what it answers: shared by the handle, the server and the
//! control room.

mod faults;
pub(crate) mod gateway;
mod issue;
mod log;
pub(crate) mod partner_apis;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use derbysoft_go_auth::Clock;
use http::Method;
use http::request::Parts;
use serde_json::json;
use tokio::sync::watch;

use self::faults::Faults;
use self::gateway::Gateway;
use self::log::Log;
use self::partner_apis::PartnerApis;
use crate::answer::{Answer, Serving};
use crate::bounded_tcp::Draining;
use crate::fault::Endpoint;
use crate::keys::KeyRing;

pub use self::log::LoggedRequest;

/// Where a simulator is and who it claims to be.
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

/// What the handle and the server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) who: Who,
    pub(crate) keys_path: String,
    pub(crate) discovery_path: String,
    /// Requests that have reached the key address.
    pub(crate) fetches: watch::Sender<usize>,
    /// Requests that have reached the token endpoint.
    pub(crate) token_fetches: watch::Sender<usize>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Held by the request to the control room that has its turn.
    pub(crate) control_turn: tokio::sync::Mutex<()>,
    pub(crate) draining: Draining,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) ring: KeyRing,
    pub(crate) faults: Faults,
    pub(crate) serving: Serving,
    pub(crate) jwks_uri: String,
    pub(crate) discovery: Option<Vec<u8>>,
    pub(crate) holds: Vec<Barrier>,
    pub(crate) token_holds: Vec<Barrier>,
    pub(crate) gateway: Gateway,
    pub(crate) partners: PartnerApis,
    pub(crate) log: Log,
}

/// The server's end of a [`Hold`](crate::Hold), which opens when the other end is dropped.
#[derive(Debug)]
pub(crate) struct Barrier {
    pub(crate) opened: watch::Receiver<()>,
    /// How many more requests it stops.
    pub(crate) left: usize,
}

impl Shared {
    pub(crate) fn new(who: Who, ring: KeyRing, clock: Arc<dyn Clock>) -> Self {
        let Who {
            account, origin, ..
        } = &who;
        let keys_path = format!("/id/{account}/keys");
        Self {
            discovery_path: format!("/id/{account}/.well-known/openid-configuration"),
            control_turn: tokio::sync::Mutex::new(()),
            draining: Draining::default(),
            fetches: watch::Sender::new(0),
            token_fetches: watch::Sender::new(0),
            state: Mutex::new(State {
                ring,
                faults: Faults::default(),
                serving: Serving::default(),
                jwks_uri: format!("{origin}{keys_path}"),
                discovery: None,
                holds: Vec::new(),
                token_holds: Vec::new(),
                gateway: Gateway::new(clock.now()),
                partners: PartnerApis::new(clock.now()),
                log: Log::default(),
            }),
            keys_path,
            who,
            clock,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides everything at the moment a request arrives, so that an answer held back is the
    /// answer of that moment.
    pub(crate) fn receive(&self, head: &Parts) -> (Answer, Option<watch::Receiver<()>>) {
        let path = head.uri.path();
        let endpoint = if path == self.keys_path {
            Some(Endpoint::Keys)
        } else if path == self.discovery_path {
            Some(Endpoint::Discovery)
        } else {
            gateway::TOKEN_PATHS
                .contains(&path)
                .then_some(Endpoint::Token)
        };
        let now = self.clock.now();
        let mut state = self.state();
        let answer = match endpoint {
            Some(endpoint) => self.answer(&mut state, endpoint, head),
            None => (state.gateway.api(head, now))
                .or_else(|| state.partners.answer(head, now))
                .unwrap_or_else(Answer::not_found),
        };
        state.log.record(head, answer.status());
        let barrier = match endpoint {
            Some(Endpoint::Keys) => {
                self.fetches.send_modify(|count| *count += 1);
                barrier(&mut state.holds)
            }
            Some(Endpoint::Token) => {
                self.token_fetches.send_modify(|count| *count += 1);
                barrier(&mut state.token_holds)
            }
            Some(Endpoint::Discovery) | None => None,
        };
        (answer, barrier)
    }

    fn answer(&self, state: &mut State, endpoint: Endpoint, head: &Parts) -> Answer {
        let fault = state.faults.take(endpoint);
        if endpoint == Endpoint::Token && fault.is_none() {
            return state.gateway.token_endpoint(head, self.clock.now());
        }
        let document = match endpoint {
            Endpoint::Keys => state.ring.document(),
            Endpoint::Discovery => self.discovery(state),
            Endpoint::Token => state.gateway.new_token_document(self.clock.now()),
        };
        match fault {
            Some(fault) => {
                let strangers = || state.ring.strangers_document();
                Answer::faulty(fault, document, strangers, &state.serving, &head.headers)
            }
            None if matches!(head.method, Method::GET | Method::HEAD) => {
                Answer::good(document, &state.serving, &head.headers)
            }
            None => Answer::method_not_allowed(),
        }
    }

    /// The members that OIDC Discovery 1.0 requires, save the addresses for signing people in.
    fn discovery(&self, state: &State) -> Vec<u8> {
        if let Some(document) = &state.discovery {
            return document.clone();
        }
        let document = json!({
            "issuer": self.who.discovery_issuer,
            "jwks_uri": state.jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        document.to_string().into_bytes()
    }
}

/// The oldest closed barrier that has a place left.
fn barrier(holds: &mut Vec<Barrier>) -> Option<watch::Receiver<()>> {
    holds.retain(|barrier| barrier.left > 0 && barrier.opened.has_changed().is_ok());
    let barrier = holds.first_mut()?;
    barrier.left -= 1;
    Some(barrier.opened.clone())
}
