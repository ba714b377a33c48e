//! Events and metrics of the gate, compared with the tables of `docs/guide/observability.md`:
//! of the real process, which has a log and a recorder of its own.

use std::collections::{BTreeMap, BTreeSet};

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::gate_process::{GateProcess, settings_of};
use test_support::contract;
use test_support::recorded::{series, types};
use test_support::wire::head;
use test_support::{eventually, settle, soon};

/// Emitted after half a minute of real time, which the unit test of `gate/server.rs` has
/// for nothing; and what no input makes happen.
const UNTOLD: [&str; 3] = [
    "stopped after 30s, before all requests had ended",
    "a thread panicked",
    "a background task panicked and is restarted",
];

/// The level, the message and the names of the fields of each line of the gate's.
fn emitted(log: &str) -> BTreeSet<(String, String, Vec<String>)> {
    let messages: Vec<_> = contract::gate_events()
        .into_iter()
        .map(|row| row.message)
        .collect();
    let of_line = |line: &str| {
        let (before, after) = line.split_once(" derbysoft_go_auth::gate: ")?;
        let level = before.rsplit(' ').next().expect("a level").to_lowercase();
        // The longest that fits: one begins like another.
        let message = (messages.iter())
            .filter(|message| after.starts_with(message.as_str()))
            .max_by_key(|message| message.len())
            .unwrap_or_else(|| panic!("not in the table: {after}"));
        let words = after[message.len()..].split(' ');
        let names = words.filter_map(|word| word.split_once('=').map(|(name, _)| name));
        let is_name =
            |name: &&str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase());
        let fields = names.filter(is_name).map(str::to_owned);
        Some((level, message.clone(), fields.collect()))
    };
    log.lines().filter_map(of_line).collect()
}

/// All events that the gate can emit, in two runs.
async fn everything() -> String {
    let go = Simulator::start().await.expect("a free port");
    let settings = settings_of(&go, "key_wait = \"30s\"\ncooldown = \"100ms\"");
    let debug = [
        ("RUST_LOG", "derbysoft_go_auth=debug"),
        ("NOTIFY_SOCKET", "/nowhere/notify"),
    ];
    let mut gate = GateProcess::start_over(&settings, &debug).await;
    let failure = "the service manager could not be notified";
    let failures = || gate.log().matches(failure).count();
    eventually("it fails again", || failures() >= 2).await;
    gate.configure("leeway = ");
    gate.reload().await;
    gate.configure(&settings);
    gate.reload().await;
    let too_long = go.mint().subject("a".repeat(1025)).token();
    for _ in 0..2 {
        assert_eq!(gate.verdict(&too_long).await.status, 403);
    }
    for _ in 0..2 {
        let mut wire = gate.connect().await;
        wire.write("no HTTP\r\n\r\n").await;
        wire.reply_if_any().await;
    }
    let mut wire = gate.connect().await;
    wire.write("GET /auth").await;
    drop(wire);
    gate.says("a connection failed").await;
    gate.signal(Signal::USR1);
    gate.says("a signal that has no meaning here was ignored")
        .await;
    gate.let_open_files(false);
    let waiting = TcpStream::connect(gate.address).await.expect("it listens");
    let failure = "a connection could not be accepted";
    gate.says(failure).await;
    // Of those that follow a failure only the first is for people.
    let failures = || gate.log().matches(failure).count();
    eventually("it fails again and again", || failures() >= 3).await;
    let levels = |level: &str| {
        (gate.log().lines())
            .filter(|line| line.contains(failure) && line.contains(level))
            .count()
    };
    assert_eq!(
        (levels(" WARN "), levels("DEBUG ") >= 2),
        (1, true),
        "{}",
        gate.log()
    );
    gate.let_open_files(true);
    drop(waiting);
    gate.signal(Signal::TERM);
    gate.exit().await;
    gate.says("further requests that are not valid HTTP").await;
    let first = gate.log();

    let hold = go.hold();
    let mut gate = GateProcess::start_over(&settings, &debug).await;
    let mut wire = gate.connect().await;
    wire.write(head("GET", "/auth", &[("Authorization", &go.token())]))
        .await;
    assert_eq!(gate.get("/healthz").await.status, 200);
    settle().await;
    gate.signal(Signal::TERM);
    gate.says("stopping").await;
    gate.signal(Signal::TERM);
    soon(gate.exit()).await;
    gate.says("stopped before").await;
    drop(hold);
    first + "\n" + &gate.log()
}

#[tokio::test]
async fn the_events_are_those_of_the_table() {
    let log = everything().await;
    let table: BTreeSet<_> = (contract::gate_events().into_iter())
        .filter(|row| !UNTOLD.contains(&&*row.message))
        .map(|row| (row.level, row.message, row.fields.into_iter().collect()))
        .collect();
    assert_eq!(emitted(&log), table, "{log}");
    let source = include_str!("../../src/gate/events.rs");
    for untold in UNTOLD {
        assert!(source.contains(&format!("\"{untold}\"")), "{untold}");
    }
    // Every event has a target of the table.
    for line in log
        .lines()
        .filter(|line| line.contains("derbysoft_go_auth::"))
    {
        let ours = ["gate", "request", "keys", "config"]
            .map(|name| format!(" derbysoft_go_auth::{name}: "));
        assert!(ours.iter().any(|target| line.contains(target)), "{line}");
    }
}

#[tokio::test]
async fn the_metrics_are_those_of_the_table() {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    let rendered = gate.get("/metrics").await.body;
    let library = contract::metrics();
    let own: BTreeMap<_, _> = (types(&rendered).into_iter())
        .filter(|(name, _)| !library.contains_key(name))
        .collect();
    let table = contract::gate_metrics();
    let expected: BTreeMap<_, _> = table.iter().map(|(name, row)| (*name, row.kind)).collect();
    assert_eq!(own, expected);
    for name in table.keys() {
        assert!(rendered.contains(&format!("# HELP {name} ")), "{name}");
    }
    let mut values = BTreeMap::<_, BTreeSet<_>>::new();
    for one in series(&rendered) {
        let Some(row) = table.get(&*one.name) else {
            continue;
        };
        let labels: BTreeSet<_> = one.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, row.labels, "{}", one.name);
        for (label, value) in one.labels {
            values
                .entry((one.name.clone(), label))
                .or_default()
                .insert(value);
        }
    }
    for ((name, label), found) in values {
        let expected = contract::values(&name, &label).expect("values");
        assert!(
            found.iter().map(String::as_str).eq(expected),
            "{name} {label}: {found:?}"
        );
    }
    // Of the library's it has all but those of calls to GO and of what is not set up
    // here.
    let absent: Vec<_> = (library.keys())
        .filter(|name| !rendered.contains(&format!("# TYPE {name} ")))
        .collect();
    let outside = [
        "go_auth_access_token_seconds_left",
        "go_auth_credential_seconds_left",
    ];
    assert_eq!(absent, outside.iter().collect::<Vec<_>>());
}
