//! A task in the background that belongs to a handle.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// The task of a handle: dropping it ends the task.
#[derive(Debug, Default)]
pub(crate) struct Background(Mutex<Option<AbortHandle>>);

impl Background {
    /// Starts what `begin` gives, on the current runtime; nothing where it gives
    /// `None`, since the task runs already. `false` where there is no runtime to
    /// run in.
    #[cold]
    pub(crate) fn start<F>(&self, begin: impl FnOnce() -> Option<F>) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(future) = begin() {
            *task = Some(runtime.spawn(future).abort_handle());
        }
        true
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}
