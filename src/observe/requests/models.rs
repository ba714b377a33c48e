//! Every order of rejections, of the end of their minutes and of their handle.

use std::sync::atomic::AtomicU64;

use tracing::Dispatch;
use tracing::dispatcher::set_default;

use super::*;
use crate::clock::ManualClock;
use crate::clock::UnixTime;
use crate::sync::{Handle, Hears, any, check, join, within};

#[test]
fn every_rejection_is_logged_or_counted_once() {
    // Not a step of the model.
    let logged = Arc::new(AtomicU64::new(0));
    let hears = Arc::clone(&logged);
    let subscriber = Dispatch::new(Hears(move |heard: crate::sync::Heard| {
        hears.fetch_add(heard.count.unwrap_or(1), Ordering::Relaxed);
    }));
    let _default = set_default(&subscriber);
    check(1000, move || {
        logged.store(0, Ordering::Relaxed);
        let clock = ManualClock::new(UnixTime::from_secs(1_800_000_000));
        let requests = Arc::new(Requests::new(
            vec!["expired"],
            Box::default(),
            Arc::new(clock.clone()),
        ));
        let runtime = Handle::new();
        let callers = [2, 3].map(|times| {
            let requests = Arc::clone(&requests);
            within(&runtime, move || {
                for _ in 0..times {
                    requests.refused(Rejected {
                        kind: 0,
                        status: 401,
                        detail: "",
                        issuer: None,
                        claims: None,
                        headers: &HeaderMap::new(),
                    });
                }
            })
        });
        for _ in 0..any(4) {
            clock.advance(Duration::from_secs(61));
        }
        join(callers);
        clock.advance(Duration::from_secs(61));
        // Its task reports it, or the end of the handle.
        let requests = (any(2) == 0).then_some(requests);
        for _ in 0..1000 {
            if logged.load(Ordering::Relaxed) == 5 {
                break;
            }
            crate::sync::thread::yield_now();
        }
        assert_eq!(logged.load(Ordering::Relaxed), 5, "a rejection is lost");
        drop(requests);
    });
}
