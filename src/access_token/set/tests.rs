use std::time::Duration;

use super::*;
use crate::error::VerifyErrorKind;

const DAY: u64 = 86_400;

/// With the length and form of GO's.
fn token(number: u64) -> String {
    format!("53ac0777{number:024x}")
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + seconds)
}

fn day(day: u64) -> UnixTime {
    at(day * DAY)
}

fn entry(api: &Api, number: u64, issued: UnixTime) -> AccessToken {
    AccessToken::new(api.clone(), token(number), issued)
}

fn peer() -> Api {
    Api::AVAILABILITY_PEER
}

fn set(tokens: impl IntoIterator<Item = AccessToken>) -> AccessTokens {
    AccessTokens::new(tokens).expect("good tokens")
}

/// The verdict on a token: `current`, `previous`, or the kind of the rejection.
fn verdict(tokens: &AccessTokens, number: u64, api: &Api, now: UnixTime) -> &'static str {
    match tokens.check(token(number), api, now) {
        Ok(granted) if granted.is_previous() => "previous",
        Ok(_) => "current",
        Err(error) => error.kind().as_str(),
    }
}

fn faults(tokens: impl IntoIterator<Item = AccessToken>) -> Vec<String> {
    let error = AccessTokens::new(tokens).expect_err("a fault");
    error.faults().map(ToString::to_string).collect()
}

#[test]
fn a_current_token_is_accepted_for_180_days() {
    let tokens = set([entry(&peer(), 1, day(0))]);
    for (now, expected) in [
        (day(0), "current"),
        (at(180 * DAY - 1), "current"),
        (day(180), "access_token_expired"),
        (UnixTime::MAX, "access_token_expired"),
    ] {
        assert_eq!(verdict(&tokens, 1, &peer(), now), expected, "{now}");
    }
}

#[test]
fn a_token_is_accepted_to_its_last_nanosecond() {
    let tokens = set([entry(&peer(), 1, day(0))]);
    let last = day(180).saturating_sub(Duration::from_nanos(1));
    assert_eq!(verdict(&tokens, 1, &peer(), last), "current");
}

#[test]
fn a_previous_token_has_7_days_or_its_own_expiry() {
    // The current one is issued on this day; the previous one ends on that day.
    for (renewed, until) in [(0_u64, 7), (100, 107), (173, 180), (177, 180)] {
        let renewed_at = at(renewed * DAY + 1);
        let until = at((until * DAY + 1).min(180 * DAY));
        // In either order.
        for tokens in [
            [entry(&peer(), 1, day(0)), entry(&peer(), 2, renewed_at)],
            [entry(&peer(), 2, renewed_at), entry(&peer(), 1, day(0))],
        ] {
            let tokens = set(tokens);
            let last = until.saturating_sub(Duration::from_secs(1));
            assert_eq!(verdict(&tokens, 1, &peer(), last), "previous", "{renewed}");
            let previous = tokens.previous(&peer()).map(|held| held.accepted_until);
            assert_eq!(previous, Some(until));
            assert!(tokens.previous(&Api::V3_RESERVATION).is_none());
            assert_eq!(
                verdict(&tokens, 1, &peer(), until),
                "access_token_expired",
                "{renewed}"
            );
            assert_eq!(verdict(&tokens, 2, &peer(), until), "current", "{renewed}");
        }
    }
}

#[test]
fn a_grant_contains_api_and_expiry() {
    let tokens = set([entry(&peer(), 1, day(0)), entry(&peer(), 2, day(100))]);
    let previous = tokens.check(token(1), &peer(), day(101)).expect("accepted");
    assert_eq!(*previous.api(), peer());
    assert_eq!(previous.accepted_until(), day(107));
    let current = tokens.check(token(2), &peer(), day(101)).expect("accepted");
    assert_eq!(current.accepted_until(), day(280));
}

#[test]
fn another_apis_token_differs_from_an_unknown_one() {
    let (mine, theirs) = (Api::V3_RESERVATION, Api::V3_NON_RESERVATION);
    let tokens = set([
        entry(&mine, 1, day(0)),
        entry(&mine, 2, day(100)),
        entry(&theirs, 3, day(0)),
        entry(&theirs, 4, day(100)),
    ]);
    for (number, of_mine, of_theirs) in [
        (1, "previous", "wrong_api"),
        (2, "current", "wrong_api"),
        (3, "wrong_api", "previous"),
        (4, "wrong_api", "current"),
        (5, "unknown_access_token", "unknown_access_token"),
    ] {
        assert_eq!(verdict(&tokens, number, &mine, day(101)), of_mine);
        assert_eq!(verdict(&tokens, number, &theirs, day(101)), of_theirs);
        let of_none = Api::new("own").expect("a name");
        let expected = if number == 5 {
            "unknown_access_token"
        } else {
            "wrong_api"
        };
        assert_eq!(verdict(&tokens, number, &of_none, day(101)), expected);
    }
    // An expired token reveals nothing about who has it.
    assert_eq!(verdict(&tokens, 3, &mine, day(107)), "access_token_expired");
}

#[test]
fn only_the_exact_token_is_accepted() {
    let tokens = set([entry(&peer(), 1, day(0))]);
    let good = token(1);
    for other in [
        String::new(),
        good[1..].to_owned(),
        good[..31].to_owned(),
        format!("{good}0"),
        format!("{good}\0"),
        good.to_uppercase(),
        good.replacen('5', "6", 1),
    ] {
        let error = tokens.check(&other, &peer(), day(1)).expect_err("another");
        assert_eq!(
            error.kind(),
            VerifyErrorKind::UnknownAccessToken,
            "{other:?}"
        );
    }
}

#[test]
fn a_token_with_any_bit_changed_is_rejected() {
    let tokens = set([entry(&peer(), 1, day(0))]);
    for bit in 0..32 * 7 {
        let mut other = token(1).into_bytes();
        other[bit / 7] ^= 1 << (bit % 7);
        let other = String::from_utf8(other).expect("ASCII");
        assert!(tokens.check(&other, &peer(), day(1)).is_err(), "bit {bit}");
    }
}

#[test]
fn a_token_past_1024_bytes_is_not_examined() {
    let long = "a".repeat(1024);
    let tokens = set([AccessToken::new(peer(), long.as_str(), day(0))]);
    assert!(tokens.check(&long, &peer(), day(1)).is_ok());
    let kind = |token: &str| {
        tokens
            .check(token, &peer(), day(1))
            .map_err(|error| error.kind())
    };
    assert_eq!(
        kind(&"b".repeat(1024)),
        Err(VerifyErrorKind::UnknownAccessToken)
    );
    assert_eq!(kind(&"b".repeat(1025)), Err(VerifyErrorKind::TooLong));
}

#[test]
fn every_token_of_a_full_set_is_found() {
    let apis: Vec<_> = (0..16)
        .map(|n| Api::new(&format!("own-{n}")).expect("a name"))
        .collect();
    let place = |number: u64| &apis[usize::try_from(number % 16).expect("small")];
    let tokens = set((0..32).map(|n| entry(place(n), n, at(n * 3_600))));
    for number in 0..32 {
        let expected = if number < 16 { "previous" } else { "current" };
        assert_eq!(verdict(&tokens, number, place(number), day(2)), expected);
        assert_eq!(
            verdict(&tokens, number, place(number + 1), day(2)),
            "wrong_api"
        );
    }
    assert_eq!(
        verdict(&tokens, 32, place(0), day(2)),
        "unknown_access_token"
    );
    assert_eq!(tokens.apis().count(), 16);
}

#[test]
fn a_token_is_accepted_by_its_digest() {
    // printf %s 53ac0777000000000000000000000001 | sha256sum
    let sha256 = "964b06ae113e8f8ecd1715071185d21b5e9834796feb5809fb326103c8df7c8e";
    let tokens = set([AccessToken::from_sha256(peer(), sha256, day(0))]);
    assert_eq!(verdict(&tokens, 1, &peer(), day(1)), "current");
}

#[test]
fn a_token_dated_up_to_a_day_ahead_is_accepted() {
    let ahead = set([entry(&peer(), 1, day(11))]);
    assert_eq!(verdict(&ahead, 1, &peer(), day(10)), "current");
    assert_eq!(verdict(&ahead, 1, &peer(), day(190)), "current");
    assert_eq!(
        verdict(&ahead, 1, &peer(), day(191)),
        "access_token_expired"
    );
}

/// Neither a clock in the past nor a date in the future makes a token live longer.
#[test]
fn a_token_dated_further_ahead_has_to_wait() {
    let tokens = set([entry(&peer(), 1, day(0)), entry(&peer(), 2, day(100))]);
    let before = |number: u64| UnixTime::from_secs(day(number).as_secs() - 1);
    for (now, first, second) in [
        (UnixTime::EPOCH, "not_yet_valid", "not_yet_valid"),
        (day(0), "previous", "not_yet_valid"),
        (before(99), "previous", "not_yet_valid"),
        (day(99), "previous", "current"),
        (before(107), "previous", "current"),
        (day(107), "access_token_expired", "current"),
        (before(280), "access_token_expired", "current"),
        (day(280), "access_token_expired", "access_token_expired"),
        // The clock is set back, as by an empty battery.
        (day(1), "previous", "not_yet_valid"),
    ] {
        assert_eq!(verdict(&tokens, 1, &peer(), now), first, "{now}");
        assert_eq!(verdict(&tokens, 2, &peer(), now), second, "{now}");
        let held = tokens.look_up(token(2).as_bytes()).expect("known");
        let from = (second == "not_yet_valid").then(|| day(99));
        assert_eq!(held.accepted_from(now), from, "{now}");
    }
    // So no token is ever accepted for longer than 181 days.
    let ever = set([entry(&peer(), 1, UnixTime::MAX)]);
    for now in [UnixTime::EPOCH, day(0), day(100_000)] {
        assert_eq!(verdict(&ever, 1, &peer(), now), "not_yet_valid");
    }
}

#[test]
fn a_revoked_token_is_always_rejected() {
    let tokens = set([
        entry(&peer(), 1, day(0)),
        entry(&peer(), 2, day(100)).revoked(),
        AccessToken::new(Api::V3_RESERVATION, token(3), UnixTime::MAX).revoked(),
    ]);
    for now in [UnixTime::EPOCH, day(101), day(400), UnixTime::MAX] {
        for (number, api) in [(2, peer()), (2, Api::V3_RESERVATION), (3, peer())] {
            let refused = verdict(&tokens, number, &api, now);
            assert_eq!(refused, "access_token_revoked", "{number} at {now}");
        }
    }
    assert_eq!(tokens.apis().collect::<Vec<_>>(), [&peer()]);
}

#[test]
fn a_revoked_token_is_neither_current_nor_previous() {
    // It leaves room for two more of its API.
    let tokens = set([
        entry(&peer(), 1, day(0)).revoked(),
        entry(&peer(), 2, day(50)),
        entry(&peer(), 3, day(60)),
    ]);
    assert_eq!(verdict(&tokens, 2, &peer(), day(61)), "previous");
    assert_eq!(verdict(&tokens, 3, &peer(), day(61)), "current");
    // Issued at the same time as another one.
    let revoked = entry(&peer(), 4, day(0)).revoked();
    assert_eq!(
        verdict(
            &set([entry(&peer(), 1, day(0)), revoked]),
            1,
            &peer(),
            day(1)
        ),
        "current"
    );
}

#[test]
fn tokens_replaced_by_a_revoked_one_stay_replaced() {
    let first = || entry(&peer(), 1, day(0));
    let second = || entry(&peer(), 2, day(100)).revoked();
    for tokens in [
        set([first(), second()]),
        set([second(), first()]),
        set([first(), second(), entry(&peer(), 3, day(120))]),
        // Revoked by an entry of its own, without a date.
        set([first(), entry(&peer(), 2, day(100)), {
            AccessToken {
                issued: None,
                ..second()
            }
        }]),
    ] {
        let until = |now| verdict(&tokens, 1, &peer(), now);
        assert!(["current", "previous"].contains(&until(at(107 * DAY - 1))));
        assert_eq!(until(day(107)), "access_token_expired");
        assert_eq!(until(day(130)), "access_token_expired");
        assert_eq!(
            verdict(&tokens, 2, &peer(), day(105)),
            "access_token_revoked"
        );
    }
}

#[test]
fn of_two_entries_the_one_that_does_not_revoke_dates_the_token() {
    let plain = || entry(&peer(), 2, day(100));
    let revoking = || entry(&Api::V3_RESERVATION, 2, day(10)).revoked();
    for entries in [[plain(), revoking()], [revoking(), plain()]] {
        let tokens = set(entries.into_iter().chain([entry(&peer(), 1, day(0))]));
        assert_eq!(tokens.len(), 2);
        let refused = verdict(&tokens, 2, &peer(), day(101));
        assert_eq!(refused, "access_token_revoked");
        // It would have succeeded the other one.
        for (now, expected) in [(106, "current"), (107, "access_token_expired")] {
            assert_eq!(verdict(&tokens, 1, &peer(), day(now)), expected);
        }
    }
}

#[test]
fn tokens_can_be_revoked_later() {
    let tokens = set([
        entry(&peer(), 1, day(0)),
        entry(&peer(), 2, day(100)),
        entry(&Api::V3_RESERVATION, 3, day(0)),
    ]);
    let digest = |number| TokenDigest::of(token(number));
    assert!(tokens.revoking(&[]).is_none());
    assert!(tokens.revoking(&[digest(9)]).is_none());
    let fewer = tokens
        .revoking(&[digest(9), digest(2)])
        .expect("one is held");
    assert_eq!(
        verdict(&fewer, 2, &peer(), day(101)),
        "access_token_revoked"
    );
    assert_eq!(verdict(&fewer, 1, &peer(), day(101)), "current");
    assert_eq!(
        verdict(&fewer, 1, &peer(), day(107)),
        "access_token_expired"
    );
    assert!(fewer.revoking(&[digest(2)]).is_none());
    let none = fewer.revoking(&[digest(1)]).expect("one is held");
    assert_eq!(none.apis().collect::<Vec<_>>(), [&Api::V3_RESERVATION]);
}

#[test]
fn a_jwt_shaped_token_is_valid_only_without_jwts() {
    let dotted = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJnbyJ9.c2lnbmVk";
    let token = || AccessToken::new(peer(), dotted, day(0));
    let tokens = set([token()]);
    assert!(tokens.check(dotted, &peer(), day(1)).is_ok());
    let error = tokens.check_beside_jwts().expect_err("a form of a JWT");
    let faults: Vec<_> = error.faults().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "token 1: the token has two dots, and would be taken for a JWT, since JWTs are accepted too"
        ]
    );
    assert!(set([token().revoked()]).check_beside_jwts().is_ok());
    assert!(set([entry(&peer(), 1, day(0))]).check_beside_jwts().is_ok());
}

#[test]
fn an_api_has_at_most_two_tokens_of_two_dates() {
    let (a, b) = (Api::V3_RESERVATION, Api::V3_NON_RESERVATION);
    assert_eq!(
        faults([
            entry(&a, 1, day(1)),
            entry(&b, 2, day(1)),
            entry(&a, 3, day(2)),
            entry(&b, 4, day(1)),
            entry(&a, 5, day(3)),
        ],),
        [
            "token 4: another token of v3-non-reservation was issued at the same time: which is \
             current?",
            "token 5: this is a third token of v3-reservation, which has a current and a previous \
             one at most",
        ]
    );
}

#[test]
fn the_same_token_twice_is_a_fault() {
    let same = "this is the same token as another one";
    for api in [peer(), Api::V3_RESERVATION] {
        let twice = [entry(&peer(), 1, day(1)), entry(&api, 1, day(2))];
        assert_eq!(faults(twice), [format!("token 2: {same}")]);
    }
    let sha256 = "964b06ae113e8f8ecd1715071185d21b5e9834796feb5809fb326103c8df7c8e";
    let as_digest = AccessToken::from_sha256(Api::V3_RESERVATION, sha256, day(2));
    let twice = [entry(&peer(), 1, day(1)), as_digest];
    assert_eq!(faults(twice), [format!("token 2: {same}")]);
}

#[test]
fn no_tokens_and_too_many_are_faults() {
    assert_eq!(
        faults([]),
        ["there is no token; `token = []` says that there are none"]
    );
    let many = (0..33).map(|n| {
        let api = Api::new(&format!("own-{n}")).expect("a name");
        entry(&api, n, day(0))
    });
    assert_eq!(faults(many), ["there are more than 32 tokens"]);
}

#[test]
fn all_token_faults_are_reported_at_once() {
    let tokens = [
        AccessToken::new(peer(), "short", day(1)),
        AccessToken::from_sha256(peer(), "53ac", day(1)),
        entry(&peer(), 3, day(1)),
        entry(&peer(), 3, day(99)),
    ];
    assert_eq!(
        faults(tokens),
        [
            "token 1: the token is shorter than 16 characters, and could be guessed",
            "token 2: sha256 is not 64 hex digits",
            "token 4: this is the same token as another one",
        ]
    );
}

#[test]
fn what_stands_around_a_token_is_named() {
    let tokens = set([entry(&peer(), 1, day(0))]);
    let token = token(1);
    for (given, detail) in [
        (
            format!("Bearer {token}"),
            "the token begins with the scheme Bearer",
        ),
        (
            format!("{token}\n"),
            "the token begins or ends with white space",
        ),
        (
            format!(" {token}"),
            "the token begins or ends with white space",
        ),
    ] {
        let error = (tokens.check(given, &peer(), day(1))).expect_err("more than a token");
        assert_eq!(error.kind(), VerifyErrorKind::Malformed);
        assert_eq!(error.detail(), detail);
    }
}
