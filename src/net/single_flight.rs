//! One fetch at a time, shared by all waiting callers.
//!
//! A fetch runs in a task that belongs to none of them: a caller that gives up cancels
//! its wait, never the fetch. Fetches are numbered as they begin, and a caller waits for
//! the end of the fetch with a given number or a later one. So if a task takes over from
//! one that is no longer driven, whose fetch will never end, its own fetch serves all
//! waiting callers.
//!
//! A [`Flight`] lives under the lock of the state that a fetch changes: the result is
//! published and the fetch counted as ended before anyone else can begin to wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::task::{Due, Pulse};

/// The fetches of one thing. `W` is what a fetch is wanted for; the greater wins.
#[derive(Debug)]
pub(crate) struct Flight<W> {
    /// The number of the last fetch that began.
    begun: u64,
    is_under_way: bool,
    /// Another fetch is to begin at once.
    wanted: Option<W>,
    /// Wakes the task that fetches.
    wake: Arc<Notify>,
    /// The number of the last fetch that ended.
    ended: watch::Sender<u64>,
}

impl<W> Default for Flight<W> {
    fn default() -> Self {
        Self {
            begun: 0,
            is_under_way: false,
            wanted: None,
            wake: Arc::default(),
            ended: watch::Sender::new(0),
        }
    }
}

impl<W: Ord> Flight<W> {
    pub(crate) const fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Whether a fetch is under way or about to begin.
    pub(crate) const fn is_pending(&self) -> bool {
        self.is_under_way || self.wanted.is_some()
    }

    /// Makes the task begin a fetch once none is under way.
    pub(crate) fn want(&mut self, pulse: &Pulse, wanted: W) {
        // Repeated calls must not postpone the deadline.
        if !self.is_pending() {
            pulse.expect(Due::within(Duration::ZERO));
        }
        self.wanted = self.wanted.take().max(Some(wanted));
        self.wake.notify_one();
    }

    /// Begins a fetch, if one is wanted or `due` by itself.
    pub(crate) fn begin(&mut self, due: Option<W>) -> Option<W> {
        let wanted = self.wanted.take().max(due)?;
        self.begun += 1;
        self.is_under_way = true;
        Some(wanted)
    }

    /// The current fetch has ended, and its result is published.
    pub(crate) fn end(&mut self) {
        self.is_under_way = false;
        self.ended.send_replace(self.begun);
    }

    /// The current fetch has ended without a result that serves anyone: the next one,
    /// already wanted, serves the waiting callers.
    pub(crate) const fn pass_over(&mut self) {
        self.is_under_way = false;
    }

    /// Wakes waiting callers for something other than the end of a fetch.
    pub(crate) fn wake_waiting(&self) {
        self.ended.send_modify(|_| ());
    }

    /// Another task begins and takes over the pending work. The returned notifier wakes
    /// it: the previous task may still be waiting on the old one.
    pub(crate) fn take_over(&mut self, wanted: W) -> Arc<Notify> {
        if std::mem::take(&mut self.is_under_way) {
            self.wanted = self.wanted.take().max(Some(wanted));
        }
        self.wake = Arc::default();
        Arc::clone(&self.wake)
    }

    /// The task ends. Returns whether callers may be waiting for a fetch that will now
    /// never end; the caller must publish that and then [end](Self::end) it.
    pub(crate) fn abandon(&mut self) -> bool {
        let is_pending = self.is_pending();
        if self.wanted.take().is_some() {
            self.begun += 1;
        }
        is_pending
    }

    /// Waits for the end of the current fetch, or of the next if none is under way.
    pub(crate) fn waiter(&self) -> Waiter {
        self.waiter_of(self.begun + u64::from(!self.is_under_way))
    }

    /// Waits for the end of a fetch that begins from now on.
    pub(crate) fn waiter_of_next(&self) -> Waiter {
        self.waiter_of(self.begun + 1)
    }

    fn waiter_of(&self, number: u64) -> Waiter {
        Waiter {
            number,
            ended: self.ended.subscribe(),
        }
    }
}

/// A caller's place in the wait for one fetch.
#[derive(Debug)]
pub(crate) struct Waiter {
    number: u64,
    ended: watch::Receiver<u64>,
}

impl Waiter {
    /// Completes when something may have changed; `true` once the fetch has ended and its
    /// result, if any, is published.
    pub(crate) async fn progress(&mut self) -> bool {
        // An error would mean that the handle is gone, and every caller with it.
        self.has_ended() || self.ended.changed().await.is_err() || self.has_ended()
    }

    /// Completes when the fetch has ended.
    pub(crate) async fn ended(mut self) {
        while !self.progress().await {}
    }

    fn has_ended(&self) -> bool {
        *self.ended.borrow() >= self.number
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::clock::{ManualClock, Moment};

    /// What can happen to a flight, in any order.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        /// A caller waits, and starts a fetch if none is pending.
        Ask,
        /// A caller waits for a fetch that begins from now on.
        AskAnew,
        Begin,
        End,
        TakeOver,
        Abandon,
    }

    const EVENTS: [Event; 6] = [
        Event::Ask,
        Event::AskAnew,
        Event::Begin,
        Event::End,
        Event::TakeOver,
        Event::Abandon,
    ];

    /// A waiter, and when the earliest fetch that may serve it began, counted in events.
    struct Waiting {
        waiter: Waiter,
        since: usize,
    }

    /// A flight beside a simple model of it.
    struct Model {
        flight: Flight<()>,
        pulse: Pulse,
        /// When the current fetch began.
        under_way: Option<usize>,
        waiting: Vec<Waiting>,
    }

    impl Model {
        fn happen(&mut self, at: usize, event: Event) {
            match event {
                Event::Ask => {
                    if !self.flight.is_pending() {
                        self.flight.want(&self.pulse, ());
                    }
                    let waiter = self.flight.waiter();
                    let since = self.under_way.unwrap_or(at);
                    self.waiting.push(Waiting { waiter, since });
                }
                Event::AskAnew => {
                    self.flight.want(&self.pulse, ());
                    let waiter = self.flight.waiter_of_next();
                    self.waiting.push(Waiting { waiter, since: at });
                }
                Event::Begin if self.under_way.is_none() => {
                    if self.flight.begin(None).is_some() {
                        self.under_way = Some(at);
                    }
                }
                Event::End => {
                    if let Some(began) = self.under_way.take() {
                        self.flight.end();
                        self.settle(|since| since <= began);
                    }
                }
                Event::TakeOver => {
                    self.flight.take_over(());
                    self.under_way = None;
                }
                Event::Abandon => {
                    if self.flight.abandon() {
                        self.flight.end();
                    }
                    self.under_way = None;
                    self.settle(|_| true);
                }
                Event::Begin => {}
            }
        }

        /// Exactly these waiting callers are served.
        fn settle(&mut self, is_served: impl Fn(usize) -> bool) {
            self.waiting.retain_mut(|waiting| {
                let has_ended = waiting.waiter.has_ended();
                assert_eq!(has_ended, is_served(waiting.since));
                !has_ended
            });
        }
    }

    /// Every history of seven events, each followed by a task that keeps working.
    #[test]
    fn each_waiter_gets_a_fetch_that_began_in_time() {
        let length = 7;
        for history in 0..EVENTS.len().pow(length) {
            let mut model = Model {
                flight: Flight::default(),
                pulse: Pulse::default(),
                under_way: None,
                waiting: Vec::new(),
            };
            let mut rest = history;
            for at in 0..length as usize {
                let event = EVENTS[rest % EVENTS.len()];
                rest /= EVENTS.len();
                model.happen(at, event);
                let is_pending = model.flight.is_pending();
                assert!(is_pending || model.waiting.is_empty(), "nobody serves");
                assert_eq!(model.flight.is_under_way(), model.under_way.is_some());
            }
            for at in 10..14 {
                model.happen(at, Event::Begin);
                model.happen(at, Event::End);
            }
            assert!(
                model.waiting.is_empty(),
                "{history} leaves somebody waiting"
            );
        }
    }

    #[tokio::test]
    async fn a_ticket_tells_completion_from_other_wakeups() {
        let mut flight = Flight::default();
        flight.want(&Pulse::default(), ());
        let mut waiter = flight.waiter();
        flight.wake_waiting();
        assert!(!waiter.progress().await);
        flight.begin(None);
        flight.end();
        assert!(waiter.progress().await);
        let later = flight.waiter_of_next();
        let mut ended = Box::pin(flight.waiter_of_next().ended());
        assert!(
            ended
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        drop(flight);
        later.ended().await;
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_demands_do_not_postpone_the_tasks_deadline() {
        let clock = ManualClock::starting_now();
        let now = || Moment::now(&clock);
        let (mut flight, pulse) = (Flight::default(), Pulse::default());
        pulse.begin(now(), Due::Never);
        for is_driven in [true, true, true, false] {
            assert_eq!(pulse.is_driven(now()), is_driven);
            flight.want(&pulse, ());
            tokio::time::advance(Duration::from_secs(4)).await;
        }
    }

    #[test]
    fn a_fetch_that_serves_nobody_leaves_them_to_the_next() {
        let mut flight = Flight::default();
        flight.begin(Some(()));
        let waiter = flight.waiter();
        flight.pass_over();
        assert!(!flight.is_under_way() && !waiter.has_ended());
        flight.begin(Some(()));
        flight.end();
        assert!(waiter.has_ended());
    }

    #[test]
    fn the_greatest_reason_for_a_fetch_wins() {
        let mut flight = Flight::default();
        let pulse = Pulse::default();
        assert_eq!(flight.begin(None), None);
        assert_eq!(flight.begin(Some(1)), Some(1));
        flight.want(&pulse, 2);
        flight.want(&pulse, 1);
        flight.end();
        assert_eq!(flight.begin(Some(0)), Some(2));
        flight.take_over(3);
        assert_eq!(flight.begin(None), Some(3));
    }
}
