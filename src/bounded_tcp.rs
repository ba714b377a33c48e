//! Serving one port, within bounds: what the gate and the simulator have in common.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// From the first look for a request to the end of its head: a proxy has it at hand.
/// A connection on which none comes for as long is closed.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(10);

/// How many connections are served at once; further ones wait to be accepted. A proxy
/// keeps some tens. With one file each they leave room under the 1,024 that a process
/// may have open by default.
pub(crate) const MAX_CONNECTIONS: usize = 512;

/// A connection, once there is room for it, and its place there.
pub(crate) async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Whether a server was told to stop: it takes no more requests, and ends those that
/// there are.
#[derive(Debug)]
pub(crate) struct Draining(watch::Sender<bool>);

impl Default for Draining {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Draining {
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    #[cfg(feature = "cli")]
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes once it has begun.
    pub(crate) async fn begun(&self) {
        let mut draining = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = draining.wait_for(|begun| *begun).await;
    }
}
