//! The HTTP side: one task that accepts, and the answers it gives.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::answer::{Answer, Serving};
use super::body::Script;
use super::control;
use super::fault::{Endpoint, Faults};
use super::gateway::{self, Gateway};
use super::log::Log;
use super::partner_apis::PartnerApis;
use super::ring::KeyRing;
use crate::bounded_tcp::{Draining, HEAD_WAIT, MAX_CONNECTIONS, accept};
use crate::clock::Clock;

/// Where a simulator is and who it claims to be.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) address: SocketAddr,
    pub(super) origin: String,
    pub(super) account: String,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) discovery_issuer: String,
    pub(super) control: bool,
}

/// What the handle and the server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) who: Who,
    pub(super) keys_path: String,
    pub(super) discovery_path: String,
    /// Requests that have reached the key address.
    pub(super) fetches: watch::Sender<usize>,
    /// Requests that have reached the token endpoint.
    pub(super) token_fetches: watch::Sender<usize>,
    pub(super) clock: Arc<dyn Clock>,
    /// Held by the request to the control room that has its turn.
    pub(super) control_turn: tokio::sync::Mutex<()>,
    draining: Draining,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) ring: KeyRing,
    pub(super) faults: Faults,
    pub(super) serving: Serving,
    pub(super) jwks_uri: String,
    pub(super) discovery: Option<Vec<u8>>,
    pub(super) holds: Vec<Gate>,
    pub(super) token_holds: Vec<Gate>,
    pub(super) gateway: Gateway,
    pub(super) partners: PartnerApis,
    pub(super) log: Log,
}

/// The server's end of a [`Hold`](super::Hold), which opens when the other end is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) opened: watch::Receiver<()>,
    /// How many more requests it stops.
    pub(super) left: usize,
}

impl Shared {
    pub(super) fn new(who: Who, ring: KeyRing, clock: Arc<dyn Clock>) -> Self {
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides everything at the moment a request arrives, so that an answer held back is the
    /// answer of that moment.
    fn receive(&self, head: &Parts) -> (Answer, Option<watch::Receiver<()>>) {
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
        let gate = match endpoint {
            Some(Endpoint::Keys) => {
                self.fetches.send_modify(|count| *count += 1);
                gate(&mut state.holds)
            }
            Some(Endpoint::Token) => {
                self.token_fetches.send_modify(|count| *count += 1);
                gate(&mut state.token_holds)
            }
            Some(Endpoint::Discovery) | None => None,
        };
        (answer, gate)
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

/// The oldest closed gate that has a place left.
fn gate(holds: &mut Vec<Gate>) -> Option<watch::Receiver<()>> {
    holds.retain(|gate| gate.left > 0 && gate.opened.has_changed().is_ok());
    let gate = holds.first_mut()?;
    gate.left -= 1;
    Some(gate.opened.clone())
}

/// Serves until it is told to stop, or nobody is left to tell it; then closes the port, and every
/// connection when it has ended or the patience with it has.
pub(super) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<Duration>,
) {
    let mut connections = JoinSet::new();
    let places = if shared.who.control {
        MAX_CONNECTIONS
    } else {
        Semaphore::MAX_PERMITS
    };
    let room = Arc::new(Semaphore::new(places));
    let patience = loop {
        tokio::select! {
            biased;
            patience = &mut stop => break patience.unwrap_or_default(),
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &room) => match accepted {
                Ok((stream, place)) => {
                    connections.spawn(connection(stream, place, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulated GO can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
        }
    };
    drop(listener);
    if !patience.is_zero() {
        shared.draining.begin();
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(patience, ended).await;
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, _place: OwnedSemaphorePermit, shared: Arc<Shared>) {
    // Small answers on a kept connection shouldn't wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let (takeover, mut taken_over) = mpsc::channel(1);
    let service = service_fn(|request: Request<Incoming>| {
        Box::pin(respond(request, Arc::clone(&shared), takeover.clone()))
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.who.control.then_some(HEAD_WAIT))
        .serve_connection(TokioIo::new(stream), service);
    let mut is_last = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection to the simulated GO ended");
                }
                return;
            }
            Some(bytes) = taken_over.recv() => {
                let stream = connection.into_parts().io.into_inner();
                if let Err(error) = write_raw(&stream, &bytes).await {
                    tracing::debug!(%error, "raw bytes of the simulated GO weren't taken");
                }
                return;
            }
            () = shared.draining.begun(), if !is_last => {
                is_last = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    takeover: mpsc::Sender<Vec<u8>>,
) -> Result<Response<Script>, io::Error> {
    let (head, body) = request.into_parts();
    if shared.who.control && control::is_asked(&head) {
        return Ok(control::respond(shared, head, body).await);
    }
    // Unread, a body would cost the connection that it came on.
    drain(body).await?;
    let (answer, gate) = shared.receive(&head);
    if let Some(mut gate) = gate {
        while gate.changed().await.is_ok() {}
    }
    match answer {
        Answer::Reply(response) => Ok(response),
        Answer::Late(time, response) => {
            tokio::time::sleep(time).await;
            Ok(response)
        }
        Answer::Never => Ok(never().await),
        Answer::Cut => Err(io::Error::other("the simulator cuts this connection")),
        Answer::Raw(bytes) => {
            let _ = takeover.send(bytes).await;
            Ok(never().await)
        }
    }
}

/// Reads a body to its end, for as long as it is one that GO would take.
async fn drain(mut body: Incoming) -> io::Result<()> {
    const LONGEST: usize = 1 << 20;
    let mut read = 0;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(io::Error::other)?;
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > LONGEST {
            return Err(io::Error::other("a body of more than 1 MiB"));
        }
    }
    Ok(())
}

async fn never() -> Response<Script> {
    match pending::<Infallible>().await {}
}

async fn write_raw(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
