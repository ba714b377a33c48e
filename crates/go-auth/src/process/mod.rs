//! What a process needs that serves until it is told to stop: signals, a log that nothing
//! waits for, and an end whatever hangs.

mod deadline;
mod log;
mod signals;

use crate::console::{Console, Exit, Failure};

pub(crate) use self::deadline::Deadline;
pub(crate) use self::log::{DroppedLines, LAST_LINES, log_to_stderr};
pub(crate) use self::signals::{Signal, Signals};

/// Says why, to whoever reads it: nobody has to, for a process that runs by itself.
pub(crate) fn fail(failure: &Failure, console: &mut Console<'_>) -> Exit {
    let _deadline = Deadline::exit_within(LAST_LINES, failure.exit().code());
    console.fail(failure)
}
