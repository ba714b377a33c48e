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
    start(move || drop(done.send(work())));
    async { result.await.map_err(|_| Stopped(())) }
}

fn start(work: impl FnOnce() + Send + 'static) {
    #[cfg(test)]
    if let Some(takes) = simulated::disk() {
        return simulated::start(takes, work);
    }
    let started = thread::Builder::new()
        .name("go-auth-disk".to_owned())
        .spawn(work);
    // If no thread started, `work` is dropped, which its receiver notices.
    drop(started);
}

#[cfg(test)]
pub(crate) mod simulated {
    //! A disk for all work of one thread, by tokio's time: so work takes as long as a test
    //! says, and nothing else happens meanwhile.

    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static DISK: Cell<Option<Duration>> = const { Cell::new(None) };
    }

    pub(super) fn disk() -> Option<Duration> {
        DISK.get()
    }

    /// From now on the disk takes this long; `None`: the real one.
    pub(crate) fn set_disk(takes: Option<Duration>) {
        DISK.set(takes);
    }

    pub(super) fn start(takes: Duration, work: impl FnOnce() + Send + 'static) {
        if takes.is_zero() {
            return work();
        }
        tokio::spawn(async move {
            tokio::time::sleep(takes).await;
            work();
        });
    }
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
