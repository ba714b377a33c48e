//! Every order of first uses, and of the end of their handle.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::clock::{ManualClock, UnixTime};
use crate::sync::{check, join, within};

/// A task that runs until its handle is dropped, as those of the crate do.
struct Running(Arc<AtomicU64>);

impl Running {
    fn begin(pulse: &Pulse, alive: &Arc<AtomicU64>) -> Option<Self> {
        let clock = ManualClock::new(UnixTime::EPOCH);
        pulse.begin(Moment::now(&clock), Due::Never)?;
        alive.fetch_add(1, SeqCst);
        Some(Self(Arc::clone(alive)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[test]
fn of_several_first_uses_one_begins_a_task() {
    check(1000, || {
        let handle = Arc::new((Background::default(), Pulse::default()));
        let alive = Arc::new(AtomicU64::new(0));
        let runtime = Handle::new();
        let uses = [(); 2].map(|()| {
            let (handle, alive) = (Arc::clone(&handle), Arc::clone(&alive));
            within(&runtime, move || {
                let (task, pulse) = &*handle;
                let is_within = task.start(|| {
                    let running = Running::begin(pulse, &alive)?;
                    Some(async move {
                        let _running = running;
                        std::future::pending::<()>().await;
                    })
                });
                assert!(is_within);
                assert_eq!(alive.load(SeqCst), 1);
            })
        });
        join(uses);
        drop(handle);
        // It ends with its handle.
        while alive.load(SeqCst) > 0 {
            crate::sync::thread::yield_now();
        }
    });
}
