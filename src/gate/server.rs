//! The HTTP side: connections within bounds, until the process is told to stop.
//!
//! Clients are proxies, few and trusted to be well-behaved, but what they send along
//! is an attacker's. A request's body is never read.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::error::ServeError;
use super::live::Live;
use super::metrics::Exposition;
use super::reload::reload;
use super::routes;
use super::settings::Settings;
use super::signals::{Signal, Signals};

/// From the first look for a request to the end of its head: a proxy has it at hand.
/// A connection on which none comes for as long is closed.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// The largest head of a request: the longest token that can be configured, 64 KiB,
/// and the 32 KiB that nginx takes for all of a head by default. hyper looks at it
/// between reads, so that it may have read as much again.
const MAX_HEAD: usize = 96 * 1024;

/// How many connections are served at once; further ones wait to be accepted. A
/// proxy keeps some tens. With one file each they leave room under the 1,024 that a
/// process may have open by default, and 96 MiB hold the largest head of each.
const MAX_CONNECTIONS: usize = 512;

/// How long requests may go on after the process was told to stop: as long as
/// [`key_wait`](crate::Config::key_wait) may be set to, the longest of what a request
/// waits for. It is also the time that Kubernetes leaves by default.
const DRAIN: Duration = Duration::from_secs(30);

/// The wait after a connection could not be accepted, for want of files mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    live: ArcSwap<Live>,
    draining: watch::Sender<bool>,
    connections: AtomicUsize,
    exposition: Exposition,
}

impl Shared {
    pub(super) fn live(&self) -> arc_swap::Guard<Arc<Live>> {
        self.live.load()
    }

    /// Later requests go by `live`.
    pub(super) fn replace(&self, live: Live) {
        self.live.store(Arc::new(live));
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Completes once the process was told to stop.
    async fn until_draining(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as `self`.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    pub(super) fn metrics(&self) -> String {
        let connections = self.connections.load(Ordering::Relaxed);
        self.exposition.render(self.live().auth(), connections)
    }
}

/// A gate that is bound to its address.
#[derive(Debug)]
pub(super) struct Gate {
    listener: TcpListener,
    settings: Settings,
    shared: Arc<Shared>,
}

impl Gate {
    /// Reads the settings and binds the address; fetches nothing yet.
    pub(super) async fn bind(
        listen: &str,
        settings: Settings,
        exposition: Exposition,
    ) -> Result<Self, ServeError> {
        let live = Live::read(&settings)?;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| ServeError::Listen {
                listen: listen.to_owned(),
                source,
            })?;
        Ok(Self {
            listener,
            settings,
            shared: Arc::new(Shared {
                live: ArcSwap::from_pointee(live),
                draining: watch::Sender::new(false),
                connections: AtomicUsize::new(0),
                exposition,
            }),
        })
    }

    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop, and ends when all requests have.
    pub(super) async fn run(self, mut signals: Signals) {
        let Self {
            listener,
            settings,
            shared,
        } = self;
        let mut background = JoinSet::new();
        background.spawn(shared.exposition.clone().keep_up());
        background.spawn(fetch_keys(Arc::clone(&shared)));
        // Of several that come during a reload, one more is enough.
        let wanted = Arc::new(Notify::new());
        background.spawn(keep_reloading(
            Arc::clone(&shared),
            settings,
            Arc::clone(&wanted),
        ));

        let mut connections = JoinSet::new();
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Reload => wanted.notify_one(),
                    Signal::Stop => break,
                },
                Some(_) = connections.join_next() => {}
                accepted = accept(&listener, &room) => match accepted {
                    Ok((stream, place)) => {
                        connections.spawn(connection(stream, place, Arc::clone(&shared)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        shared.draining.send_replace(true);
        tracing::info!("stopping");
        drain(connections, told_to_stop(signals)).await;
    }
}

/// Until there are keys requests are answered 503, so they are fetched at once. The
/// keeper goes on trying.
async fn fetch_keys(shared: Arc<Shared>) {
    let auth = shared.live().auth().clone();
    // A failure is in the log already.
    let _ = auth.ready().await;
}

async fn keep_reloading(shared: Arc<Shared>, settings: Settings, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        reload(&shared, &settings).await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await;
    let place = place.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn told_to_stop(mut signals: Signals) {
    while signals.next().await != Signal::Stop {}
}

/// Waits for the connections to end: for [`DRAIN`] at the longest, or until it is
/// told to stop a second time.
async fn drain(mut connections: JoinSet<()>, told_again: impl Future<Output = ()>) {
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => tracing::info!("stopped"),
        () = told_again => tracing::warn!("stopped before all requests had ended"),
        () = tokio::time::sleep(DRAIN) => {
            tracing::warn!("stopped after 30s, before all requests had ended");
        }
    }
}

/// A connection that is counted, and its place among all.
struct Counted {
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Counted {
    fn new(shared: Arc<Shared>, place: OwnedSemaphorePermit) -> Self {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        Self {
            shared,
            _place: place,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves a connection, which is counted from now on: the task that serves it may
/// begin later than a look at the metrics.
fn connection(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    shared: Arc<Shared>,
) -> impl Future<Output = ()> {
    let counted = Counted::new(shared, place);
    async move { serve(stream, &counted.shared).await }
}

async fn serve(stream: TcpStream, shared: &Arc<Shared>) {
    // Small answers on a kept connection shouldn't wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(routes::answer(&shared, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.until_draining() => {
            // Closes it where no request is under way, and else after the answer.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;
    use crate::config::Config;

    fn shared() -> Arc<Shared> {
        let config = Config {
            issuer: "https://id/X".to_owned(),
            audience: vec!["ZKT".to_owned()],
            jwks_url: "https://id.example/keys".to_owned(),
            ..Config::default()
        };
        let live = Live::new(config).expect("a good configuration");
        Arc::new(Shared {
            live: ArcSwap::from_pointee(live),
            draining: watch::Sender::new(false),
            connections: AtomicUsize::new(0),
            exposition: Exposition::apart(),
        })
    }

    /// A client, and what serves it.
    async fn accepted(shared: &Arc<Shared>) -> (TcpStream, impl Future<Output = ()> + use<>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("it listens");
        let room = Arc::new(Semaphore::new(1));
        let (stream, place) = accept(&listener, &room).await.expect("a connection");
        (client, connection(stream, place, Arc::clone(shared)))
    }

    #[tokio::test]
    async fn a_connection_is_counted_from_before_its_task_begins_to_its_end() {
        let shared = shared();
        let open = || shared.connections.load(Ordering::Relaxed);
        let (_client, unbegun) = accepted(&shared).await;
        assert_eq!(open(), 1);
        let (client, serving) = accepted(&shared).await;
        assert_eq!(open(), 2);
        drop(client);
        serving.await;
        assert_eq!(open(), 1);
        drop(unbegun);
        assert_eq!(open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_is_waited_for_ten_seconds() {
        let shared = shared();
        for begun in ["", "GET /auth HTTP/1.1\r\nAuthorization: "] {
            let (mut client, serving) = accepted(&shared).await;
            tokio::spawn(serving);
            client.write_all(begun.as_bytes()).await.expect("written");
            let started = Instant::now();
            let mut rest = Vec::new();
            let end = tokio::time::timeout(2 * HEAD_WAIT, client.read_to_end(&mut rest)).await;
            assert_eq!(end.expect("in time").expect("the end"), 0, "{begun:?}");
            assert_eq!(started.elapsed().as_secs(), 10, "{begun:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_waited_for_thirty_seconds() {
        let mut connections = JoinSet::new();
        connections.spawn(pending());
        let started = Instant::now();
        drain(connections, pending()).await;
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_is_not_waited_for_longer() {
        let mut connections = JoinSet::new();
        connections.spawn(tokio::time::sleep(Duration::from_secs(7)));
        let started = Instant::now();
        drain(connections, pending()).await;
        assert_eq!(started.elapsed().as_secs(), 7);
    }
}
