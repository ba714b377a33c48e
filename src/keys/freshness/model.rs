//! Checks the state machine against a second implementation: a plain record of what
//! happened, from which the rules of `docs/guide/operations.md` are derived anew each
//! time.

use std::time::Duration;

use proptest::prelude::*;

use super::{Freshness, Schedule, Trust};
use crate::clock::{Moment, UnixTime};

/// In milliseconds throughout.
#[derive(Debug, Clone, Copy)]
enum Event {
    Succeeded {
        took: u64,
        max_age: Option<u64>,
        jitter: f64,
    },
    Failed {
        took: u64,
        jitter: f64,
    },
    Passed(u64),
    Stepped(i64),
}

/// What happened, and the times on both clocks.
#[derive(Debug, Default)]
struct Model {
    wall: i64,
    elapsed: i64,
    /// Wall clock and elapsed time of the last good answer, its age at that time, and how
    /// long it is fresh.
    good: Option<(i64, i64, i64, i64)>,
    from_snapshot: bool,
    /// Start and end of the last attempt.
    attempt: Option<(i64, i64)>,
    failures: u32,
}

impl Model {
    fn now(&self) -> Moment {
        Moment {
            wall: UnixTime::EPOCH.saturating_add(ms(self.wall)),
            elapsed: ms(self.elapsed),
        }
    }

    fn pass(&mut self, by: u64) {
        let by = i64::try_from(by).expect("days");
        self.wall += by;
        self.elapsed += by;
    }

    /// By the clock that shows the longer age.
    fn age(&self) -> Option<i64> {
        let (wall, elapsed, then, _) = self.good?;
        Some(then + (self.wall - wall).max(self.elapsed - elapsed).max(0))
    }
}

fn ms(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds.max(0)).expect("not negative"))
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("days")
}

fn events() -> impl Strategy<Value = Event> {
    let took = 0..10_000_u64;
    let max_age = prop::option::of(prop_oneof![0..120_000_u64, Just(315_360_000_000)]);
    prop_oneof![
        2 => (took.clone(), max_age, 0.0..=1.0).prop_map(|(took, max_age, jitter)| {
            Event::Succeeded { took, max_age, jitter }
        }),
        3 => (took, 0.0..=1.0).prop_map(|(took, jitter)| Event::Failed { took, jitter }),
        4 => prop_oneof![0..5_000_u64, 0..400_000_u64, 0..100_000_000_u64].prop_map(Event::Passed),
        1 => (-200_000_000..200_000_000_i64).prop_map(Event::Stepped),
    ]
}

fn schedules() -> impl Strategy<Value = Schedule> {
    (1_000..600_000_u64, 100..600_000_u64, 0..90_000_000_u64).prop_map(
        |(interval, cooldown, beyond)| Schedule {
            interval: Duration::from_millis(interval),
            cooldown: Duration::from_millis(cooldown),
            max_stale: Duration::from_millis(interval + beyond),
            longest_retry: Duration::from_millis(interval),
        },
    )
}

fn happen(event: Event, schedule: &Schedule, model: &mut Model, freshness: &mut Freshness) {
    let (started, begun) = (model.now(), (model.wall, model.elapsed));
    match event {
        Event::Passed(by) => model.pass(by),
        Event::Stepped(by) => model.wall = (model.wall + by).max(0),
        Event::Failed { took, jitter } => {
            model.pass(took);
            freshness.failed(schedule, (started, model.now()), None, jitter);
            model.attempt = Some((begun.1, model.elapsed));
            model.failures += 1;
        }
        Event::Succeeded {
            took,
            max_age,
            jitter,
        } => {
            model.pass(took);
            let wanted = max_age.map(Duration::from_millis);
            freshness.succeeded(schedule, (started, model.now()), true, wanted, jitter);
            let interval = signed(schedule.interval);
            let max_age = max_age.map(|age| i64::try_from(age).expect("ten years"));
            let life = max_age.map_or(interval, |age| age.max(30_000).min(interval));
            model.good = Some((begun.0, begun.1, 0, life));
            model.from_snapshot = false;
            model.attempt = Some((begun.1, model.elapsed));
            model.failures = 0;
        }
    }
}

fn agree(schedule: &Schedule, model: &Model, freshness: &Freshness) {
    let now = model.now();
    let max_stale = signed(schedule.max_stale);
    let trust = freshness.trust(schedule, now);
    let left = freshness.until_expiry(schedule, now).map(signed);
    assert_eq!(left, model.age().map(|age| (max_stale - age).max(0)));
    if let (Some((_, _, _, life)), Some(age)) = (model.good, model.age()) {
        let early = model.from_snapshot || age * 10 > life * 7;
        let late = model.from_snapshot || age * 10 > life * 9;
        match trust {
            Trust::Expired => assert!(age >= max_stale),
            Trust::Stale => assert!(age >= life && age < max_stale),
            Trust::Due => assert!(age < life && early),
            Trust::Fresh => assert!(age < life && !late),
            Trust::Empty => panic!("there was a good answer"),
        }
    } else {
        assert_eq!(trust, Trust::Empty);
    }
    let passed = |start: i64| signed(schedule.cooldown) - (model.elapsed - start);
    let cooling_down = model.attempt.map_or(0, |(start, _)| passed(start).max(0));
    assert_eq!(signed(freshness.cooling_down(now)), cooling_down);
    let succeeded = model.attempt.is_some() && model.failures == 0;
    assert_eq!(freshness.last_attempt_succeeded(), succeeded);
    agree_on_refresh(schedule, model, freshness.until_refresh(now).map(signed));
}

/// Within the bounds of the jitter, and a millisecond for rounding.
fn agree_on_refresh(schedule: &Schedule, model: &Model, wait: Option<i64>) {
    let (shortest, longest, since) = match (model.attempt, model.good) {
        (Some((_, end)), _) if model.failures > 0 => {
            let doubled = 1_000 << (model.failures - 1).min(6);
            let wait = doubled.min(60_000).min(signed(schedule.longest_retry));
            (wait / 2, wait, model.elapsed - end)
        }
        (_, Some((_, _, _, life))) => {
            let age = model.age().unwrap_or_default();
            let snapshot = if model.from_snapshot { 0 } else { life };
            (snapshot * 7 / 10, snapshot * 9 / 10, age)
        }
        _ => return assert_eq!(wait, None),
    };
    let wait = wait.expect("a refresh is planned");
    let bounds = (shortest - since - 1).max(0)..=(longest - since + 1).max(0);
    assert!(bounds.contains(&wait), "{wait} is not in {bounds:?}");
}

proptest! {
    #[test]
    fn any_history_gives_both_the_same_answers(
        schedule in schedules(),
        snapshot in prop::option::of(0.0..1.0),
        history in prop::collection::vec(events(), 0..40),
    ) {
        let mut model = Model { wall: 1_700_000_000_000, ..Model::default() };
        let mut freshness = Freshness::default();
        agree(&schedule, &model, &freshness);
        if let Some(part) = snapshot {
            let age = Duration::from_millis(signed(schedule.max_stale.mul_f64(part)).unsigned_abs());
            freshness.restored(&schedule, model.now(), age);
            let life = signed(schedule.interval);
            model.good = Some((model.wall, model.elapsed, signed(age), life));
            model.from_snapshot = true;
            agree(&schedule, &model, &freshness);
        }
        for event in history {
            happen(event, &schedule, &mut model, &mut freshness);
            agree(&schedule, &model, &freshness);
        }
    }
}
