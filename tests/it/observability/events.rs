//! The table of the events.

use std::collections::{BTreeMap, BTreeSet};

use super::contract::{self, EventRow};
use super::scene::everything;

#[test]
fn every_event_is_in_the_table_and_every_row_of_it_is_told() {
    let mut told = BTreeMap::<_, BTreeSet<String>>::new();
    for event in everything().witness.told() {
        let level = event.level.as_str().to_lowercase();
        let fields = told
            .entry((event.target, level, event.message))
            .or_default();
        fields.extend(event.fields.into_keys().map(str::to_owned));
    }
    let told: BTreeSet<_> = (told.into_iter())
        .map(|((target, level, message), fields)| EventRow {
            target,
            level,
            message,
            fields,
        })
        .collect();
    let table = contract::events();
    let strange: Vec<_> = told.difference(&table).collect();
    let missing: Vec<_> = table.difference(&told).collect();
    assert!(
        strange.is_empty() && missing.is_empty(),
        "told, and not in the table: {strange:#?}\nin the table, and not told: {missing:#?}"
    );
}

#[test]
fn a_wait_for_keys_is_in_a_span_of_its_issuer() {
    let Some(first) = everything().witness.spans().into_iter().next() else {
        panic!("no request waited");
    };
    assert_eq!(first.target, "derbysoft_go_auth::request");
    assert_eq!(first.message, "wait_for_keys");
    assert_eq!(first.level, tracing::Level::INFO);
    assert_eq!(first.fields.keys().collect::<Vec<_>>(), [&"issuer"]);
    assert!(
        first.field("issuer").starts_with("https://id/"),
        "{first:?}"
    );
    for span in everything().witness.spans() {
        assert_eq!(span.message, "wait_for_keys");
    }
}
