//! A fleet against one key address: how many requests it gets each second, step by step.
//!
//! Each replica is a real [`Remote`] on one clock that is turned from event to event: what
//! it does, and when, is decided by the code that runs in a service. Only the key
//! address, the network and the pushes are simulated. The same seeds give the same
//! numbers.
//!
//! Each second of each step has a bound, from the arithmetic of
//! `docs/guide/operations.md`; see [`steps`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reqwest::Url;

use super::{Fetch, Shared};
use crate::clock::{Clock, ManualClock, UnixTime};
use crate::keys::Published;
use crate::keys::fetch::{Document, Failed, FetchError, Fetched, Mode};
use crate::keys::freshness::Schedule;
use crate::keys::remote::{Demand, Remote};
use crate::keys::source::Place;
use crate::net::bounded_http::FetchSettings;
use crate::net::client::LazyClient;
use crate::net::refresher::{Refresh, Step};
use crate::net::retry;
use crate::net::task::Due;
use crate::sync::ArcSwap;

mod steps;

/// The defaults.
const SCHEDULE: Schedule = Schedule {
    interval: Duration::from_secs(300),
    cooldown: Duration::from_secs(10),
    max_stale: Duration::from_secs(24 * 60 * 60),
    longest_retry: retry::LONGEST,
};
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const KEY_WAIT: Duration = Duration::from_secs(2);

/// The number of each replica's task, which nothing replaces.
const TASK: u64 = 1;

/// What the key address does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyAddress {
    Answers,
    Refuses,
    /// 503, and `Retry-After` with so many seconds.
    Busy(u64),
    Hangs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Start,
    /// The task has waited long enough.
    Wake,
    /// A fetch ends.
    Answer,
    /// A token arrives whose key the replica may not have.
    Push,
}

struct Replica {
    remote: Remote,
    /// The fetch under way, and what it will give: the newest key, by its number.
    fetch: Option<(Fetch, Result<u32, Failed>)>,
    /// Until when the task waits.
    wake: Duration,
    /// The newest key that it has.
    key: u32,
    is_pushed_to: bool,
    /// When it last sent a request.
    asked: Option<Duration>,
}

struct Fleet {
    clock: ManualClock,
    replicas: Vec<Replica>,
    events: BinaryHeap<Reverse<(Duration, u64, usize, Event)>>,
    /// Keeps the events of one moment in order.
    scheduled: u64,
    chance: Rng,
    /// Replicas begin with the keys of a snapshot.
    has_snapshots: bool,
    key_address: KeyAddress,
    /// The newest key at the key address.
    published: u32,
    /// The key of the tokens that arrive.
    used: u32,
    /// How many arrive at each replica in a second.
    pushes: f64,
    /// When counting began.
    since: Duration,
    /// The requests in each second since.
    requests: Vec<u32>,
    /// The shortest time between two requests of one replica.
    apart: Duration,
    open: usize,
    most_open: usize,
}

impl Replica {
    fn new(clock: &ManualClock) -> Self {
        let settings = FetchSettings {
            address: Url::parse("https://go.example/keys").expect("an address"),
            connect_timeout: Duration::from_secs(2),
            timeout: FETCH_TIMEOUT,
            max_bytes: 1024,
        };
        let none: Arc<[Box<str>]> = Arc::from([]);
        Self {
            remote: Remote::new(Shared::new(
                "https://go.example".into(),
                Place::Address(settings).source(LazyClient::default()),
                None,
                SCHEDULE,
                Arc::new(clock.clone()),
                Arc::new(ArcSwap::from_pointee(Published::empty(&none))),
                none,
            )),
            fetch: None,
            wake: Duration::MAX,
            key: 0,
            is_pushed_to: false,
            asked: None,
        }
    }
}

impl Fleet {
    fn new(replicas: u32) -> Self {
        // That of the jitter, which is this thread's.
        fastrand::seed(1);
        let clock = ManualClock::new(UnixTime::from_secs(1_800_000_000));
        Self {
            replicas: (0..replicas).map(|_| Replica::new(&clock)).collect(),
            clock,
            events: BinaryHeap::new(),
            scheduled: 0,
            chance: Rng::with_seed(2),
            has_snapshots: false,
            key_address: KeyAddress::Answers,
            published: 1,
            used: 1,
            pushes: 0.0,
            since: Duration::ZERO,
            requests: Vec::new(),
            apart: Duration::MAX,
            open: 0,
            most_open: 0,
        }
    }

    /// A fleet whose replicas have been running for a while, out of step.
    fn steady(replicas: u32) -> Self {
        let mut fleet = Self::new(replicas);
        fleet.start_within(SCHEDULE.interval.mul_f64(0.8));
        fleet.run(600);
        fleet.since = fleet.now();
        fleet.requests.clear();
        fleet.most_open = 0;
        fleet
    }

    /// Starts or restarts all replicas, evenly within `time`.
    fn start_within(&mut self, time: Duration) {
        let count = u32::try_from(self.replicas.len()).expect("few");
        let now = self.now();
        for (replica, place) in (0..count).enumerate() {
            self.schedule(now + time * place / count, replica, Event::Start);
        }
    }

    /// From now on, so many tokens a second arrive at each replica whose key it may not
    /// have.
    fn push(&mut self, pushes: f64) {
        self.pushes = pushes;
        for replica in 0..self.replicas.len() {
            self.await_push(replica, Duration::ZERO);
        }
    }

    fn run(&mut self, seconds: u32) {
        // Newer keys can be asked for only within a runtime; nothing runs in this one.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let _entered = runtime.enter();
        let end = self.now() + Duration::from_secs(seconds.into());
        while let Some(&Reverse((moment, _, replica, event))) = self.events.peek()
            && moment < end
        {
            self.events.pop();
            self.clock.advance(moment.saturating_sub(self.now()));
            self.happen(replica, event);
        }
        self.clock.advance(end.saturating_sub(self.now()));
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn schedule(&mut self, moment: Duration, replica: usize, event: Event) {
        self.scheduled += 1;
        let event = (moment, self.scheduled, replica, event);
        self.events.push(Reverse(event));
    }

    fn happen(&mut self, replica: usize, event: Event) {
        let now = self.now();
        let this = &mut self.replicas[replica];
        match event {
            // A replica ends when it is idle.
            Event::Start if this.fetch.is_some() => {
                self.schedule(now + FETCH_TIMEOUT, replica, Event::Start);
            }
            Event::Start => {
                *this = Replica::new(&self.clock);
                let core = &this.remote.core;
                (core.pulse.begin(core.now(), Due::Never)).expect("the first task");
                if self.has_snapshots {
                    let freshness = &mut core.status().freshness;
                    freshness.restored(&SCHEDULE, core.now(), SCHEDULE.interval / 2);
                }
                this.remote.state();
                self.step(replica);
            }
            Event::Wake if this.wake == now => self.step(replica),
            Event::Wake => {}
            Event::Answer => {
                let (fetch, answer) = this.fetch.take().expect("a fetch");
                let fetched = answer.map(|key| {
                    let is_read = fetch.mode == Mode::Fresh || key != this.key;
                    this.key = key;
                    Fetched {
                        document: is_read.then(Document::default),
                        max_age: None,
                    }
                });
                (this.remote).publish(TASK, fetch.started, fetch.mode, fetched);
                self.open -= 1;
                self.step(replica);
                self.await_push(replica, Duration::ZERO);
            }
            Event::Push => {
                this.is_pushed_to = false;
                self.demand(replica);
            }
        }
    }

    /// What the replica's task does next.
    fn step(&mut self, replica: usize) {
        let now = self.now();
        let this = &mut self.replicas[replica];
        if this.fetch.is_some() {
            return;
        }
        match this.remote.next_step(TASK).expect("the only task") {
            Step::Fetch(fetch) => {
                if let Some(asked) = this.asked.replace(now) {
                    self.apart = self.apart.min(now.saturating_sub(asked));
                }
                let (takes, answer) = self.request();
                self.replicas[replica].fetch = Some((fetch, answer));
                self.schedule(now + takes, replica, Event::Answer);
            }
            Step::WaitUntil(moment) => {
                this.wake = moment.expect("a refresh is planned");
                let wake = this.wake;
                self.schedule(wake, replica, Event::Wake);
            }
        }
    }

    /// How long a request takes, and what it gives.
    fn request(&mut self) -> (Duration, Result<u32, Failed>) {
        let second = self.now().saturating_sub(self.since).as_secs();
        let second = usize::try_from(second).expect("hours");
        self.requests.resize(self.requests.len().max(second + 1), 0);
        self.requests[second] += 1;
        let frantic = 4 * self.replicas.len();
        assert!(
            self.requests[second] as usize <= frantic,
            "more than four requests of each replica in second {second}"
        );
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
        let there_and_back = Duration::from_millis(self.chance.u64(20..80));
        let failed = |error, retry_after| Err(Failed { error, retry_after });
        match self.key_address {
            KeyAddress::Answers => (there_and_back, Ok(self.published)),
            KeyAddress::Refuses => {
                let error = FetchError::Unreachable("refused".to_owned());
                (there_and_back / 2, failed(error, None))
            }
            KeyAddress::Busy(seconds) => {
                let wait = Duration::from_secs(seconds);
                (there_and_back, failed(FetchError::Status(503), Some(wait)))
            }
            KeyAddress::Hangs => (FETCH_TIMEOUT, failed(FetchError::Timeout, None)),
        }
    }

    /// The next of the pushes, which come at random, counted from so much later.
    fn await_push(&mut self, replica: usize, later: Duration) {
        let this = &mut self.replicas[replica];
        if self.pushes > 0.0 && this.key < self.used && !this.is_pushed_to {
            this.is_pushed_to = true;
            let pause = -(1.0 - self.chance.f64()).ln() / self.pushes;
            let moment = self.now() + later + Duration::from_secs_f64(pause);
            self.schedule(moment, replica, Event::Push);
        }
    }

    /// What a push causes at a replica that lacks its key. Those that could cause nothing
    /// are passed over.
    fn demand(&mut self, replica: usize) {
        let this = &mut self.replicas[replica];
        if this.key >= self.used {
            return;
        }
        let seen = this.remote.current.load_full();
        match this.remote.demand(&seen, self.clock.now()) {
            Demand::Wait(_) => self.step(replica),
            Demand::CoolingDown { rest, .. } => {
                // One that arrives late enough waits for the end of the cooldown.
                let waiting = -(rest.min(KEY_WAIT).as_secs_f64() * self.pushes).exp_m1();
                if self.chance.f64() < waiting {
                    this.is_pushed_to = true;
                    self.schedule(self.now() + rest, replica, Event::Push);
                } else {
                    self.await_push(replica, rest);
                }
            }
            Demand::Outage { retry_after } => self.await_push(replica, retry_after),
            demand @ (Demand::Replaced | Demand::Never) => panic!("{demand:?}"),
        }
    }
}
