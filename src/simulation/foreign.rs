//! A log and a recorder that fail at times: each call panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use test_support::failing_log::failing_log;
use test_support::recorder::Recorder;
use tracing::Dispatch;

#[derive(Debug, Clone, Default)]
pub(super) struct Foreign(Arc<AtomicBool>);

impl Foreign {
    pub(super) fn fails(&self, fails: bool) {
        self.0.store(fails, Ordering::Relaxed);
    }

    pub(super) fn log(&self) -> Dispatch {
        let this = self.clone();
        failing_log(move |_| this.call())
    }

    pub(super) fn recorder(&self) -> Recorder {
        let this = self.clone();
        Recorder::new(move || this.call())
    }

    fn call(&self) {
        if self.0.load(Ordering::Relaxed) {
            // Without a word on standard error.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}
