//! The metrics: the names in the table, the numbers that stand under them, and when.

use std::collections::{BTreeMap, BTreeSet};

use derbysoft_go_auth::outbound::{ClientPair, EndpointToken, EndpointTokens, Gateway};
use derbysoft_go_auth::{AccessToken, AccessTokens, Api as Name, Clock, GoAuth, ManualClock};
use derbysoft_go_simulator::Fault;
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

use test_support::contract;
use test_support::recorded::{series, types, value};

use super::recorder;
use super::scene::{everything, world_of_go};
use test_support::distributor::{TokenFile, days, entry};
use test_support::{
    Api, Keys, World, eventually, millis, refresh, secs, settle, soon, verdict, verifying,
};

const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

/// A recorder for this thread, on which the whole of a test runs.
fn recording(recorder: &PrometheusRecorder) -> (PrometheusHandle, metrics::LocalRecorderGuard<'_>) {
    let guard = metrics::set_default_local_recorder(recorder);
    (recorder.handle(), guard)
}

fn requests(handle: &PrometheusHandle, outcome: &str, kind: &str) -> Option<f64> {
    let labels = [("outcome", outcome), ("kind", kind)];
    value(&handle.render(), "go_auth_requests_total", &labels)
}

fn seconds_left(handle: &PrometheusHandle, api: &str) -> Option<f64> {
    let name = "go_auth_access_token_seconds_left";
    value(&handle.render(), name, &[("api", api)])
}

fn credential_left(handle: &PrometheusHandle, endpoint: &str) -> Option<f64> {
    let name = "go_auth_credential_seconds_left";
    value(&handle.render(), name, &[("endpoint", endpoint)])
}

/// The state of the only issuer's keys, their age in whole seconds, and their number.
fn keys(handle: &PrometheusHandle) -> (String, Option<u64>, f64) {
    let rendered = handle.render();
    let states = series(&rendered).into_iter();
    let states: Vec<_> = states
        .filter(|series| series.name == "go_auth_keys_state")
        .collect();
    assert_eq!(states.len(), 3);
    assert!((states.iter().map(|state| state.value).sum::<f64>() - 1.0).abs() < 1e-9);
    let state = states
        .iter()
        .find(|state| state.value > 0.5)
        .expect("a state");
    let age = value(&rendered, "go_auth_keys_age_seconds", &[]).expect("an age");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let age = (!age.is_nan()).then_some(age as u64);
    let count = value(&rendered, "go_auth_keys", &[]).expect("a number");
    (state.label("state").to_owned(), age, count)
}

#[test]
fn the_table_of_metrics_is_complete() {
    let rendered = &everything().rendered;
    let table = contract::metrics();
    let expected: BTreeMap<_, _> = table.iter().map(|(name, row)| (*name, row.kind)).collect();
    assert_eq!(types(rendered), expected);

    let mut found = BTreeMap::<(String, String), BTreeSet<String>>::new();
    for series in series(rendered) {
        let suffixes = ["_bucket", "_sum", "_count"];
        let base = suffixes
            .iter()
            .find_map(|suffix| series.name.strip_suffix(suffix));
        let name = base
            .filter(|base| table.contains_key(base))
            .unwrap_or(&series.name);
        let row = table.get(name).unwrap_or_else(|| panic!("{name}"));
        let labels: BTreeSet<_> = (series.labels.keys().map(String::as_str))
            .filter(|label| !(*label == "le" && row.kind == "histogram"))
            .collect();
        assert_eq!(labels, row.labels, "{name}");
        for label in labels {
            let values = found
                .entry((name.to_owned(), label.to_owned()))
                .or_default();
            values.insert(series.label(label).to_owned());
        }
    }
    let mut configured = BTreeSet::new();
    for ((name, label), found) in found {
        match contract::values(&name, &label) {
            Some(values) => {
                let values: BTreeSet<_> = values.into_iter().map(str::to_owned).collect();
                assert_eq!(found, values, "{name} {label}");
            }
            None => configured.extend(found),
        }
    }
    let expected: BTreeSet<_> = everything().configured.iter().cloned().collect();
    assert_eq!(configured, expected);
}

#[test]
fn each_outcome_has_the_kinds_of_the_table() {
    for outcome in ["accepted", "refused", "observed"] {
        let of_outcome =
            |series: &test_support::recorded::Series| series.label("outcome") == outcome;
        let counted = series(&everything().rendered)
            .into_iter()
            .filter(of_outcome);
        let counted: BTreeMap<_, _> = counted
            .map(|series| (series.label("kind").to_owned(), series.value))
            .collect();
        let kinds: Vec<_> = counted.keys().map(String::as_str).collect();
        assert!(
            kinds.iter().copied().eq(contract::kinds(outcome)),
            "{kinds:?}"
        );
        for (kind, count) in counted {
            // The observer was not asked by a caller that its own check forbids.
            let met = !(outcome == "observed" && kind == "forbidden");
            assert_eq!(count > 0.0, met, "{outcome} {kind}");
        }
    }
}

#[test]
fn every_metric_has_a_help_text() {
    for name in contract::metrics().keys() {
        let help = format!("# HELP {name} ");
        let mut lines = everything().rendered.lines();
        let line = lines.find_map(|line| line.strip_prefix(&help));
        assert!(line.is_some_and(|text| text.len() > 10), "{name}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_outcome_and_kind() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let keys = Keys::new();
    let auth = keys.builder().build().expect("a good configuration");
    let door = Api::behind(auth.layer());
    assert_eq!(requests(&handle, "accepted", "jwt"), None);
    for _ in 0..3 {
        door.call(&keys.token()).await;
    }
    for _ in 0..5 {
        door.call(&keys.mint().expires_in(-31).token()).await;
    }
    let observer = Api::behind(auth.layer().danger_observe_only());
    observer.call("53ac0777").await;
    observer.call(&keys.token()).await;
    let open = Api::behind(auth.layer().allow_missing());
    open.send(test_support::request(&[])).await;
    assert_eq!(open.calls(), 1);

    assert_eq!(requests(&handle, "accepted", "jwt"), Some(4.0));
    assert_eq!(requests(&handle, "accepted", "access_token"), Some(0.0));
    assert_eq!(requests(&handle, "refused", "expired"), Some(5.0));
    assert_eq!(requests(&handle, "refused", "malformed"), Some(0.0));
    assert_eq!(requests(&handle, "observed", "malformed"), Some(1.0));
    let all = series(&handle.render()).into_iter();
    let all = all.filter(|series| series.name == "go_auth_requests_total");
    assert!((all.map(|series| series.value).sum::<f64>() - 10.0).abs() < 1e-9);
}

#[tokio::test]
async fn each_credential_is_one_cache_lookup() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let auth = world.auth();
    let looks = |result| {
        let labels = [("result", result)];
        value(&handle.render(), "go_auth_token_cache_total", &labels)
    };
    let bytes = || value(&handle.render(), "go_auth_token_cache_bytes", &[]);
    let token = world.token();
    // The first waits for keys, and is looked at twice.
    for (hits, misses) in [(0.0, 1.0), (0.0, 2.0), (1.0, 2.0), (2.0, 2.0)] {
        assert_eq!(verdict(&auth, &token).await, "ok");
        assert_eq!((looks("hit"), looks("miss")), (Some(hits), Some(misses)));
    }
    auth.record_metrics();
    let one = bytes().expect("a size");
    assert!((1000.0..3000.0).contains(&one), "{one}");
    // What is no token is not looked for.
    assert_eq!(verdict(&auth, "53ac0777").await, "malformed");
    assert_eq!(looks("miss"), Some(2.0));
    // One that is not good any more is a miss.
    world.clock.advance(secs(331));
    assert_eq!(verdict(&auth, &token).await, "expired");
    assert_eq!((looks("hit"), looks("miss")), (Some(2.0), Some(3.0)));
    auth.record_metrics();
    assert_eq!(bytes(), Some(0.0));
}

/// A gate that takes an Access Token beside GO's JWTs.
fn holding_a_token(world: &World) -> GoAuth {
    let token = AccessToken::new(Name::AVAILABILITY_PEER, TOKEN, world.time());
    let tokens = AccessTokens::new([token]).expect("a good token");
    let auth = world.builder().access_tokens(tokens).build();
    auth.expect("a good configuration")
}

#[tokio::test]
async fn only_verification_is_timed_with_its_wait() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let auth = holding_a_token(&world);
    let timed = || {
        let rendered = handle.render();
        let of = |part| value(&rendered, &format!("go_auth_verify_seconds_{part}"), &[]);
        (of("count").unwrap_or(0.0), of("sum").unwrap_or(0.0))
    };
    let hold = world.go.hold();
    let waiting = verifying(&auth, &world.token());
    world.fetches(1).await;
    world.clock.advance(millis(750));
    hold.release();
    soon(waiting)
        .await
        .expect("no panic")
        .expect("a good token");
    assert_eq!(timed(), (1.0, 0.75));
    let below = |le| {
        let labels = [("le", le)];
        value(&handle.render(), "go_auth_verify_seconds_bucket", &labels)
    };
    assert_eq!((below("0.5"), below("1")), (Some(0.0), Some(1.0)));

    // The clock stands still: all that can be told is how many were timed.
    let token = world.token();
    for (what, count) in [
        (&*token, 2.0),
        (&token, 3.0),
        // It is known by now.
        (&token, 3.0),
        (TOKEN, 3.0),
        ("53ac0777", 3.0),
        (&"a".repeat(9000), 3.0),
        (&world.mint().expires_in(-31).token(), 4.0),
        (&world.unknown(), 5.0),
    ] {
        let _ = verdict(&auth, what).await;
        assert_eq!(timed(), (count, 0.75), "{what}");
    }
}

#[tokio::test]
async fn the_keys_are_gauged_through_each_state() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let hold = world.go.hold();
    let auth = world.auth();
    let first = verifying(&auth, &world.token());
    world.fetches(1).await;
    let (state, age, count) = keys(&handle);
    assert_eq!((&*state, age, count), ("empty", None, 0.0));
    let refreshes = |result| {
        let labels = [("result", result)];
        value(&handle.render(), "go_auth_key_refreshes_total", &labels)
    };
    // All are there before the first has ended.
    for result in ["changed", "unchanged", "failed"] {
        assert_eq!(refreshes(result), Some(0.0));
    }
    hold.release();
    soon(first).await.expect("no panic").expect("a good token");
    settle().await;
    assert_eq!(keys(&handle), ("fresh".to_owned(), Some(0), 2.0));
    assert_eq!(refreshes("changed"), Some(1.0));
    refresh(&auth).await.expect("GO is well");
    assert_eq!(refreshes("unchanged"), Some(1.0));

    world.go.fail(Fault::Status(500));
    world.clock.advance(secs(60));
    settle().await;
    assert_eq!(keys(&handle), ("fresh".to_owned(), Some(60), 2.0));
    world.clock.advance(secs(240));
    eventually("the refresh fails", || refreshes("failed") == Some(1.0)).await;
    assert_eq!(keys(&handle), ("stale".to_owned(), Some(300), 2.0));
    world.clock.advance(secs(86_400));
    eventually("they are let go", || keys(&handle).0 == "empty").await;
    assert_eq!(keys(&handle), ("empty".to_owned(), None, 0.0));
}

#[tokio::test]
async fn recording_metrics_fetches_no_keys() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let auth = world.auth();
    auth.record_metrics();
    settle().await;
    assert_eq!(world.go.fetches(), 0);
    assert_eq!(keys(&handle), ("empty".to_owned(), None, 0.0));
    test_support::ready(&auth).await.expect("GO is well");
    for age in 1..30 {
        world.clock.advance(secs(1));
        auth.record_metrics();
        assert_eq!(keys(&handle), ("fresh".to_owned(), Some(age), 2.0));
    }
    // Keys that were given have no age.
    let given = Keys::new().builder().build().expect("a good configuration");
    given.record_metrics();
    let rendered = handle.render();
    let of_given = |name: &str| {
        let issuer = "https://id/X/.well-known/openid-configuration";
        value(&rendered, name, &[("issuer", issuer)])
    };
    assert_eq!(of_given("go_auth_keys"), Some(1.0));
    assert!(of_given("go_auth_keys_age_seconds").is_some_and(f64::is_nan));
}

#[tokio::test]
async fn access_tokens_are_gauged_to_their_end() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let own = Name::new("own").expect("a name");
    let other = Name::new("other").expect("a name");
    let file = TokenFile::of("");
    let now = file.clock.now();
    let another = TOKEN.replace('a', "b");
    let both = entry(&own, TOKEN, now) + &entry(&other, &another, now.saturating_sub(days(100)));
    file.write(&both);
    let builder = GoAuth::builder().access_tokens_file(file.path());
    let auth = builder.clock(file.clock.clone()).build();
    let auth = auth.expect("a good configuration");
    auth.verify_for(TOKEN, &own).await.expect("good");
    let left = |api, days: f64| seconds_left(&handle, api) == Some(days * 86_400.0);
    eventually("they are looked at", || left("own", 180.0)).await;
    assert!(left("other", 80.0));

    file.clock.advance(days(79));
    eventually("time goes on", || left("other", 1.0)).await;
    file.clock.advance(secs(3));
    auth.record_metrics();
    assert_eq!(seconds_left(&handle, "other"), Some(86_397.0));
    file.clock.advance(days(2));
    eventually("one is past its end", || left("other", 0.0)).await;

    file.write(entry(&own, TOKEN, now));
    soon(auth.reload_access_tokens())
        .await
        .expect("a good file");
    assert!(seconds_left(&handle, "other").is_some_and(f64::is_nan));
    assert!(seconds_left(&handle, "own").is_some_and(|left| left > 98.0 * 86_400.0));
}

#[tokio::test]
async fn tokens_for_go_are_gauged_where_dated() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let clock = ManualClock::starting_now();
    let tokens = EndpointTokens::builder()
        .endpoint(
            "known",
            "https://go.example/known",
            EndpointToken::new("x").issued_at(clock.now()),
        )
        .endpoint("unknown", "https://go.example/unknown", "y")
        .clock(clock.clone())
        .build()
        .expect("good settings");
    tokens.record_metrics();
    assert_eq!(credential_left(&handle, "known"), Some(180.0 * 86_400.0));
    assert_eq!(credential_left(&handle, "unknown"), None);
    clock.advance(days(181));
    tokens.record_metrics();
    assert_eq!(credential_left(&handle, "known"), Some(0.0));
    // Replaced by one of which nobody knows.
    tokens.replace("known", "z").expect("there is one");
    tokens.record_metrics();
    assert!(credential_left(&handle, "known").is_some_and(f64::is_nan));
}

#[tokio::test]
async fn client_pairs_are_gauged_through_a_rotation() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let (go, clock) = world_of_go().await;
    let client = go.client();
    let pair = ClientPair::new(&*client.client_id, &*client.client_secret);
    let gateway = Gateway::builder()
        .token_url(go.token_url())
        .api(go.gateway_url())
        .credentials(pair.issued_at(clock.now()))
        .clock(clock.clone())
        .build()
        .expect("good settings");
    soon(gateway.ready()).await.expect("GO is well");
    let (current, next) = ("current client pair", "next client pair");
    assert_eq!(credential_left(&handle, current), Some(180.0 * 86_400.0));
    assert_eq!(credential_left(&handle, next), None);
    go.fail_at(derbysoft_go_simulator::Endpoint::Token, Fault::Status(500));
    let client = go.rotate_client();
    let following = ClientPair::new(&*client.client_id, &*client.client_secret);
    gateway
        .rotate_to(following.issued_at(clock.now()))
        .expect("it can be sent");
    gateway.record_metrics();
    assert_eq!(credential_left(&handle, current), Some(7.0 * 86_400.0));
    assert_eq!(credential_left(&handle, next), Some(180.0 * 86_400.0));
    go.heal();
    clock.advance(days(7));
    let _ = soon(gateway.ready()).await;
    gateway.record_metrics();
    assert_eq!(credential_left(&handle, current), Some(173.0 * 86_400.0));
    assert!(credential_left(&handle, next).is_some_and(f64::is_nan));
}

#[tokio::test]
async fn no_request_adds_a_series() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let auth = holding_a_token(&world);
    let door = Api::behind(auth.layer());
    door.call(&world.token()).await;
    door.call(TOKEN).await;
    auth.record_metrics();
    let names = || {
        let series = series(&handle.render()).into_iter();
        series
            .map(|series| (series.name, series.labels))
            .collect::<BTreeSet<_>>()
    };
    let before = names();
    for n in 0..50 {
        let mint = || {
            world
                .mint()
                .subject(format!("sub-{n}"))
                .claim("jti", format!("jti-{n}"))
        };
        for token in [
            mint().token(),
            mint().issuer(format!("https://id/{n}")).token(),
            mint().kid(format!("kid-{n}")).token(),
            mint().audience(format!("aud-{n}")).token(),
            format!("token-{n}"),
        ] {
            door.call(&token).await;
        }
    }
    auth.record_metrics();
    assert_eq!(names(), before);
}

#[tokio::test]
async fn a_late_recorder_still_sees_the_keys() {
    let world = World::new().await;
    let auth = world.ready().await;
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let door = Api::behind(auth.layer());
    auth.record_metrics();
    assert_eq!(keys(&handle), ("fresh".to_owned(), Some(0), 2.0));
    refresh(&auth).await.expect("GO is well");
    let labels = [("result", "unchanged")];
    let unchanged = value(&handle.render(), "go_auth_key_refreshes_total", &labels);
    assert_eq!(unchanged, Some(1.0));
    // No request was there yet, so that these are counted as well.
    door.call(&world.token()).await;
    assert_eq!(requests(&handle, "accepted", "jwt"), Some(1.0));
}
