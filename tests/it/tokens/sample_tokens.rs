//! The tokens that the simulator makes by name get the verdicts that its list promises.

use std::collections::HashSet;

use derbysoft_go_simulator::{Expected, SampleToken};

use test_support::{World, strict, verdict};

#[tokio::test]
async fn each_sample_gets_the_verdict_of_the_list() {
    let world = World::new().await;
    let auth = world.ready().await;
    let mut rejected = 0;
    for sample in SampleToken::all() {
        let token = world.go.sample_token(sample);
        let name = sample.name;
        let expected = sample.refused_as.unwrap_or("ok");
        assert_eq!(verdict(&auth, &token).await, expected, "{name}");
        match sample.expected {
            Expected::LetIn => assert_eq!(expected, "ok", "{name}"),
            Expected::Refused => {
                assert_ne!(expected, "ok", "{name}");
                rejected += 1;
            }
            _ => {}
        }
    }
    assert!(rejected > 30, "{rejected}");
}

#[tokio::test]
async fn a_sample_that_breaks_a_rule_is_rejected_for_it() {
    let world = World::new().await;
    let auth = world.ready_with(strict).await;
    for (name, kind) in [
        ("other-subject", "subject"),
        ("no-token-id", "missing_claim"),
        ("long-lived", "lifetime"),
        ("good", "ok"),
    ] {
        let sample = SampleToken::named(name).expect("a sample");
        assert_eq!(sample.refused_as, None, "{name}");
        let token = world.go.sample_token(sample);
        assert_eq!(verdict(&auth, &token).await, kind, "{name}");
    }
}

/// Clocks may differ, and tokens wait on their way: no leeway may decide about a sample.
#[tokio::test]
async fn samples_out_of_time_stay_so_with_any_leeway() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.leeway(test_support::secs(300)))
        .await;
    for name in ["expired", "not-yet-valid"] {
        let sample = SampleToken::named(name).expect("a sample");
        let token = world.go.sample_token(sample);
        assert_eq!(
            Some(verdict(&auth, &token).await),
            sample.refused_as,
            "{name}"
        );
    }
}

#[test]
fn sample_names_are_distinct_words() {
    let name_of = |sample: Option<SampleToken>| sample.map(|sample| sample.name);
    let mut known = HashSet::new();
    for sample in SampleToken::all() {
        let name = sample.name;
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(!name.is_empty() && name.chars().all(is_word), "{name}");
        assert!(known.insert(name), "{name}");
        assert_eq!(name_of(SampleToken::named(name)), Some(name));
        assert!(!sample.about.is_empty(), "{name}");
    }
    assert_eq!(name_of(SampleToken::named("nothing")), None);
    assert_eq!(
        name_of(SampleToken::all().next()),
        Some(SampleToken::GOOD.name)
    );
}
