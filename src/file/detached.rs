//! Work that a disk may block, in a thread that nothing waits for at shutdown.
//!
//! tokio's own threads for blocking work keep a runtime from ending until it is done: a
//! hanging disk would keep a server from ending on SIGTERM.

use std::future::Future;

use tokio::sync::oneshot;
use tracing::dispatcher;

use crate::sync::thread;

/// The work panicked, or no thread could be started for it.
#[derive(Debug, thiserror::Error)]
#[error("it was stopped")]
pub(crate) struct Stopped(());

/// Starts `work`, which continues whether or not anything waits for its result, and logs
/// to the caller's subscriber.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, Stopped>> + Send {
    let (done, result) = oneshot::channel();
    let subscriber = dispatcher::get_default(Clone::clone);
    let work = move || dispatcher::with_default(&subscriber, work);
    let started = thread::Builder::new()
        .name("go-auth-disk".to_owned())
        .spawn(move || drop(done.send(work())));
    // If no thread started, `done` is dropped, which its receiver notices.
    drop(started);
    async { result.await.map_err(|_| Stopped(())) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_runtime_ends_while_the_work_continues() {
        let (release, held) = mpsc::channel::<()>();
        let runtime = tokio::runtime::Builder::new_multi_thread().build();
        let runtime = runtime.expect("a runtime");
        let (log, logged) = mpsc::channel();
        drop(runtime.spawn(async move {
            run(move || {
                log.send("begun").expect("it is waited for");
                let _ = held.recv();
                log.send("ended").expect("it is waited for");
            })
            .await
        }));
        let limit = Duration::from_secs(10);
        assert_eq!(logged.recv_timeout(limit), Ok("begun"));
        drop(runtime);
        drop(release);
        assert_eq!(logged.recv_timeout(limit), Ok("ended"));
    }

    #[tokio::test]
    async fn the_result_arrives_or_the_reason_it_cannot() {
        assert_eq!(run(|| 1).await.expect("done"), 1);
        assert!(run(|| panic!("as a test")).await.is_err());
    }
}
