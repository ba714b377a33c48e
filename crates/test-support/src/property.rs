//! A property: what must hold for every value, checked with many.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};

/// Checks `property` with so many random `values`, and prints how many they were.
#[track_caller]
pub fn hold<V: Strategy>(
    name: &str,
    cases: u32,
    values: V,
    property: impl Fn(V::Value) -> TestCaseResult,
) {
    try_all(name, cases, values, property);
    report(name, cases);
}

/// The same, where the caller counts cases otherwise. Of the values that fail, the simplest is shown.
#[track_caller]
pub fn try_all<V: Strategy>(
    name: &str,
    cases: u32,
    values: V,
    property: impl Fn(V::Value) -> TestCaseResult,
) {
    let config = Config {
        cases,
        failure_persistence: None,
        // Where each failure is a wait of ten seconds, the simplest would take an hour to find.
        max_shrink_time: 60_000,
        ..Config::default()
    };
    if let Err(error) = TestRunner::new(config).run(&values, property) {
        panic!("{name}: {error}");
    }
}

/// The one line that a property prints.
#[expect(clippy::print_stdout)]
pub fn report(name: &str, cases: impl Display) {
    println!("proof: property {name}: {cases} cases");
}

/// The outcomes of the cases: a property that only ever meets one of its sides says little.
#[derive(Debug, Default)]
pub struct Tally(RefCell<BTreeMap<String, u32>>);

impl Tally {
    pub fn count(&self, outcome: impl Into<String>) {
        *self.0.borrow_mut().entry(outcome.into()).or_default() += 1;
    }

    pub fn of(&self, outcome: &str) -> u32 {
        self.0.borrow().get(outcome).copied().unwrap_or_default()
    }

    pub fn all(&self) -> u32 {
        self.0.borrow().values().sum()
    }

    #[track_caller]
    pub fn assert_each(&self, outcomes: &[&str], at_least: u32) {
        let often = |outcome: &&str| self.of(outcome) >= at_least.max(1);
        assert!(outcomes.iter().all(often), "{self:?}");
    }
}
