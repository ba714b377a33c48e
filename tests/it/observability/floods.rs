//! Many rejections make few lines, and each of them is counted in one.

use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::{GoAuth, GoAuthLayer};
use tokio::runtime::Handle;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use super::witness::{Logged, Witness};
use test_support::{Api, Keys, at_once, eventually, passive_runtime, request, secs, settle};

const FIRST: &str = "request rejected";
const MORE: &str = "further requests rejected within a minute";

/// A handle with its keys, and its clock.
struct Gate {
    keys: Keys,
    auth: GoAuth,
    clock: ManualClock,
}

impl Gate {
    fn new() -> Self {
        let (keys, clock) = (Keys::new(), ManualClock::starting_now());
        let auth = keys.builder().clock(clock.clone()).build();
        Self {
            auth: auth.expect("a good configuration"),
            keys,
            clock,
        }
    }

    fn expired(&self) -> String {
        self.keys.mint().expires_in(-3600).token()
    }
}

async fn reject(layer: &GoAuthLayer, authorization: &str, times: usize) {
    let door = Api::behind(layer.clone());
    for _ in 0..times {
        door.send(request(&[authorization.as_bytes()])).await;
    }
}

fn count(logged: &Logged) -> usize {
    logged.field("count").parse().expect("a number")
}

/// How many rejections these lines are about.
fn rejections(logged: &[Logged]) -> usize {
    logged
        .iter()
        .map(|logged| match &*logged.message {
            FIRST => 1,
            MORE => count(logged),
            other => panic!("{other}"),
        })
        .sum()
}

#[tokio::test]
async fn ten_thousand_rejections_make_two_lines_a_kind() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    for (authorization, times) in [
        ("Bearer", 5_000),
        ("53ac0777", 3_000),
        (&*gate.expired(), 2_000),
    ] {
        reject(&layer, authorization, times).await;
    }
    let first = witness.verdicts();
    let kinds: Vec<_> = first.iter().map(|logged| logged.field("kind")).collect();
    assert_eq!(kinds, ["invalid_request", "malformed", "expired"]);
    assert!(first.iter().all(|logged| logged.message == FIRST));
    gate.clock.advance(secs(59));
    settle().await;
    assert_eq!(witness.verdicts().len(), 3);

    gate.clock.advance(secs(1));
    eventually("the rest is logged", || witness.verdicts().len() == 6).await;
    let rest = witness.of(MORE);
    let counts: Vec<_> = rest
        .iter()
        .map(|logged| (logged.field("kind"), count(logged)))
        .collect();
    assert_eq!(
        counts,
        [
            ("invalid_request", 4_999),
            ("malformed", 2_999),
            ("expired", 1_999)
        ]
    );
    assert_eq!(rejections(&witness.verdicts()), 10_000);
}

#[tokio::test]
async fn a_flood_that_goes_on_makes_two_lines_a_minute() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    const MINUTES: usize = 20;
    for _ in 0..MINUTES * 60 {
        reject(&layer, "53ac0777", 5).await;
        gate.clock.advance(secs(1));
    }
    assert!(
        witness.verdicts().len() <= 2 * MINUTES,
        "{}",
        witness.verdicts().len()
    );
    gate.clock.advance(secs(60));
    let all = || rejections(&witness.verdicts()) == MINUTES * 300;
    eventually("all is logged", all).await;
    // A kind that had been quiet is logged at once.
    witness.clear();
    reject(&layer, "53ac0777", 1).await;
    assert_eq!(witness.verdicts().len(), 1);
}

#[test]
fn outside_tokio_the_next_rejection_flushes_counts() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let reject = |times| assert!(at_once(reject_now(&layer, times)).is_ready());
    reject(10);
    gate.clock.advance(secs(3600));
    assert_eq!(witness.verdicts().len(), 1);
    reject(5);
    let logged = witness.verdicts();
    assert_eq!(rejections(&logged), 11);
    // The count comes before the rejection that flushed it.
    assert_eq!([&*logged[1].message, &logged[2].message], [MORE, FIRST]);
    assert_eq!(count(&logged[1]), 9);

    let Gate { auth, .. } = gate;
    drop(auth);
    assert_eq!(
        rejections(&witness.verdicts()),
        11,
        "the layer is a handle too"
    );
    drop(layer);
    assert_eq!(rejections(&witness.verdicts()), 15);
}

/// Without a time limit, which would need a runtime.
async fn reject_now(layer: &GoAuthLayer, times: usize) {
    use tower::{Layer, ServiceExt};
    let inner = tower::service_fn(|_: http::Request<()>| {
        std::future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(())))
    });
    for _ in 0..times {
        let _ = layer.layer(inner).oneshot(request(&[b"53ac0777"])).await;
    }
}

#[tokio::test]
async fn scanners_are_logged_at_info_and_go_at_warn() {
    let (witness, _guard) = Witness::listening(LevelFilter::TRACE);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let mint = || gate.keys.mint();
    for (kind, level, authorization) in [
        (
            "missing_credentials",
            Level::INFO,
            "Basic dXNlcg==".to_owned(),
        ),
        ("invalid_request", Level::INFO, "Bearer".to_owned()),
        ("too_long", Level::INFO, "a".repeat(9000)),
        ("malformed", Level::INFO, "53ac0777".to_owned()),
        ("header", Level::INFO, mint().without_header("kid").token()),
        (
            "algorithm",
            Level::INFO,
            mint().header("alg", "none").token(),
        ),
        ("unknown_key", Level::WARN, mint().kid("another").token()),
        ("expired", Level::WARN, gate.expired()),
        ("audience", Level::WARN, mint().audience("another").token()),
    ] {
        witness.clear();
        reject(&layer, &authorization, 3).await;
        let mut levels: Vec<_> = witness
            .verdicts()
            .iter()
            .map(|logged| logged.level)
            .collect();
        // At debug there is a line for each, and the first is not logged twice. They are
        // emitted in place, the first by another thread.
        levels.sort_unstable();
        assert_eq!(levels, [level, Level::DEBUG, Level::DEBUG], "{kind}");
        for logged in witness.verdicts() {
            assert_eq!((&*logged.message, logged.field("kind")), (FIRST, kind));
        }
    }
    gate.clock.advance(secs(60));
    eventually("the counts are logged", || witness.of(MORE).len() == 9).await;
    for logged in witness.of(MORE) {
        let is_noise = logged.level == Level::INFO;
        assert!(is_noise || logged.level == Level::WARN);
        let warned = ["unknown_key", "expired", "audience"];
        assert_eq!(!is_noise, warned.contains(&logged.field("kind")));
        assert_eq!(count(&logged), 2);
    }
}

#[tokio::test]
async fn warnings_mention_no_scanner() {
    let (witness, _guard) = Witness::listening(LevelFilter::WARN);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    reject(&layer, "53ac0777", 10).await;
    reject(&layer, &gate.expired(), 10).await;
    gate.clock.advance(secs(60));
    eventually("the rest is logged", || witness.verdicts().len() == 2).await;
    assert!(
        witness
            .events()
            .iter()
            .all(|logged| logged.field("kind") == "expired")
    );
}

#[tokio::test]
async fn what_an_observing_layer_admits_is_counted() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let observer = layer.clone().danger_observe_only();
    reject(&observer, "53ac0777", 1_000).await;
    reject(&layer, "53ac0777", 10).await;
    assert_eq!(witness.verdicts().len(), 2);
    gate.clock.advance(secs(60));
    eventually("the rest is logged", || witness.verdicts().len() == 4).await;
    let more = "further requests admitted unverified within a minute: observing only";
    let let_through = witness.of(more);
    assert_eq!((let_through.len(), count(&let_through[0])), (1, 999));
    assert_eq!(let_through[0].level, Level::WARN);
    assert_eq!(count(&witness.of(MORE)[0]), 9);
}

#[tokio::test]
async fn the_logging_task_ends_when_nothing_is_pending() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let before = tasks();
    reject(&layer, "53ac0777", 1).await;
    assert_eq!(tasks(), before);
    for _ in 0..3 {
        reject(&layer, "53ac0777", 100).await;
        assert_eq!(tasks(), before + 1);
        gate.clock.advance(secs(60));
        eventually("it ends", || tasks() == before).await;
    }
    assert_eq!(rejections(&witness.verdicts()), 301);
    // It does not outlive the handles.
    reject(&layer, "53ac0777", 100).await;
    drop((gate, layer));
    eventually("it ends", || tasks() == before).await;
    assert_eq!(rejections(&witness.verdicts()), 401);
}

#[test]
fn a_runtime_that_is_gone_takes_no_count_with_it() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let first = passive_runtime();
    first.block_on(reject(&layer, "53ac0777", 10));
    drop(first);
    gate.clock.advance(secs(60));
    let second = passive_runtime();
    second.block_on(async {
        reject(&layer, "53ac0777", 10).await;
        assert_eq!(rejections(&witness.verdicts()), 11);
        gate.clock.advance(secs(60));
        eventually("another task logs the rest", || {
            rejections(&witness.verdicts()) == 20
        })
        .await;
    });
    assert!(gate.clock.monotonic() == secs(120));
}
