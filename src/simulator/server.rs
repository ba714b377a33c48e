//! The HTTP side: one task that accepts, and the answers it gives.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::answer::{Answer, Serving};
use super::body::Script;
use super::fault::{Endpoint, Faults};
use super::log::Log;
use super::ring::KeyRing;

/// What the handle and the server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) keys_path: String,
    pub(super) discovery_path: String,
    pub(super) discovery_issuer: String,
    /// Requests that have reached the key address.
    pub(super) fetches: watch::Sender<usize>,
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
    pub(super) fn new(
        account: &str,
        origin: &str,
        discovery_issuer: String,
        ring: KeyRing,
    ) -> Self {
        let keys_path = format!("/id/{account}/keys");
        Self {
            discovery_path: format!("/id/{account}/.well-known/openid-configuration"),
            discovery_issuer,
            fetches: watch::Sender::new(0),
            state: Mutex::new(State {
                ring,
                faults: Faults::default(),
                serving: Serving::default(),
                jwks_uri: format!("{origin}{keys_path}"),
                discovery: None,
                holds: Vec::new(),
                log: Log::default(),
            }),
            keys_path,
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
            None
        };
        let mut state = self.state();
        let answer = match endpoint {
            Some(endpoint) => self.answer(&mut state, endpoint, head),
            None => Answer::not_found(),
        };
        state.log.record(head, answer.status());
        let gate = (endpoint == Some(Endpoint::Keys)).then(|| {
            self.fetches.send_modify(|count| *count += 1);
            state.gate()
        });
        (answer, gate.flatten())
    }

    fn answer(&self, state: &mut State, endpoint: Endpoint, head: &Parts) -> Answer {
        let fault = state.faults.take(endpoint);
        let document = match endpoint {
            Endpoint::Keys => state.ring.document(),
            Endpoint::Discovery => self.discovery(state),
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
            "issuer": self.discovery_issuer,
            "jwks_uri": state.jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        document.to_string().into_bytes()
    }
}

impl State {
    /// The oldest closed gate that has a place left.
    fn gate(&mut self) -> Option<watch::Receiver<()>> {
        self.holds
            .retain(|gate| gate.left > 0 && gate.opened.has_changed().is_ok());
        let gate = self.holds.first_mut()?;
        gate.left -= 1;
        Some(gate.opened.clone())
    }
}

/// Serves until the other end of `stop` is dropped, then closes the port and every connection.
pub(super) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulated GO can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers on a kept connection shouldn't wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let (takeover, mut taken_over) = mpsc::channel(1);
    let service = service_fn(|request: Request<Incoming>| {
        Box::pin(respond(request, Arc::clone(&shared), takeover.clone()))
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = &mut connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the simulated GO ended");
            }
        }
        Some(bytes) = taken_over.recv() => {
            let stream = connection.into_parts().io.into_inner();
            if let Err(error) = write_raw(&stream, &bytes).await {
                tracing::debug!(%error, "raw bytes of the simulated GO weren't taken");
            }
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    takeover: mpsc::Sender<Vec<u8>>,
) -> Result<Response<Script>, io::Error> {
    let (head, _) = request.into_parts();
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
