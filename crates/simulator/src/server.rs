//! The HTTP server: one task accepts connections, each is served by its own.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum_core::response::Response;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::bounded_streams::{HEAD_WAIT, MAX_CONNECTIONS, TimedWrites, accept};
use crate::control;
use crate::state::Shared;

/// Serves until `stop` sends a patience or is dropped. Then closes the port, and each
/// connection once its request has ended or the patience is over.
pub(crate) async fn run(
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
            accepted = accept(listener.accept(), &room) => match accepted {
                Ok(((stream, _), place)) => {
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
        shared.draining.cancel();
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(patience, ended).await;
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, _place: OwnedSemaphorePermit, shared: Arc<Shared>) {
    // Small answers on a keep-alive connection must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let (takeover, mut taken_over) = mpsc::channel(1);
    let service = service_fn(|request: Request<Incoming>| {
        Box::pin(respond(request, Arc::clone(&shared), takeover.clone()))
    });
    // In a test nobody competes for connections, and paused time would pass at once.
    let stream = if shared.who.control {
        TimedWrites::new(stream)
    } else {
        TimedWrites::unlimited(stream)
    };
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
                let mut stream = connection.into_parts().io.into_inner();
                if let Err(error) = stream.write_all(&bytes).await {
                    tracing::debug!(%error, "the client did not read the raw bytes of the simulated GO");
                }
                return;
            }
            () = shared.draining.cancelled(), if !is_last => {
                is_last = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    takeover: mpsc::Sender<Vec<u8>>,
) -> Result<Response, io::Error> {
    let (head, body) = request.into_parts();
    if shared.who.control && control::is_for(&head) {
        return Ok(control::respond(shared, head, body).await);
    }
    // An unread body would cost the connection.
    drain(body).await?;
    let (answer, barrier) = shared.receive(&head);
    if let Some(barrier) = barrier {
        barrier.cancelled().await;
    }
    match answer {
        Answer::Reply(response) => Ok(response),
        Answer::Late(moment, response) => {
            shared.clock.sleep_until(moment).await;
            Ok(response)
        }
        Answer::Never => pending().await,
        Answer::Cut => Err(io::Error::other("the simulator cuts this connection")),
        Answer::Raw(bytes) => {
            let _ = takeover.send(bytes).await;
            pending().await
        }
    }
}

/// Reads a body to its end, as far as GO would: 1 MiB.
async fn drain(body: Incoming) -> io::Result<()> {
    let mut body = Limited::new(body, 1 << 20);
    while let Some(frame) = body.frame().await {
        frame.map_err(io::Error::other)?;
    }
    Ok(())
}
