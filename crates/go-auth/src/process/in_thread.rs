//! Work that a disk may block.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Runs it in a thread of its own, for which nothing waits at the end of the process.
///
/// tokio's threads for blocking work would not do: where the process may have no more,
/// tokio panics.
///
/// # Errors
/// If there is no thread for it, or it panics.
pub(crate) async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let work = move || {
        // Nobody may wait for it any more.
        let _ = done.send(work());
    };
    thread::Builder::new().spawn(work)?;
    result.await.map_err(io::Error::other)
}
