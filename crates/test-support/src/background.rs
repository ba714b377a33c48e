//! A task that ends with its owner.

use std::future::Future;

use tokio::task::JoinHandle;

/// Aborts the task when it is dropped.
pub struct Background(JoinHandle<()>);

impl Background {
    pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
