//! A second and a third opinion: what this crate accepts, `jsonwebtoken` and `PyJWT` at their
//! strictest accept too, and read the same claims. The reverse does not hold, and is not meant to:
//! where the three differ, `docs/evidence/differential.md` says so, rule by rule.
//!
//! Both others read the system's clock, so the tokens are of now, and no time in them lies within
//! [`MARGIN`] of a limit.

mod claimed;
mod comparison;
mod desk;
mod forged;
mod peers;
mod spelled;
mod table;
mod valid;

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use derbysoft_go_auth::clock::UnixTime;
use fastrand::Rng;
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestCaseError, TestRunner};
use serde_json::json;

use self::comparison::{Comparison, same_reading};
use self::desk::{Case, Desk, key_document};
use self::peers::{Jsonwebtoken, Pyjwt};
use self::table::PAGE;
use test_support::corpus::{MARGIN, now, random_token};
use test_support::forge::{
    AUDIENCE, ISSUER, KID, document, encode, good, keys, sign_segments, verifier,
};

/// Some thousand tokens: every attack class, good ones, and some of any kind.
fn corpus() -> Vec<Case> {
    let mut desk = Desk::default();
    let mut rng = Rng::with_seed(0x60_A0_74);
    forged::all(&mut desk);
    spelled::all(&mut desk);
    claimed::all(&mut desk);
    valid::all(&mut desk, &mut rng);
    desk.class("random", None);
    for round in 0..2800 {
        desk.token(format!("round {round}"), random_token(&mut rng));
    }
    desk.cases
}

#[test]
fn what_we_accept_jsonwebtoken_accepts_too() {
    assert_accepted_by_all(None);
}

#[test]
#[ignore = "needs PyJWT: tests/differential/run"]
fn given_thousands_of_tokens_when_we_accept_one_then_so_do_jsonwebtoken_and_pyjwt() {
    assert_accepted_by_all(Some(&Pyjwt::from_environment()));
}

#[allow(clippy::print_stdout)] // the summary is for who runs it
fn assert_accepted_by_all(pyjwt: Option<&Pyjwt>) {
    let began = Instant::now();
    let corpus = corpus();
    let document = key_document();
    let jsonwebtoken = Jsonwebtoken::new(&document);
    let mut comparison = Comparison::new(&corpus, &document);
    comparison.ask("jsonwebtoken", jsonwebtoken.judge_all(&corpus));
    if let Some(pyjwt) = pyjwt {
        comparison.ask("PyJWT", pyjwt.judge_all(&document, &corpus));
        println!("{comparison}");
    }
    comparison.assert_holds();
    assert_in_time(began);
}

/// The last verdict was given while every time in the tokens was a minute from its limit or more.
#[track_caller]
fn assert_in_time(began: Instant) {
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(MARGIN - 90),
        "{took:?} are too long"
    );
}

#[test]
fn the_page_names_the_versions_that_are_compared() {
    let locked = include_str!("../../../Cargo.lock");
    let required = include_str!("../../differential/requirements.txt");
    let version_after = |text: &'static str, name: &str| {
        let (_, rest) = text.split_once(name).expect(name);
        rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next()
    };
    for (name, version) in [
        (
            "jsonwebtoken",
            version_after(locked, "name = \"jsonwebtoken\"\nversion = \""),
        ),
        ("PyJWT", version_after(required, "\npyjwt==")),
        ("cryptography", version_after(required, "\ncryptography==")),
    ] {
        let named = format!("{name} {}", version.unwrap_or_default());
        assert!(PAGE.contains(&named), "{named} is not on the page");
    }
}

/// JSON text for a claim: of every type, and of every range of numbers.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop_oneof![
            Just("null"),
            Just("true"),
            Just("[]"),
            Just("{}"),
            Just("-1"),
            Just("-0"),
            Just("1e3"),
            Just("1E400"),
            Just("253402300800"),
            Just("253402300799.5"),
            Just("0.1"),
            Just("[[]]"),
            Just("\"\\ud83d\\ude00\""),
            Just("\"\\ud83d\""),
            Just("{\"RS256\":null}"),
            Just("18446744073709551616"),
            Just("9223372036854775808"),
            Just("01"),
        ]
        .prop_map(str::to_owned),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
        "\\PC{0,8}".prop_map(|text| json!(text).to_string()),
        (0..1000_u32).prop_map(|far| format!("{}.{far}", now() + 100 + u64::from(far))),
    ]
}

#[test]
fn any_json_we_accept_jsonwebtoken_accepts_too() {
    let document = String::from_utf8(document(&[good().jwk(KID)])).expect("JSON");
    let (ours, theirs) = (verifier(), Jsonwebtoken::new(&document));
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let compare = |token: &str| {
        let Ok(ours) = ours.verify(token, keys(), UnixTime::from(SystemTime::now())) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        accepted.set(accepted.get() + 1);
        same_reading(&ours, &theirs.judge(token))
    };
    let names = || {
        prop_oneof![3 => "[a-z]{1,3}", 1 => Just("sub".to_owned()), 1 => Just("exp".to_owned()),
        1 => Just("nbf".to_owned()), 1 => Just("iat".to_owned()), 1 => Just("jti".to_owned()),
        1 => Just("\\u0065xp".to_owned())]
    };
    let headers = prop_oneof![
        Just("typ".to_owned()),
        Just("x".to_owned()),
        Just("alg".to_owned()),
        Just("crit".to_owned()),
        Just("\\u006bid".to_owned())
    ];
    let strategy = (
        proptest::collection::vec((names(), any_value()), 0..3),
        proptest::option::weighted(0.2, (headers, any_value())),
        any::<bool>(),
    );
    let config = ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    runner
        .run(&strategy, |(claims, header, replace)| {
            let mut members = vec![
                ("iss".to_owned(), json!(ISSUER).to_string()),
                ("aud".to_owned(), json!(AUDIENCE).to_string()),
                ("exp".to_owned(), (now() + 300).to_string()),
            ];
            for (name, value) in claims {
                if replace {
                    members.retain(|member| member.0 != name);
                }
                members.push((name, value));
            }
            let mut head = vec![
                ("alg".to_owned(), "\"RS256\"".to_owned()),
                ("kid".to_owned(), json!(KID).to_string()),
            ];
            head.extend(header);
            let text = |members: &[(String, String)]| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            };
            let token = sign_segments(&encode(text(&head)), &encode(text(&members)));
            compare(&token).map_err(|error| TestCaseError::fail(format!("{error}: {token}")))
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (accepted, refused) = (accepted.get(), refused.get());
    let share = (accepted + refused) / 10;
    assert!(
        share > 0 && accepted >= share && refused >= share,
        "{accepted} accepted and {refused} refused"
    );
}
