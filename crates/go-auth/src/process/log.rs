//! The log of the process: lines for standard error, which nothing waits for.
//!
//! Standard error may be a file on a full disk, or a pipe that nobody reads any more. So
//! a thread writes the lines, from a bounded queue. Lines that find the queue full, or
//! can't be written, are dropped and counted.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::log_settings::{LogFormat, LogSettings};
use derbysoft_go_auth::observe::dropped_log_events;

/// How many lines may wait to be written. At some 250 bytes each, or 400 as JSON, they
/// take 2 or 3 MiB, and are what a thousand requests log at debug level.
const MAX_WAITING: usize = 8192;

/// How long the process waits at its end until the last lines are written. A reader that
/// reads has them in a millisecond.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(1);

/// The log. Dropping it waits until the lines so far are written, for a second at the
/// longest.
#[derive(Debug)]
pub(super) struct Log {
    lines: Lines,
}

/// The queue of the lines.
#[derive(Debug, Clone)]
struct Lines {
    queue: SyncSender<Vec<u8>>,
    /// How many are not written yet.
    waiting: Arc<AtomicUsize>,
    dropped: DroppedLines,
}

/// Writes lines, each from a line's beginning on, whatever became of the one before.
struct WholeLines<W> {
    writer: W,
    /// Only a part of the last one could be written.
    is_torn: bool,
}

/// How many lines were dropped, including those that the library dropped before they came
/// this far.
#[derive(Debug, Clone, Default)]
pub(crate) struct DroppedLines(Arc<AtomicU64>);

/// In the order of the other lines.
#[derive(Serialize)]
struct LastWords<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    error: &'a str,
    faults: &'a [String],
    target: &'static str,
}

impl Log {
    /// Logs to standard error, where the process has no other log.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub(super) fn to_stderr(settings: &LogSettings) -> io::Result<Self> {
        let log = Self::to(io::stderr(), MAX_WAITING)?;
        let lines = log.lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(&settings.filter))
            .with_writer(move || lines.clone())
            // They would go straight to standard error, by a macro that panics if it
            // fails.
            .log_internal_errors(false);
        let _ = match settings.format {
            LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).try_init(),
            LogFormat::Json => (subscriber.with_ansi(false).json())
                .flatten_event(true)
                .try_init(),
        };
        Ok(log)
    }

    /// Logs as JSON why the process does not serve, whatever the filter is: otherwise it
    /// would end without a word.
    pub(super) fn last_words(&self, error: &str, faults: &[String]) {
        let mut timestamp = String::new();
        let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
        let line = serde_json::to_vec(&LastWords {
            timestamp,
            level: "ERROR",
            message: "go-auth can't serve",
            error,
            faults,
            target: "go_auth",
        });
        if let Ok(mut line) = line {
            line.push(b'\n');
            let _ = self.lines.clone().write_all(&line);
        }
    }

    fn to(writer: impl Write + Send + 'static, most: usize) -> io::Result<Self> {
        let (queue, written) = sync_channel::<Vec<u8>>(most);
        let lines = Lines {
            queue,
            waiting: Arc::default(),
            dropped: DroppedLines::default(),
        };
        let (waiting, dropped) = (Arc::clone(&lines.waiting), lines.dropped.clone());
        let mut whole = WholeLines::to(writer);
        // Ends with the process.
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                for line in written {
                    if whole.write(&line).is_err() {
                        dropped.one_more();
                    }
                    waiting.fetch_sub(1, Ordering::Release);
                }
            })?;
        Ok(Self { lines })
    }

    /// What waits until the lines so far are written, for a second at the longest.
    pub(super) fn last_lines(&self) -> impl Fn() + Send + Sync + use<> {
        let waiting = Arc::clone(&self.lines.waiting);
        move || {
            const PAUSE: Duration = Duration::from_millis(1);
            let started = Instant::now();
            while waiting.load(Ordering::Acquire) > 0 && started.elapsed() < LAST_LINES {
                thread::sleep(PAUSE);
            }
        }
    }

    pub(super) fn dropped(&self) -> DroppedLines {
        self.lines.dropped.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.last_lines()();
    }
}

impl<W: Write> WholeLines<W> {
    const fn to(writer: W) -> Self {
        let is_torn = false;
        Self { writer, is_torn }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.writer.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.writer.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl DroppedLines {
    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        (self.0.load(Ordering::Relaxed)).saturating_add(dropped_log_events())
    }
}

/// It never fails, since there is nowhere to report it.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(line.to_vec()).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.one_more();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// Writes once it may.
    struct Slow {
        may: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.may.recv();
            self.written.lock().expect("a lock").extend(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    /// Has room for a few bytes now and then.
    #[derive(Default)]
    struct Small {
        room: usize,
        written: Vec<u8>,
    }

    impl Write for Small {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let written = line.len().min(self.room);
            self.room -= written;
            self.written.extend(&line[..written]);
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_half_a_line_the_next_begins_on_its_own() {
        let mut lines = WholeLines::to(Small::default());
        for (room, is_written) in [(3, false), (0, false), (1, false), (50, true), (50, true)] {
            lines.writer.room = room;
            assert_eq!(lines.write(b"a line\n").is_ok(), is_written);
        }
        assert_eq!(lines.writer.written, b"a l\na line\na line\n");
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let (allow, may) = mpsc::channel();
        let written = Arc::default();
        let slow = Slow {
            may,
            written: Arc::clone(&written),
        };
        let log = Log::to(slow, 100).expect("a thread");
        for number in 0..50 {
            let line = format!("{number}\n");
            log.lines.clone().write_all(line.as_bytes()).expect("taken");
        }
        let reader = std::thread::spawn(move || {
            for _ in 0..50 {
                std::thread::sleep(Duration::from_millis(1));
                allow.send(()).expect("it is waited for");
            }
            allow
        });
        let dropped = log.dropped();
        drop(log);
        let text = String::from_utf8(written.lock().expect("a lock").clone());
        let expected: String = (0..50).map(|number| format!("{number}\n")).collect();
        assert_eq!(text.expect("UTF-8"), expected);
        assert_eq!(dropped.count(), 0);
        drop(reader.join().expect("all is read"));
    }

    #[test]
    fn a_stuck_reader_delays_the_end_by_a_second() {
        let (_allow, may) = mpsc::channel();
        let written = Arc::default();
        let log = Log::to(Slow { may, written }, 10).expect("a thread");
        let dropped = log.dropped();
        for _ in 0..100 {
            log.lines.clone().write_all(b"line\n").expect("taken");
        }
        // One may be on its way already.
        assert!((89..=90).contains(&dropped.count()), "{}", dropped.count());
        let started = Instant::now();
        drop(log);
        assert!((1..5).contains(&started.elapsed().as_secs()));
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let log = Log::to(Full, 100).expect("a thread");
        let dropped = log.dropped();
        for _ in 0..7 {
            log.lines.clone().write_all(b"line\n").expect("taken");
        }
        drop(log);
        assert_eq!(dropped.count(), 7);
    }
}
