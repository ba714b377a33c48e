//! Access Tokens to their end: reminders, health, a clock that is wrong; and no output with one.

use std::sync::Arc;

use derbysoft_go_auth::access_token::AccessTokenSource;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::{ManualClock, UnixTime};

use super::watched::{API, DAY, NEW, OLD, Watched, day, entry, verdict};
use test_support::log::Lines;
use test_support::{eventually, secs, soon};

#[tokio::test]
async fn each_reminder_is_logged_once() {
    let (lines, _guard) = Lines::capture();
    let watched = Watched::new();
    let source = watched.source().await;
    let said = |text: &str| lines.text().matches(text).count();
    for (days, left) in [
        (150, "30"),
        (160, "20"),
        (170, "10"),
        (177, "3"),
        (178, "2"),
        (179, "1"),
    ] {
        watched.look_on(day(days)).await;
        assert_eq!(said(&format!("days_left={left}\n")), 1, "{}", lines.text());
        for _ in 0..1_000 {
            assert_eq!(verdict(&source, OLD), "ok");
        }
        for _ in 0..3 {
            watched.look().await;
        }
        assert_eq!(said("expires: generate another"), 1, "{}", lines.text());
        lines.take();
    }
    watched.look_on(day(180)).await;
    assert_eq!(said("has expired"), 1);
    assert_eq!(verdict(&source, OLD), "access_token_expired");

    // Once renewed, nothing more is logged.
    lines.take();
    watched.write(entry(NEW, day(180)));
    watched.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(said("expire"), 0, "{}", lines.text());
}

#[tokio::test]
async fn tokens_given_in_code_have_reminders_too() {
    let (lines, _guard) = Lines::capture();
    let clock = ManualClock::new(day(155));
    let tokens = AccessTokens::new([AccessToken::new(API, OLD, day(0))]);
    let source = AccessTokenSource::fixed(tokens.expect("good"), Arc::new(clock));
    assert_eq!(verdict(&source, OLD), "ok");
    eventually("the reminder is logged", || {
        lines.text().contains("days_left=25")
    })
    .await;
    source.reload().await.expect("nothing to do");
    assert_eq!(source.health().file, None);
}

#[tokio::test]
async fn health_reports_time_left_and_the_file() {
    let watched = Watched::new();
    let issued = entry(NEW, day(100)) + &entry(OLD, day(0));
    watched.write(issued + "[[token]]\napi = \"own\"\ntoken = \"0123456789abcdef\"\nissued = 2026-05-04T00:00:00Z");
    watched
        .clock
        .clock
        .advance(day(102).saturating_since(day(0)));
    let source = watched.open().expect("a good file");
    let mut health = source.health();
    let file = health.file.as_mut().expect("a file");
    assert!(file.modified.is_some());
    file.modified = Some(day(99));
    file.path = "tokens.toml".into();
    assert_eq!(
        serde_json::to_value(&health).expect("JSON"),
        serde_json::json!({
            "apis": [
                {
                    "api": "availability-peer",
                    "expires_at": "2027-08-08T00:00:00Z",
                    "seconds_left": 178 * DAY,
                    "days_left": 178,
                    "previous_accepted_until": "2027-02-16T00:00:00Z",
                },
                {
                    "api": "own",
                    "expires_at": "2026-10-31T00:00:00Z",
                    "seconds_left": 0,
                    "days_left": 0,
                },
            ],
            "file": { "path": "tokens.toml", "modified": "2027-02-08T00:00:00Z" },
        })
    );
    assert!(!health.apis[0].is_expired());
    assert!(health.apis[1].is_expired());

    watched.clock.clock.advance(secs(5 * DAY));
    assert_eq!(source.health().apis[0].previous_accepted_until, None);
}

#[tokio::test]
async fn no_output_contains_a_token_or_digest() {
    let (lines, _guard) = Lines::capture();
    let watched = Watched::new();
    // printf %s 53ac0777bbbbbbbbbbbbbbbbbbbbbbbb | sha256sum
    let sha256 = "8ca02f5c8eff496d7a9c8729d0d382fbcedae86baeb5052c45d3d284a3d07234";
    let by_digest = entry(NEW, day(0).saturating_add(secs(1))).replace(
        &format!("token = \"{NEW}\""),
        &format!("sha256 = \"{sha256}\""),
    );
    watched.write(entry(OLD, day(0)) + &by_digest);
    let source = watched.open().expect("a good file");
    let mut printed = Vec::new();
    let mut print = |what: &dyn std::fmt::Debug| printed.push(format!("{what:?} {what:#?}"));
    for token in [OLD, NEW, "53ac0777cccccccccccccccccccccccc"] {
        print(&source.check(token, &API));
        print(&source.check(token, &Api::V3_RESERVATION));
    }
    for bad in [
        entry(OLD, day(0)).replace("\"53ac", "53ac"),
        entry(OLD, day(0)).replace("token = ", "tokn = "),
        entry(OLD, day(0)).replace("availability-peer", OLD),
        entry(OLD, day(0)).replace("issued = ", &format!("issued = \"{OLD}\" # ")),
        entry(OLD, day(0)).replace("api", OLD),
        format!("{OLD} = 1\n{OLD} = 2"),
        by_digest.replace("Z\n", "\n"),
        by_digest.replacen(sha256, &sha256[1..], 1),
        entry(OLD, day(0)) + &entry(OLD, day(1)),
        entry(OLD, day(9)) + "revoked = 1",
    ] {
        watched.write(&bad);
        let error = soon(source.reload()).await.err();
        let error = error.unwrap_or_else(|| panic!("{bad}"));
        print(&error);
        print(&error.to_string());
    }
    print(&source);
    print(&source.health());
    print(&serde_json::to_string(&source.health()).expect("JSON"));

    for text in [printed.concat(), lines.text()] {
        for part in [
            "53ac0777",
            "aaaaaaaa",
            "bbbbbbbb",
            &sha256[..8],
            &sha256[56..],
        ] {
            assert!(!text.contains(part), "{part} is in {text}");
        }
        assert!(text.contains("issued"), "nothing was printed: {text}");
    }
}

#[tokio::test]
async fn a_clock_in_the_past_is_reported_and_recovers() {
    let (lines, _guard) = Lines::capture();
    let watched = Watched::new();
    watched.clock.clock.step_to(UnixTime::from_secs(DAY));
    let source = watched.source().await;
    assert_eq!(verdict(&source, OLD), "not_yet_valid");
    let warned = lines.text();
    let ahead = "an access token is dated more than 24 h ahead";
    assert_eq!(warned.matches(ahead).count(), 1, "{warned}");
    assert!(warned.contains("line=1"), "{warned}");
    assert!(warned.contains("issued=2026-11-01T00:00:00Z"), "{warned}");
    let json = serde_json::to_value(source.health()).expect("JSON");
    assert_eq!(json["apis"][0]["accepted_from"], "2026-10-31T00:00:00Z");

    // The clock is set, and the file is as it was.
    watched.clock.clock.step_to(day(1));
    assert_eq!(verdict(&source, OLD), "ok");
    assert_eq!(source.health().apis[0].accepted_from, None);
    watched.look_on(day(180)).await;
    assert_eq!(verdict(&source, OLD), "access_token_expired");
    assert_eq!(lines.text().matches(ahead).count(), 1);
}
