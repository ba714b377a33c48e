//! The events, held to their table.

use std::collections::{BTreeMap, BTreeSet};

use super::scene::everything;
use test_support::contract::{self, EventRow};

#[test]
fn the_table_of_events_is_complete() {
    let mut logged = BTreeMap::<_, BTreeSet<String>>::new();
    for event in everything().witness.events() {
        let level = event.level.as_str().to_lowercase();
        let fields = logged
            .entry((event.target, level, event.message))
            .or_default();
        fields.extend(event.fields.into_keys().map(str::to_owned));
    }
    let logged: BTreeSet<_> = (logged.into_iter())
        .map(|((target, level, message), fields)| EventRow {
            target,
            level,
            message,
            fields,
        })
        .collect();
    let table = contract::events();
    let strange: Vec<_> = logged.difference(&table).collect();
    let missing: Vec<_> = table.difference(&logged).collect();
    assert!(
        strange.is_empty() && missing.is_empty(),
        "logged, and not in the table: {strange:#?}\nin the table, and not logged: {missing:#?}"
    );
}

#[test]
fn a_wait_for_keys_names_its_issuer_and_length() {
    let waits = everything().witness.of("request waited for keys");
    let first = waits.first().expect("a request waited");
    assert_eq!(first.level, tracing::Level::DEBUG);
    assert!(
        first.field("issuer").starts_with("https://id/"),
        "{first:?}"
    );
    first
        .field("milliseconds")
        .parse::<u64>()
        .expect("a number");
    assert!(everything().witness.spans().is_empty());
}
