//! What serves an address: connections within bounds.
//!
//! Clients are proxies, few and trusted to be well-behaved, but what they send along
//! is an attacker's. A request's body is never read.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::events;
use super::routes::{self, Offer};
use super::shared::Shared;
use crate::listen::{Listener, Stream};
use derbysoft_go_simulator::bounded_streams::{HEAD_WAIT, MAX_CONNECTIONS, TimedWrites, accept};

/// The largest head of a request: the longest token that can be configured, 64 KiB,
/// and the 32 KiB that nginx takes for a whole head by default. hyper checks it between
/// reads, so that it may have read as much again. 96 MiB hold the largest head of each
/// connection.
const MAX_HEAD: usize = 96 * 1024;

/// How many connections are served at once at the address of the status: some probes and
/// a Prometheus or two, each with one connection at a time.
const MAX_WATCHERS: usize = 16;

/// The pause after a connection could not be accepted, mostly for lack of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What listens at an address, and the connections accepted there.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) listener: Listener,
    offer: Offer,
    room: Arc<Semaphore>,
    connections: JoinSet<()>,
}

impl Port {
    pub(super) fn new(listener: Listener, offer: Offer) -> Self {
        let most = match offer {
            Offer::Everything | Offer::Verdicts => MAX_CONNECTIONS,
            Offer::Status => MAX_WATCHERS,
        };
        Self {
            listener,
            offer,
            room: Arc::new(Semaphore::new(most)),
            connections: JoinSet::new(),
        }
    }

    /// Serves each connection. May be stopped at any await: connections that are
    /// open stay.
    pub(super) async fn serve(&mut self, shared: &Arc<Shared>) -> Infallible {
        let mut failing = false;
        loop {
            tokio::select! {
                Some(_) = self.connections.join_next() => {}
                accepted = accept(self.listener.accept(), &self.room) => match accepted {
                    Ok((stream, place)) => {
                        failing = false;
                        let shared = Arc::clone(shared);
                        self.connections.spawn(connection(stream, place, self.offer, shared));
                    }
                    Err(error) => {
                        events::not_accepted(&error, failing);
                        failing = true;
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    /// Listens no more; what is left are the connections that are open.
    pub(super) async fn close(self) -> JoinSet<()> {
        self.listener.close().await;
        self.connections
    }
}

/// Serves a connection, which is counted from now on: its task may begin only after the
/// next look at the metrics.
fn connection(
    stream: Stream,
    place: OwnedSemaphorePermit,
    offer: Offer,
    shared: Arc<Shared>,
) -> impl Future<Output = ()> {
    let counted = (Arc::clone(&shared.connection), place);
    async move {
        serve(stream, offer, &shared).await;
        drop(counted);
    }
}

async fn serve(stream: Stream, offer: Offer, shared: &Arc<Shared>) {
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(routes::answer(&shared, offer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(TimedWrites::new(stream)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.draining.cancelled(), if offer != Offer::Status => {
            // Closes it where no request is under way, and else after the answer.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match ended {
        Err(error) if error.is_parse() => shared.not_http.rejected(&error),
        Err(error) => events::connection_failed(&error),
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpSocket, TcpStream};
    use tokio::time::Instant;

    use super::*;
    use crate::listen::{Access, Passed};
    use test_support::failing_log::panics_at;

    /// The beginning of the answer to one request.
    async fn asked(address: SocketAddr) -> String {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(request).await.expect("written");
        let mut line = [0; 15];
        client.read_exact(&mut line).await.expect("an answer");
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Everything, at a free port.
    async fn port() -> (Port, SocketAddr) {
        let address = "127.0.0.1:0".parse().expect("an address");
        let mut passed = Passed::take(&[]).expect("nothing");
        let listener = Listener::bind(&address, Access::default(), &mut passed).await;
        let listener = listener.expect("a free port");
        let name = listener.name().expect("an address");
        let address = name.strip_prefix("http://").and_then(|it| it.parse().ok());
        let port = Port::new(listener, Offer::Everything);
        (port, address.expect("an address"))
    }

    /// An address that is served from now on, to so many at once.
    async fn served(most: usize, shared: &Arc<Shared>) -> SocketAddr {
        let (mut port, address) = port().await;
        port.room = Arc::new(Semaphore::new(most));
        let shared = Arc::clone(shared);
        tokio::spawn(async move { port.serve(&shared).await });
        address
    }

    /// A client, and what serves it.
    async fn accepted(shared: &Arc<Shared>) -> (TcpStream, impl Future<Output = ()> + use<>) {
        let (port, address) = port().await;
        let client = TcpStream::connect(address).await.expect("it listens");
        let accepted = accept(port.listener.accept(), &port.room).await;
        let (stream, place) = accepted.expect("a connection");
        (
            client,
            connection(stream, place, Offer::Everything, Arc::clone(shared)),
        )
    }

    #[tokio::test]
    async fn a_connection_counts_before_its_task_begins() {
        let shared = Arc::new(Shared::of_nobody());
        let open = || shared.connections();
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
    async fn clients_that_never_read_leave_after_ten_seconds() {
        let shared = Arc::new(Shared::of_nobody());
        let address = served(2, &shared).await;
        for _ in 0..2 {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_recv_buffer_size(4096).expect("a size");
            let mut client = socket.connect(address).await.expect("it listens");
            tokio::spawn(async move {
                let requests = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
                while client.write_all(requests.as_bytes()).await.is_ok() {}
            });
        }
        while shared.connections() < 2 {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        assert_eq!(asked(address).await, "HTTP/1.1 200 OK");
        let waited = started.elapsed().as_secs();
        assert!((9..30).contains(&waited), "{waited}");
    }

    #[tokio::test]
    async fn a_connection_that_panics_ends_alone() {
        let _failing = panics_at("a connection failed");
        let shared = Arc::new(Shared::of_nobody());
        let address = served(2, &shared).await;
        for _ in 0..3 {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            // Half a request.
            client.write_all(b"GET /healthz").await.expect("written");
            client.shutdown().await.expect("open");
            let mut rest = Vec::new();
            let _ = client.read_to_end(&mut rest).await;
            assert_eq!(asked(address).await, "HTTP/1.1 200 OK");
        }
        while shared.connections() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_ten_seconds_to_send_a_head() {
        let shared = Arc::new(Shared::of_nobody());
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
}
