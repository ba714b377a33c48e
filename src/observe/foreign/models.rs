//! Every order of lines, of the thread that emits them and of those who wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::sync::{any, check};

/// Nobody waits so long.
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn every_line_is_emitted_or_counted_as_dropped() {
    check(1000, || {
        let log = Arc::new(Log {
            pending: OnceLock::from(start(2).expect("a thread")),
            dropped: AtomicU64::new(0),
        });
        let emitted = Arc::new(AtomicU64::new(0));
        let senders = [1, 2, 3].map(|lines| {
            let (log, emitted) = (Arc::clone(&log), Arc::clone(&emitted));
            thread::spawn(move || {
                for _ in 0..lines {
                    let emitted = Arc::clone(&emitted);
                    let line = Line {
                        subscriber: Dispatch::none(),
                        span: Span::none(),
                        emit: Box::new(move || {
                            emitted.fetch_add(1, SeqCst);
                        }),
                    };
                    log.send(line, || None);
                }
                if any(2) == 0 {
                    assert!(log.flush(LONG));
                    let known = emitted.load(SeqCst) + log.dropped.load(SeqCst);
                    assert!(known >= lines, "flushed before it was emitted");
                }
            })
        });
        for sender in senders {
            sender.join().expect("no panic");
        }
        assert!(log.flush(LONG));
        let known = emitted.load(SeqCst) + log.dropped.load(SeqCst);
        assert_eq!(known, 1 + 2 + 3, "a line is lost");
    });
}
