//! One fetch at a time, shared by all who wait for it.
//!
//! A fetch is done by a task that belongs to none of them: whoever gives up waiting
//! cancels a wait, never a fetch. Fetches are numbered as they begin, and a ticket is for
//! the end of one of a number or a later one. So where a task takes over from one that
//! nobody drives any more, whose fetch will not end, its own fetch serves all who wait.
//!
//! A [`Flight`] lives under the lock of what a fetch changes: the result is published,
//! and then the fetch counts as ended, before anybody else can take a ticket.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::task::{Due, Pulse};

/// The fetches of one thing. `W` says what a fetch is wanted for; the greater counts.
#[derive(Debug)]
pub(crate) struct Flight<W> {
    /// The number of the last fetch that has begun.
    begun: u64,
    is_under_way: bool,
    /// Another is to begin at once.
    wanted: Option<W>,
    /// Wakes the task that fetches.
    wake: Arc<Notify>,
    /// The number of the last fetch that has ended.
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

    /// Whether one is under way or about to begin.
    pub(crate) const fn is_pending(&self) -> bool {
        self.is_under_way || self.wanted.is_some()
    }

    /// Has the task begin one once none is under way.
    pub(crate) fn want(&mut self, pulse: &Pulse, wanted: W) {
        // Who wants it once more puts nothing off.
        if !self.is_pending() {
            pulse.expect(Due::within(Duration::ZERO));
        }
        self.wanted = self.wanted.take().max(Some(wanted));
        self.wake.notify_one();
    }

    /// One begins, if it is wanted, or for `due` by itself.
    pub(crate) fn begin(&mut self, due: Option<W>) -> Option<W> {
        let wanted = self.wanted.take().max(due)?;
        self.begun += 1;
        self.is_under_way = true;
        Some(wanted)
    }

    /// What is under way has ended, and its result is published.
    pub(crate) fn end(&mut self) {
        self.is_under_way = false;
        self.ended.send_replace(self.begun);
    }

    /// What is under way has come to nothing that anybody waits for: the next one serves
    /// those who wait, and is wanted already.
    pub(crate) const fn pass_over(&mut self) {
        self.is_under_way = false;
    }

    /// Wakes those who wait, for something else than the end of a fetch.
    pub(crate) fn wake_waiting(&self) {
        self.ended.send_modify(|_| ());
    }

    /// Another task begins, which does what the one before was about to. The result wakes
    /// it: the one before may be waiting to be woken for ever.
    pub(crate) fn take_over(&mut self, wanted: W) -> Arc<Notify> {
        if std::mem::take(&mut self.is_under_way) {
            self.wanted = self.wanted.take().max(Some(wanted));
        }
        self.wake = Arc::default();
        Arc::clone(&self.wake)
    }

    /// The task ends. Whether anybody may wait for a fetch that will not end now; it is
    /// for the caller to publish so, and to [end](Self::end) it.
    pub(crate) fn abandon(&mut self) -> bool {
        let is_pending = self.is_pending();
        if self.wanted.take().is_some() {
            self.begun += 1;
        }
        is_pending
    }

    /// For the end of what is under way, or of the next where nothing is.
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket_of(self.begun + u64::from(!self.is_under_way))
    }

    /// For the end of one that begins from now on.
    pub(crate) fn ticket_of_next(&self) -> Ticket {
        self.ticket_of(self.begun + 1)
    }

    fn ticket_of(&self, number: u64) -> Ticket {
        Ticket {
            number,
            ended: self.ended.subscribe(),
        }
    }
}

/// A place among those who wait for one fetch.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    ended: watch::Receiver<u64>,
}

impl Ticket {
    /// Completes when something may have changed; `true` once the fetch has ended and its
    /// result, if any, is published.
    pub(crate) async fn progress(&mut self) -> bool {
        // An error would mean that the handle is gone, and with it whoever could ask.
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
    use super::*;

    /// What can happen to a flight, in any order.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        /// Somebody waits, and has one begin where none is pending.
        Ask,
        /// Somebody waits for one that begins from now on.
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

    /// A ticket, and when the earliest fetch that may serve it began: by the count of
    /// what has happened.
    struct Waiting {
        ticket: Ticket,
        since: usize,
    }

    /// A flight beside a plain account of it.
    struct Model {
        flight: Flight<()>,
        pulse: Pulse,
        /// When what is under way began.
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
                    let ticket = self.flight.ticket();
                    let since = self.under_way.unwrap_or(at);
                    self.waiting.push(Waiting { ticket, since });
                }
                Event::AskAnew => {
                    self.flight.want(&self.pulse, ());
                    let ticket = self.flight.ticket_of_next();
                    self.waiting.push(Waiting { ticket, since: at });
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

        /// Those of these are served, and no others.
        fn settle(&mut self, is_served: impl Fn(usize) -> bool) {
            self.waiting.retain_mut(|waiting| {
                let has_ended = waiting.ticket.has_ended();
                assert_eq!(has_ended, is_served(waiting.since));
                !has_ended
            });
        }
    }

    /// Every history of seven events, each followed by what a task does that goes on.
    #[test]
    fn whoever_waits_is_served_by_a_fetch_that_began_in_time() {
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
    async fn a_ticket_tells_an_end_from_other_news() {
        let mut flight = Flight::default();
        flight.want(&Pulse::default(), ());
        let mut ticket = flight.ticket();
        flight.wake_waiting();
        assert!(!ticket.progress().await);
        flight.begin(None);
        flight.end();
        assert!(ticket.progress().await);
        let later = flight.ticket_of_next();
        drop(flight);
        later.ended().await;
    }

    #[test]
    fn the_greater_wish_counts() {
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
