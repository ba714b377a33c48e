//! Decides which of many rejections are logged: the first of a kind, and then how many
//! more there were. Pure but for the counting; time is an argument.
//!
//! A kind takes one word of memory and a rejection one exchange of it, so there is no
//! lock and nothing that grows.

use std::sync::atomic::Ordering;

use crate::sync::AtomicU64;

/// From the first rejection of a kind to the report of how many more there were, in
/// seconds. GO's tokens live five minutes: whoever watches the log learns of a fault
/// within a token's life, from at most two lines a minute and kind.
pub const PERIOD: u32 = 60;

/// The rejections of every kind.
#[derive(Debug)]
pub struct Refusals(Box<[AtomicU64]>);

/// What to log about a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The first for a minute; so many before it were not logged.
    First {
        /// How many.
        unreported: u32,
    },
    /// Nothing yet.
    Second,
    /// Nothing yet; the second is also waiting for the end of the minute.
    Another,
}

/// The rejections of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tally {
    Quiet,
    Open {
        /// In whole seconds of elapsed time.
        since: u32,
        /// How many came after the first.
        more: u32,
    },
}

impl Tally {
    const fn read(word: u64) -> Self {
        // The halves of a word.
        #[allow(clippy::cast_possible_truncation)]
        let (since, more) = ((word >> 32) as u32, word as u32);
        match since.checked_sub(1) {
            Some(since) => Self::Open { since, more },
            None => Self::Quiet,
        }
    }

    const fn word(self) -> u64 {
        match self {
            Self::Quiet => 0,
            Self::Open { since, more } => ((since.saturating_add(1) as u64) << 32) | more as u64,
        }
    }

    /// The end of the minute, if a count is waiting to be logged.
    const fn end(self) -> Option<u32> {
        match self {
            Self::Open { since, more } if more > 0 => Some(since.saturating_add(PERIOD)),
            Self::Open { .. } | Self::Quiet => None,
        }
    }

    /// Counts one more rejection.
    const fn and_one(self, now: u32) -> (Self, Counted) {
        let opened = Self::Open {
            since: now,
            more: 0,
        };
        match self {
            Self::Quiet => (opened, Counted::First { unreported: 0 }),
            Self::Open { since, more } if now >= since.saturating_add(PERIOD) => {
                (opened, Counted::First { unreported: more })
            }
            Self::Open { since, more } => {
                let counted = Self::Open {
                    since,
                    more: more.saturating_add(1),
                };
                let kind = if more == 0 {
                    Counted::Second
                } else {
                    Counted::Another
                };
                (counted, kind)
            }
        }
    }
}

impl Refusals {
    /// Of so many kinds.
    pub fn new(kinds: usize) -> Self {
        let quiet = Tally::Quiet.word();
        Self((0..kinds).map(|_| AtomicU64::new(quiet)).collect())
    }

    /// Counts a rejection, at `now` in whole seconds of elapsed time.
    pub fn count(&self, kind: usize, now: u32) -> Counted {
        let Some(word) = self.0.get(kind) else {
            return Counted::First { unreported: 0 };
        };
        let counted = |word| Some(Tally::read(word).and_one(now).0.word());
        let (Ok(before) | Err(before)) =
            word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted);
        Tally::read(before).and_one(now).1
    }

    /// When the next count is due, if one is waiting.
    pub fn next_end(&self) -> Option<u32> {
        let tallies = self.0.iter().map(|word| word.load(Ordering::SeqCst));
        tallies.filter_map(|word| Tally::read(word).end()).min()
    }

    /// Takes the counts that are due: the kind, and how many more there were.
    pub fn take_due(&self, now: u32) -> impl Iterator<Item = (usize, u32)> {
        self.0.iter().enumerate().filter_map(move |(kind, word)| {
            let due = |word| Tally::read(word).end().filter(|end| now >= *end);
            let close = |word| due(word).map(|_| Tally::Quiet.word());
            let closed = word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, close);
            match Tally::read(closed.ok()?) {
                Tally::Open { more, .. } => Some((kind, more)),
                Tally::Quiet => None,
            }
        })
    }
}

#[cfg(shuttle)]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    /// The results for rejections of one kind at these seconds.
    fn said(seconds: &[u32]) -> Vec<Counted> {
        let refusals = Refusals::new(1);
        seconds.iter().map(|now| refusals.count(0, *now)).collect()
    }

    const ALONE: Counted = Counted::First { unreported: 0 };

    #[test]
    fn the_first_is_logged_and_others_are_counted() {
        assert_eq!(said(&[0]), [ALONE]);
        assert_eq!(
            said(&[7, 7, 8, 66]),
            [ALONE, Counted::Second, Counted::Another, Counted::Another]
        );
        assert_eq!(said(&[u32::MAX, u32::MAX]), [ALONE, ALONE]);
    }

    #[test]
    fn the_first_after_the_minute_has_the_count() {
        assert_eq!(said(&[7, 67]), [ALONE, ALONE]);
        assert_eq!(
            said(&[7, 8, 9, 67, 68, 127]),
            [
                ALONE,
                Counted::Second,
                Counted::Another,
                Counted::First { unreported: 2 },
                Counted::Second,
                Counted::First { unreported: 1 },
            ]
        );
        assert_eq!(
            said(&[7, 8, 9_000]).last(),
            Some(&Counted::First { unreported: 1 })
        );
    }

    #[test]
    fn a_count_is_taken_when_its_minute_is_over() {
        let refusals = Refusals::new(3);
        for (kind, now) in [(0, 5), (0, 6), (0, 7), (1, 6), (2, 9), (2, 9)] {
            refusals.count(kind, now);
        }
        assert_eq!(refusals.next_end(), Some(65));
        assert_eq!(refusals.take_due(64).count(), 0);
        assert_eq!(refusals.take_due(65).collect::<Vec<_>>(), [(0, 2)]);
        assert_eq!(refusals.next_end(), Some(69));
        assert_eq!(refusals.take_due(u32::MAX).collect::<Vec<_>>(), [(2, 1)]);
        assert_eq!(refusals.next_end(), None);
        // A count that was taken is not reported again; the next rejection is a first
        // one.
        assert_eq!(refusals.count(0, 66), ALONE);
        // Nothing follows this one: its minute goes on.
        assert_eq!(refusals.count(1, 65), Counted::Second);
    }

    #[test]
    fn each_is_reported_once_from_any_thread() {
        const EACH: u32 = 20_000;
        let refusals = Refusals::new(1);
        let now = AtomicU64::new(0);
        let counted = |_| {
            let mut told = 0;
            for _ in 0..EACH {
                // A minute for every seventh: many of them begin during the test.
                let now = now.fetch_add(1, Ordering::Relaxed) * u64::from(PERIOD) / 7;
                let now = u32::try_from(now).expect("a small number");
                if let Counted::First { unreported } = refusals.count(0, now) {
                    told += 1 + unreported;
                }
                told += refusals.take_due(now).map(|(_, more)| more).sum::<u32>();
            }
            told
        };
        let told: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || counted(n))).collect();
            (threads.into_iter())
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        let rest: u32 = refusals.take_due(u32::MAX).map(|(_, more)| more).sum();
        assert_eq!(told + rest, 4 * EACH);
    }
}
