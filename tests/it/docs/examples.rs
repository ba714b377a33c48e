//! The server of the `distributor` example, which people copy.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use test_support::wire::{Wire, head};
use test_support::{settle, soon};

#[allow(dead_code, reason = "its settings are those of a process")]
#[path = "../../../examples/distributor.rs"]
mod distributor;

async fn serve(
    app: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(distributor::serve(listener, app, stopped));
    (address, serving)
}

fn app() -> Router {
    Router::new().route("/", get(|| async { "ok" }))
}

async fn connect(address: SocketAddr) -> Wire<TcpStream> {
    Wire::new(TcpStream::connect(address).await.expect("it listens"))
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_ends_its_connection() {
    let (address, _serving) = serve(app(), pending()).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: "] {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (begun, started) = (begun.as_bytes(), Instant::now());
        while stream.try_write(begun).is_err() {
            stream.writable().await.expect("it is open");
        }
        loop {
            stream.readable().await.expect("it is open");
            if let Ok(0) = stream.try_read(&mut [0; 100]) {
                break;
            }
        }
        assert_eq!(started.elapsed().as_secs(), 10);
    }
}

#[tokio::test]
async fn a_connection_too_many_waits_for_another() {
    let (address, _serving) = serve(app(), pending()).await;
    let mut open = Vec::new();
    for _ in 0..512 {
        let mut wire = connect(address).await;
        wire.write(head("GET", "/", &[])).await;
        assert_eq!(wire.reply().await.status, 200);
        open.push(wire);
    }
    let mut late = connect(address).await;
    late.write(head("GET", "/", &[])).await;
    let answered = tokio::spawn(async move { late.reply().await.status });
    settle().await;
    assert!(!answered.is_finished());
    open.pop();
    assert_eq!(soon(answered).await.expect("an answer"), 200);
}

#[tokio::test]
async fn at_the_end_requests_in_flight_are_answered() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, waits) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = get(async move || {
        begins.notify_one();
        waits.notified().await;
        "done"
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move { drop(stopped.await) };
    let (address, serving) = serve(app().route("/slow", slow), stopped).await;
    let mut idle = connect(address).await;
    idle.write(head("GET", "/", &[])).await;
    assert_eq!(idle.reply().await.status, 200);
    let mut wire = connect(address).await;
    wire.write(head("GET", "/slow", &[])).await;
    soon(begun.notified()).await;
    drop(stop);
    idle.closed().await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "it listens no more"
    );
    assert!(!serving.is_finished());
    go_on.notify_one();
    assert_eq!(wire.reply().await.body, "done");
    soon(serving).await.expect("it ends");
}
