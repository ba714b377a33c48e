//! What is common to files that are checked for changes while they are used: how often,
//! and how a disk that hangs is dealt with.
//!
//! They are checked by path and content. A platform may swap a symbolic link above a file
//! (Kubernetes does), which watching the file itself would miss; a date may stay the same,
//! where a file is copied or written twice within a tick.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::detached;
use crate::sync::{Handle, sleep, timeout};

/// The time between two checks of a file: about how long what was removed from it stays
/// in use. A check reads a few hundred bytes.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// How long a read may take before it counts as failed: a hanging disk must be reported.
pub(crate) const READ_WAIT: Duration = Duration::from_secs(5);

/// The most concurrent reads: the watch's and one caller's. So a hanging disk blocks no
/// more threads.
const MAX_READS: usize = 2;

/// How often a check retries while no place is free: a read takes a millisecond.
const PLACE_RETRY: Duration = Duration::from_millis(5);

/// The reads of one file; clones share their number.
#[derive(Debug, Clone)]
pub(crate) struct Reads {
    /// One permit for each further read; abandoned ones hold theirs.
    places: Arc<Semaphore>,
}

/// Why there is no result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("reading it takes longer than 5 s")]
    Slow,
    #[error("reading it was stopped")]
    Stopped,
    #[error("there is no tokio runtime to read it in")]
    NoRuntime,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_READS)),
        }
    }
}

impl Reads {
    /// What `read` returns, which runs in a thread since it may block. Starts none while
    /// two are hanging. Takes [`READ_WAIT`] at the longest.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unread> {
        if Handle::try_current().is_err() {
            return Err(Unread::NoRuntime);
        }
        let read = async {
            let place = self.place().await;
            let read = move || {
                let _place = place;
                read()
            };
            detached::run(read).await.map_err(|_| Unread::Stopped)
        };
        let ended = timeout(READ_WAIT, read).await;
        ended.map_err(|_| Unread::Slow)?
    }

    /// Waits for a free place. It polls: a queue could reserve a place for a task whose
    /// runtime is no longer driven.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            sleep(PLACE_RETRY).await;
        }
    }

    /// As many reads as may hang, until these are dropped.
    #[cfg(test)]
    pub(crate) fn all_hanging(&self) -> [OwnedSemaphorePermit; MAX_READS] {
        [(); MAX_READS].map(|()| {
            let place = Arc::clone(&self.places).try_acquire_owned();
            place.expect("nothing is being read")
        })
    }
}
