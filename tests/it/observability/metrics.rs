//! The metrics, held to their table, and what is counted about requests.

use std::collections::{BTreeMap, BTreeSet};

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api as Name};
use derbysoft_go_auth::config::IssuerConfig;
use derbysoft_go_simulator::Simulator;

use super::recorder;
use super::recorder::{recording, requests};
use super::scene::everything;
use test_support::contract;
use test_support::recorded::{Series, series, types, value};
use test_support::{Api, Keys, World, millis, request, secs, soon, verdict, verifying};

const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

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
    let mut expected: BTreeSet<_> = everything().configured.iter().cloned().collect();
    // No issuer.
    expected.insert(String::new());
    assert_eq!(configured, expected);
}

#[test]
fn each_outcome_has_the_kinds_of_the_table() {
    for outcome in ["accepted", "refused", "observed"] {
        let of_outcome = |series: &Series| series.label("outcome") == outcome;
        let counted = series(&everything().rendered)
            .into_iter()
            .filter(of_outcome);
        let mut by_kind = BTreeMap::<_, f64>::new();
        for series in counted {
            *(by_kind.entry(series.label("kind").to_owned())).or_default() += series.value;
        }
        let counted = by_kind;
        let kinds: Vec<_> = counted.keys().map(String::as_str).collect();
        assert!(
            kinds.iter().copied().eq(contract::kinds(outcome)),
            "{kinds:?}"
        );
        for (kind, count) in counted {
            // What is decided about a good token never is about an observed one.
            let of_good = ["forbidden", "claims_mismatch"].contains(&&*kind);
            let met = !(outcome == "observed" && of_good);
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
    open.send(request(&[])).await;
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

/// What is counted of each issuer, by kind; none is ''.
fn by_issuer(rendered: &str) -> BTreeMap<(String, String), f64> {
    (series(rendered).into_iter())
        .filter(|series| series.name == "go_auth_requests_total" && series.value > 0.0)
        .map(|series| {
            let label = |name| series.label(name).to_owned();
            ((label("issuer"), label("kind")), series.value)
        })
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_the_issuer_that_judged_them() {
    let recorder = recorder();
    let (handle, _guard) = recording(&recorder);
    let world = World::new().await;
    let next = Simulator::builder().issuer("https://id/next").start().await;
    let next = next.expect("a free port");
    let token = AccessToken::new(Name::AVAILABILITY_PEER, TOKEN, world.time());
    let builder = world.builder().another_issuer(IssuerConfig::new(
        next.issuer(),
        next.audience(),
        next.jwks_url(),
    ));
    let tokens = AccessTokens::new([token]).expect("a good token");
    let auth = builder.access_tokens(tokens).build();
    let auth = auth.expect("a good configuration");
    let door = Api::behind(auth.layer());
    let of_next = || next.mint().at(world.time());
    // The second and third are cached.
    for _ in 0..3 {
        door.call(&of_next().token_id("same").token()).await;
        door.call(&of_next().expires_in(-31).token()).await;
        door.call(&of_next().kid("gone").claim("iat", 1_600_000_000).token())
            .await;
    }
    door.call(&world.token()).await;
    door.call(TOKEN).await;
    door.call("53ac0777").await;
    door.call("a.b.c").await;
    door.call(&world.mint().issuer("https://id/foreign").token())
        .await;
    let expected = [
        ("", "access_token", 1.0),
        ("", "issuer", 1.0),
        ("", "malformed", 1.0),
        ("", "unknown_access_token", 1.0),
        (world.go.issuer(), "jwt", 1.0),
        ("https://id/next", "jwt", 3.0),
        ("https://id/next", "expired", 3.0),
        ("https://id/next", "unknown_key", 3.0),
    ];
    let expected: BTreeMap<_, _> = (expected.into_iter())
        .map(|(issuer, kind, count)| ((issuer.to_owned(), kind.to_owned()), count))
        .collect();
    assert_eq!(by_issuer(&handle.render()), expected);
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
    // The first waits for keys, and is looked up twice.
    for (hits, misses) in [(0.0, 1.0), (0.0, 2.0), (1.0, 2.0), (2.0, 2.0)] {
        assert_eq!(verdict(&auth, &token).await, "ok");
        assert_eq!((looks("hit"), looks("miss")), (Some(hits), Some(misses)));
    }
    auth.record_metrics();
    let one = bytes().expect("a size");
    assert!((1000.0..3000.0).contains(&one), "{one}");
    // What is no token is not looked up.
    assert_eq!(verdict(&auth, "53ac0777").await, "malformed");
    assert_eq!(looks("miss"), Some(2.0));
    // A token that is no longer good is a miss.
    world.clock.advance(secs(331));
    assert_eq!(verdict(&auth, &token).await, "expired");
    assert_eq!((looks("hit"), looks("miss")), (Some(2.0), Some(3.0)));
    auth.record_metrics();
    assert_eq!(bytes(), Some(0.0));
}

/// A handle that accepts an Access Token beside GO's JWTs.
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

    // The clock stands still: only the number of measurements shows.
    let token = world.token();
    for (what, count) in [
        (&*token, 2.0),
        (&token, 3.0),
        // It is cached by now.
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
