//! Many rejections make few lines, and each of them is counted in one.

use derbysoft_go_auth::{Clock, GoAuth, GoAuthLayer, ManualClock};
use tokio::runtime::Handle;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use super::witness::{Told, Witness};
use test_support::{Api, Keys, at_once, eventually, passive_runtime, request, secs, settle};

const FIRST: &str = "request refused";
const MORE: &str = "further requests refused within a minute";

/// A gate with GO's keys at hand, and its clock.
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

async fn refuse(layer: &GoAuthLayer, authorization: &str, times: usize) {
    let door = Api::behind(layer.clone());
    for _ in 0..times {
        door.send(request(&[authorization.as_bytes()])).await;
    }
}

fn count(told: &Told) -> usize {
    told.field("count").parse().expect("a number")
}

/// How many refusals these lines are about.
fn refusals(told: &[Told]) -> usize {
    told.iter()
        .map(|told| match &*told.message {
            FIRST => 1,
            MORE => count(told),
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
        refuse(&layer, authorization, times).await;
    }
    let first = witness.told();
    let kinds: Vec<_> = first.iter().map(|told| told.field("kind")).collect();
    assert_eq!(kinds, ["invalid_request", "malformed", "expired"]);
    assert!(first.iter().all(|told| told.message == FIRST));
    gate.clock.advance(secs(59));
    settle().await;
    assert_eq!(witness.told().len(), 3);

    gate.clock.advance(secs(1));
    eventually("the rest is told", || witness.told().len() == 6).await;
    let rest = witness.of(MORE);
    let counts: Vec<_> = rest
        .iter()
        .map(|told| (told.field("kind"), count(told)))
        .collect();
    assert_eq!(
        counts,
        [
            ("invalid_request", 4_999),
            ("malformed", 2_999),
            ("expired", 1_999)
        ]
    );
    assert_eq!(refusals(&witness.told()), 10_000);
}

#[tokio::test]
async fn a_flood_that_goes_on_makes_two_lines_a_minute() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    const MINUTES: usize = 20;
    for _ in 0..MINUTES * 60 {
        refuse(&layer, "53ac0777", 5).await;
        gate.clock.advance(secs(1));
    }
    assert!(
        witness.told().len() <= 2 * MINUTES,
        "{}",
        witness.told().len()
    );
    gate.clock.advance(secs(60));
    let all = || refusals(&witness.told()) == MINUTES * 300;
    eventually("all is told", all).await;
    // A kind that had been quiet is told of at once.
    witness.clear();
    refuse(&layer, "53ac0777", 1).await;
    assert_eq!(witness.told().len(), 1);
}

#[test]
fn outside_tokio_the_next_rejection_flushes_counts() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let refuse = |times| assert!(at_once(refuse_now(&layer, times)).is_ready());
    refuse(10);
    gate.clock.advance(secs(3600));
    assert_eq!(witness.told().len(), 1);
    refuse(5);
    let told = witness.told();
    assert_eq!(refusals(&told), 11);
    // The count before the refusal that brought it out.
    assert_eq!([&*told[1].message, &told[2].message], [MORE, FIRST]);
    assert_eq!(count(&told[1]), 9);

    let Gate { auth, .. } = gate;
    drop(auth);
    assert_eq!(refusals(&witness.told()), 11, "the layer is a handle too");
    drop(layer);
    assert_eq!(refusals(&witness.told()), 15);
}

/// Without a limit on time, which a runtime would have to keep.
async fn refuse_now(layer: &GoAuthLayer, times: usize) {
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
        refuse(&layer, &authorization, 3).await;
        let mut levels: Vec<_> = witness.told().iter().map(|told| told.level).collect();
        // At debug there is a line for each, and the first is not told twice. They are
        // emitted in place, the first by another thread.
        levels.sort_unstable();
        assert_eq!(levels, [level, Level::DEBUG, Level::DEBUG], "{kind}");
        for told in witness.told() {
            assert_eq!((&*told.message, told.field("kind")), (FIRST, kind));
        }
    }
    gate.clock.advance(secs(60));
    eventually("the counts are told", || witness.of(MORE).len() == 9).await;
    for told in witness.of(MORE) {
        let is_noise = told.level == Level::INFO;
        assert!(is_noise || told.level == Level::WARN);
        let warned = ["unknown_key", "expired", "audience"];
        assert_eq!(!is_noise, warned.contains(&told.field("kind")));
        assert_eq!(count(&told), 2);
    }
}

#[tokio::test]
async fn warnings_mention_no_scanner() {
    let (witness, _guard) = Witness::listening(LevelFilter::WARN);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    refuse(&layer, "53ac0777", 10).await;
    refuse(&layer, &gate.expired(), 10).await;
    gate.clock.advance(secs(60));
    eventually("the rest is told", || witness.told().len() == 2).await;
    assert!(
        witness
            .told()
            .iter()
            .all(|told| told.field("kind") == "expired")
    );
}

#[tokio::test]
async fn what_an_observing_layer_admits_is_counted() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let observer = layer.clone().danger_observe_only();
    refuse(&observer, "53ac0777", 1_000).await;
    refuse(&layer, "53ac0777", 10).await;
    assert_eq!(witness.told().len(), 2);
    gate.clock.advance(secs(60));
    eventually("the rest is told", || witness.told().len() == 4).await;
    let more = "further requests let through unverified within a minute: observing only";
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
    refuse(&layer, "53ac0777", 1).await;
    assert_eq!(tasks(), before);
    for _ in 0..3 {
        refuse(&layer, "53ac0777", 100).await;
        assert_eq!(tasks(), before + 1);
        gate.clock.advance(secs(60));
        eventually("it ends", || tasks() == before).await;
    }
    assert_eq!(refusals(&witness.told()), 301);
    // Nor does it outlive the handles.
    refuse(&layer, "53ac0777", 100).await;
    drop((gate, layer));
    eventually("it ends", || tasks() == before).await;
    assert_eq!(refusals(&witness.told()), 401);
}

#[test]
fn a_runtime_that_is_gone_takes_no_count_with_it() {
    let (witness, _guard) = Witness::listening(LevelFilter::INFO);
    let gate = Gate::new();
    let layer = gate.auth.layer();
    let first = passive_runtime();
    first.block_on(refuse(&layer, "53ac0777", 10));
    drop(first);
    gate.clock.advance(secs(60));
    let second = passive_runtime();
    second.block_on(async {
        refuse(&layer, "53ac0777", 10).await;
        assert_eq!(refusals(&witness.told()), 11);
        gate.clock.advance(secs(60));
        eventually("another task tells", || refusals(&witness.told()) == 20).await;
    });
    assert!(gate.clock.monotonic() == secs(120));
}
