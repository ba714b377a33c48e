//! The log of one test's thread, as text.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;

use crate::secs;

/// With a single subscriber alive, tracing lets the first thread that reaches an event decide
/// for all whether it is wanted.
pub fn second_dispatch() {
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(NoSubscriber::default()));
}

/// Emits what was logged so far.
pub fn log_is_flushed() {
    assert!(derbysoft_go_auth::observe::flush_log(secs(30)));
}

/// All that is logged on this thread, from TRACE up.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub fn capture() -> (Self, DefaultGuard) {
        second_dispatch();
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(lines.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    pub fn text(&self) -> String {
        log_is_flushed();
        text(self.0.lock().expect("not poisoned").clone())
    }

    /// The same, and forgets it.
    pub fn take(&self) -> String {
        log_is_flushed();
        text(std::mem::take(&mut self.0.lock().expect("not poisoned")))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
