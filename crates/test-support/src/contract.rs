//! The tables of `docs/guide/observability.md`, parsed.

use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../../docs/guide/observability.md");

/// The rows of the table whose first heading is this, without the headings.
pub fn rows(first: &str) -> Vec<Vec<&'static str>> {
    let heading = format!("| {first} |");
    let rows: Vec<_> = (PAGE.lines().skip_while(|line| !line.starts_with(&heading)))
        .skip(2)
        .map_while(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 1, "there is no table of {first}");
    rows
}

/// What stands between backticks, single or double.
pub fn code(cell: &'static str) -> Vec<&'static str> {
    if let Some(whole) = cell
        .strip_prefix("``")
        .and_then(|rest| rest.strip_suffix("``"))
    {
        return vec![whole];
    }
    cell.split('`').skip(1).step_by(2).collect()
}

/// What an event may look like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventRow {
    pub target: String,
    pub level: String,
    pub message: String,
    pub fields: BTreeSet<String>,
}

/// A row for each level that an event may have.
pub fn events() -> BTreeSet<EventRow> {
    let of_row = |row: Vec<&'static str>| {
        let [target, levels, message, fields] = row[..] else {
            panic!("a row of other columns: {row:?}");
        };
        let owned = |text: &[&str]| text.concat();
        let row = EventRow {
            target: format!("derbysoft_go_auth::{}", owned(&code(target))),
            level: String::new(),
            message: owned(&code(message)),
            fields: code(fields).into_iter().map(str::to_owned).collect(),
        };
        let with = move |level: &str| EventRow {
            level: level.to_owned(),
            ..row.clone()
        };
        levels.split(", ").map(with).collect::<Vec<_>>()
    };
    rows("target").into_iter().flat_map(of_row).collect()
}

/// A metric: its type, and the names of its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRow {
    pub kind: &'static str,
    pub labels: BTreeSet<&'static str>,
}

/// What the gate as a process logs besides, with one row for each level.
pub fn gate_events() -> BTreeSet<EventRow> {
    let of_row = |row: Vec<&'static str>| {
        let [message, levels, fields] = row[..] else {
            panic!("a row of other columns: {row:?}");
        };
        let row = EventRow {
            target: "derbysoft_go_auth::gate".to_owned(),
            level: String::new(),
            message: code(message).concat(),
            fields: code(fields).into_iter().map(str::to_owned).collect(),
        };
        let with = move |level: &str| EventRow {
            level: level.to_owned(),
            ..row.clone()
        };
        levels.split(", ").map(with).collect::<Vec<_>>()
    };
    let rows = rows("event of the gate").into_iter();
    rows.flat_map(of_row).collect()
}

/// The library's.
pub fn metrics() -> BTreeMap<&'static str, MetricRow> {
    metrics_of("metric")
}

/// What the gate as a process has besides.
pub fn gate_metrics() -> BTreeMap<&'static str, MetricRow> {
    metrics_of("metric of the gate")
}

fn metrics_of(heading: &str) -> BTreeMap<&'static str, MetricRow> {
    let of_row = |row: Vec<&'static str>| {
        let labels = code(row[2]).into_iter().collect();
        let metric = MetricRow {
            kind: row[1],
            labels,
        };
        (code(row[0])[0], metric)
    };
    rows(heading).into_iter().map(of_row).collect()
}

/// The values that a label of a metric may have, beside what is configured: `None`
/// where the configuration alone says.
pub fn values(metric: &str, label: &str) -> Option<BTreeSet<&'static str>> {
    let of = match (metric, label) {
        ("go_auth_requests_total", "kind") => "`kind`",
        ("go_auth_token_cache_total", "result") => "`result` of the cache",
        ("go_auth_key_refreshes_total", "result") => "`result` of a refresh",
        ("go_auth_gate_reloads_total", "result") => "`result` of a reload",
        (_, "outcome") => "`outcome`",
        (_, "state") => "`state`",
        _ => return None,
    };
    let named = rows("label")
        .into_iter()
        .filter(|row| row[0].starts_with(of));
    let values: BTreeSet<_> = named.flat_map(|row| code(row[1])).collect();
    assert!(!values.is_empty(), "{metric} {label}");
    Some(values)
}

/// The kinds that requests of this outcome may have.
pub fn kinds(outcome: &str) -> BTreeSet<&'static str> {
    let named = (rows("label").into_iter())
        .filter(|row| row[0].starts_with("`kind` of") && code(row[0]).contains(&outcome));
    named.flat_map(|row| code(row[1])).collect()
}
