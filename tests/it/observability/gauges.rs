//! The gauges: how old the keys are, and how long each credential is still good.

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::access_token::Api as Name;
use derbysoft_go_auth::clock::Clock;
use derbysoft_go_auth::outbound::{ClientPair, EndpointToken, EndpointTokens, Gateway};
use derbysoft_go_simulator::{Endpoint, Fault};
use metrics_exporter_prometheus::PrometheusHandle;

use super::recorder;
use super::recorder::{recording, requests};
use test_support::distributor::{TokenFile, days, entry};
use test_support::recorded::{series, value};
use test_support::{
    Api, Keys, World, clock, eventually, go_with, ready, refresh, secs, settle, soon, verifying,
};

const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

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
    // All exist before the first has ended.
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
    eventually("they are dropped", || keys(&handle).0 == "empty").await;
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
    ready(&auth).await.expect("GO is well");
    for age in 1..30 {
        world.clock.advance(secs(1));
        auth.record_metrics();
        assert_eq!(keys(&handle), ("fresh".to_owned(), Some(age), 2.0));
    }
    // Keys given in code have no age.
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
async fn waiting_requests_are_gauged() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let builder = world.builder().configure(|it| it.max_waiting = 3);
    let auth = builder.build().expect("a good configuration");
    let gauged = || {
        auth.record_metrics();
        let rendered = handle.render();
        let of = |name| value(&rendered, name, &[]).expect("a gauge");
        let (now, max) = ("go_auth_waiting_requests", "go_auth_waiting_requests_max");
        (of(now), of(max))
    };
    assert_eq!(gauged(), (0.0, 3.0));
    let hold = world.go.hold();
    let waiting = [(); 2].map(|()| verifying(&auth, &world.token()));
    world.fetches(1).await;
    eventually("both wait", || gauged() == (2.0, 3.0)).await;
    // A cancelled request waits no more.
    let [gone, other] = waiting;
    gone.abort();
    let _ = soon(gone).await;
    assert_eq!(gauged(), (1.0, 3.0));
    hold.release();
    soon(other).await.expect("no panic").expect("a good token");
    assert_eq!(gauged(), (0.0, 3.0));
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
    eventually("they are read", || left("own", 180.0)).await;
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
    let clock = clock();
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
    // Replaced by one whose issue is unknown.
    tokens.replace("known", "z").expect("there is one");
    tokens.record_metrics();
    assert!(credential_left(&handle, "known").is_some_and(f64::is_nan));
}

#[tokio::test]
async fn client_pairs_are_gauged_through_a_rotation() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let clock = clock();
    let go = go_with(&clock).await;
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
    go.fail_at(Endpoint::Token, Fault::Status(500));
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
