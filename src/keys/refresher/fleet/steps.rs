//! What may happen to a fleet, and what bounds its requests then: rates are of one
//! replica, in requests a second, and times in seconds.
//!
//! Each run of the tests holds a fleet of [`FEW`] to these bounds. [`MANY`], as the guide
//! shows them, take a minute or two:
//!
//! ```text
//! cargo test --locked --all-features --lib fleet -- --ignored && benches/charts.py
//! ```

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::json;

use super::{Fleet, KeyAddress};

const FEW: u32 = 500;
const MANY: u32 = 10_000;

/// How long each step is watched.
const WATCHED: u32 = 1200;

/// A replica refreshes once in 80 % of the interval on average.
const STEADY: f64 = 1.0 / 240.0;

/// The refreshes of replicas that fetched at one moment are spread over 20 % of it.
const ROUND: f64 = 1.0 / 60.0;

/// After many failures a replica tries again after 45 s on average.
const RETRIES: f64 = 1.0 / 45.0;

/// The retries of replicas that failed at one moment are spread over 30 s by then.
const ROUND_OF_RETRIES: f64 = 1.0 / 30.0;

/// An outage is noticed by refreshes, one by one for 240 s on average. Each of them is
/// the first of seven requests within a minute, and then there is one in 45 s.
const ONSET: f64 = STEADY * (7.0 + 240.0 * RETRIES);

/// Tokens of an unknown key that arrive at each replica in a second.
const PUSHES: f64 = 0.1;
const FLOOD: f64 = 10.0;

/// What has happened to a fleet, and the bounds of that.
struct Step {
    name: &'static str,
    fleet: Fleet,
    /// Between two requests of one replica, at least.
    apart: f64,
    /// The rate in each second.
    bound: Box<dyn Fn(u32) -> f64>,
}

/// All start at once.
fn start(replicas: u32) -> Step {
    starting("start", Fleet::new(replicas))
}

/// The same, each with a snapshot.
fn start_from_snapshots(replicas: u32) -> Step {
    let mut fleet = Fleet::new(replicas);
    fleet.has_snapshots = true;
    starting("start from snapshots", fleet)
}

fn starting(name: &'static str, mut fleet: Fleet) -> Step {
    fleet.start_within(Duration::ZERO);
    step(name, fleet, 210.0, |second| match second {
        0 => 1.0,
        1..210 => 0.0,
        _ => ROUND,
    })
}

/// Connections are refused for 10 minutes.
fn outage(replicas: u32) -> Step {
    failing("outage", replicas, KeyAddress::Refuses, 0.5)
}

/// The same, with 503 and `Retry-After: 30`.
fn unavailable(replicas: u32) -> Step {
    failing("503, Retry-After", replicas, KeyAddress::Busy(30), 30.0)
}

/// The same, without any answer.
fn hanging(replicas: u32) -> Step {
    failing("no answer", replicas, KeyAddress::Hangs, 5.5)
}

/// The key address of a steady fleet fails, and is back when all wait for a retry.
fn failing(name: &'static str, replicas: u32, key_address: KeyAddress, apart: f64) -> Step {
    let mut fleet = Fleet::steady(replicas);
    fail(&mut fleet, key_address, 600);
    step(name, fleet, apart, |second| match second {
        0..600 => ONSET,
        600..660 => RETRIES,
        _ => ROUND,
    })
}

fn fail(fleet: &mut Fleet, key_address: KeyAddress, seconds: u32) {
    fleet.key_address = key_address;
    fleet.run(seconds);
    fleet.key_address = KeyAddress::Answers;
}

/// The rate after all have failed at one moment. Each wait is twice the one before, and
/// half of it random: the next retries after a time `t` are spread over `t / 4` at least.
fn doubling(second: u32) -> f64 {
    match second {
        // The first try, and the first retry.
        0 => 2.0,
        _ => 4.0 / f64::from(second + 1),
    }
}

/// All start at once in an outage of 5 minutes.
fn start_in_an_outage(replicas: u32) -> Step {
    let mut fleet = Fleet::new(replicas);
    fleet.start_within(Duration::ZERO);
    fail(&mut fleet, KeyAddress::Refuses, 300);
    step("start in an outage", fleet, 0.5, |second| match second {
        0..360 => doubling(second).max(ROUND_OF_RETRIES),
        _ => ROUND,
    })
}

/// The same while tokens arrive that no replica has a key for: requests, too, cause a
/// fetch, each cooldown.
fn no_keys_under_load(replicas: u32) -> Step {
    let mut fleet = Fleet::new(replicas);
    fleet.start_within(Duration::ZERO);
    fleet.push(FLOOD);
    fail(&mut fleet, KeyAddress::Refuses, 120);
    step("no keys under load", fleet, 0.5, |second| match second {
        // The last retry that comes before the end of a cooldown is spread over 4 s.
        0..180 => doubling(second).max(1.0 / 4.0),
        _ => ROUND,
    })
}

/// All start at once, and are asked to wait 30 s for 5 minutes, while tokens arrive.
fn start_under_overload(replicas: u32) -> Step {
    let mut fleet = Fleet::new(replicas);
    fleet.start_within(Duration::ZERO);
    fleet.push(FLOOD);
    fail(&mut fleet, KeyAddress::Busy(30), 300);
    step("start under overload", fleet, 30.0, |second| match second {
        0 => 1.0,
        1..30 => 0.0,
        // Up to half as long again as was asked.
        30..360 => 1.0 / 15.0,
        _ => ROUND,
    })
}

/// A new key replaces the old one, and the tokens that arrive are of the new one.
fn rotation(replicas: u32) -> Step {
    let mut fleet = Fleet::steady(replicas);
    fleet.published += 1;
    fleet.used += 1;
    fleet.push(PUSHES);
    step("rotation", fleet, 10.0, |second| match second {
        0..60 => STEADY + PUSHES,
        _ => ROUND,
    })
}

/// A new key is published 10 minutes before it is used.
fn rotation_with_overlap(replicas: u32) -> Step {
    let mut fleet = Fleet::steady(replicas);
    fleet.published += 1;
    fleet.run(600);
    fleet.used += 1;
    fleet.push(FLOOD);
    step("rotation with overlap", fleet, 210.0, |_| STEADY)
}

/// Tokens of keys that do not exist reach all replicas for 2 minutes, from one second on:
/// at worst all ask in the same second, and no sooner again than after the cooldown.
fn flood(replicas: u32) -> Step {
    let mut fleet = Fleet::steady(replicas);
    fleet.used = u32::MAX;
    fleet.push(FLOOD);
    fleet.run(120);
    fleet.used = fleet.published;
    step("flood", fleet, 10.0, |second| match second {
        0..120 => 1.0,
        _ => ROUND,
    })
}

/// Each replica is restarted within 10 minutes.
fn roll_out(replicas: u32) -> Step {
    let mut fleet = Fleet::steady(replicas);
    fleet.start_within(Duration::from_secs(600));
    step("roll-out", fleet, 210.0, |_| STEADY + 1.0 / 600.0)
}

fn step(
    name: &'static str,
    mut fleet: Fleet,
    apart: f64,
    bound: impl Fn(u32) -> f64 + 'static,
) -> Step {
    let passed = u32::try_from(fleet.now().saturating_sub(fleet.since).as_secs()).expect("minutes");
    fleet.run(WATCHED - passed);
    fleet.requests.resize(WATCHED as usize, 0);
    Step {
        name,
        fleet,
        apart,
        bound: Box::new(bound),
    }
}

impl Step {
    /// The bound of the whole fleet in a second.
    fn most(&self, second: u32) -> f64 {
        let replicas = u32::try_from(self.fleet.replicas.len()).expect("few");
        (self.bound)(second) * f64::from(replicas)
    }

    fn is_within_its_bounds(&self) {
        let name = self.name;
        for (second, &requests) in (0..).zip(&self.fleet.requests) {
            let most = self.most(second);
            // What comes at random at such a rate is more in some seconds.
            assert!(
                f64::from(requests) <= most + 6.0 * most.sqrt(),
                "{name}: {requests} requests in second {second}, where {most:.1} are the bound"
            );
        }
        let apart = self.fleet.apart.as_secs_f64();
        assert!(
            apart >= self.apart,
            "{name}: a replica asked twice within {apart:.3} s, where {} s are the bound",
            self.apart
        );
    }

    /// For the chart: the most requests in a second, and their bound, of each 5 s.
    fn numbers(&self) -> serde_json::Value {
        let requests = &self.fleet.requests;
        let fives = (0..WATCHED).step_by(5);
        json!({
            "name": self.name,
            "replicas": self.fleet.replicas.len(),
            "most_open": self.fleet.most_open,
            "seconds_apart": self.fleet.apart.as_secs_f64(),
            "first": requests[0],
            "most": requests[1..].iter().max(),
            "requests": requests.chunks(5).map(|five| five.iter().max()).collect::<Vec<_>>(),
            "sums": requests.chunks(60).map(|minute| minute.iter().sum::<u32>()).collect::<Vec<_>>(),
            "bounds": fives.map(|five| {
                let most = (five..five + 5).map(|second| self.most(second));
                most.fold(0.0, f64::max).round()
            }).collect::<Vec<_>>(),
        })
    }
}

macro_rules! tests {
    ($($holds:ident: $step:ident)*) => {
        const STEPS: &[fn(u32) -> Step] = &[$($step),*];

        $(
            #[test]
            fn $holds() {
                $step(FEW).is_within_its_bounds();
            }
        )*
    };
}

tests! {
    a_fleet_that_starts_at_once_drifts_apart: start
    snapshots_used_at_once_are_refreshed_apart: start_from_snapshots
    an_outage_causes_no_herd: outage
    retry_after_is_obeyed_without_a_herd: unavailable
    requests_without_an_answer_do_not_pile_up: hanging
    a_start_in_an_outage_backs_off: start_in_an_outage
    without_keys_requests_cause_no_herd: no_keys_under_load
    a_fleet_asked_to_wait_comes_back_spread: start_under_overload
    a_rotation_costs_one_request_each: rotation
    a_rotation_with_overlap_costs_nothing: rotation_with_overlap
    a_flood_costs_one_request_each_cooldown: flood
    a_roll_out_costs_one_request_each: roll_out
}

/// Writes the numbers of the chart in the guide.
#[test]
#[ignore = "takes a minute or two"]
fn ten_thousand_replicas_are_a_herd_at_no_step() {
    let mut numbers = String::new();
    for step in STEPS {
        let step = step(MANY);
        step.is_within_its_bounds();
        writeln!(numbers, "{}", step.numbers()).expect("memory");
    }
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/evidence/charts/fleet.json"
    );
    fs::write(file, numbers).expect("the repository");
}
