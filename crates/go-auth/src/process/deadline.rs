//! The end of the process, whatever does not end.

use std::convert::Infallible;
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Ends the process with this status, unless it is dropped in time.
///
/// What is done last may wait for something foreign: a reader of standard output that
/// does not read, a disk that hangs.
#[derive(Debug)]
pub(crate) struct Deadline(#[expect(dead_code, reason = "its drop counts")] Sender<Infallible>);

impl Deadline {
    pub(crate) fn exit_within(time: Duration, status: u8) -> Self {
        let (alive, dropped) = mpsc::channel();
        // Where there may be no more threads, nothing ends what hangs.
        let _ = thread::Builder::new().spawn(move || {
            if dropped.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                process::exit(status.into());
            }
        });
        Self(alive)
    }
}
