//! Every order of rejections of one kind, and of the report of how many there were.

use std::sync::Arc;

use super::*;
use crate::sync::{check_all, thread};

#[test]
fn each_rejection_is_first_counted_or_left_to_be_reported() {
    check_all(|| {
        let refusals = Arc::new(Refusals::new(1));
        assert_eq!(refusals.count(0, 0), Counted::First { unreported: 0 });
        let counts = [0, 1].map(|now| {
            let refusals = Arc::clone(&refusals);
            thread::spawn(move || match refusals.count(0, now) {
                Counted::First { unreported } => 1 + unreported,
                Counted::Second | Counted::Another => 0,
            })
        });
        let due: u32 = refusals.take_due(PERIOD).map(|(_, more)| more).sum();
        let counted: u32 = counts.map(|it| it.join().expect("no panic")).iter().sum();
        let rest: u32 = refusals.take_due(u32::MAX).map(|(_, more)| more).sum();
        assert_eq!(due + counted + rest, 2);
    });
}
