//! A property: what holds for every value, held against many.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};

/// Holds `property` against as many random `values`, and says how many they were.
#[track_caller]
pub(crate) fn hold<V: Strategy>(
    name: &str,
    cases: u32,
    values: V,
    property: impl Fn(V::Value) -> TestCaseResult,
) {
    try_all(name, cases, values, property);
    report(name, cases as usize);
}

/// The same, for who counts cases otherwise. Of the values that fail, the simplest is shown.
#[track_caller]
pub(crate) fn try_all<V: Strategy>(
    name: &str,
    cases: u32,
    values: V,
    property: impl Fn(V::Value) -> TestCaseResult,
) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    if let Err(error) = TestRunner::new(config).run(&values, property) {
        panic!("{name}: {error}");
    }
}

/// The one line that a property leaves behind.
#[expect(clippy::print_stdout)]
pub(crate) fn report(name: &str, cases: usize) {
    println!("proof: property {name}: {cases} cases");
}
