//! A second opinion: given any token, when this crate accepts it, then `jsonwebtoken` at its strictest
//! accepts it too, and reads the same claims. The reverse does not hold, and is not meant to.
//!
//! `jsonwebtoken` reads the system's clock, so that the tokens are of now, and no time in them lies
//! within a minute of a limit.

use std::cell::Cell;
use std::time::SystemTime;

use derbysoft_go_auth::{UnixTime, Verified, Verifier};
use fastrand::Rng;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::corpus::{now, random_token};
use crate::forge::{AUDIENCE, ISSUER, KID, encode, good, keys, sign_segments, verifier};

/// Both verifiers, and how often ours said what.
struct Bench {
    ours: Verifier,
    key: DecodingKey,
    validation: Validation,
    accepted: Cell<usize>,
    refused: Cell<usize>,
}

impl Bench {
    fn new() -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = 30;
        let key = good().signing();
        Self {
            ours: verifier(),
            key: DecodingKey::from_rsa_raw_components(key.modulus(), key.exponent()),
            validation,
            accepted: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    /// What is wrong with our verdict, if anything.
    fn compare(&self, token: &str) -> Result<(), String> {
        let now = UnixTime::from(SystemTime::now());
        let Ok(ours) = self.ours.verify(token, keys(), now) else {
            self.refused.set(self.refused.get() + 1);
            return Ok(());
        };
        self.accepted.set(self.accepted.get() + 1);
        let theirs = decode::<Value>(token, &self.key, &self.validation)
            .map_err(|error| format!("only we accept {token}: {error}"))?;
        if theirs.header.kid.as_deref() != Some(KID) {
            return Err(format!("another kid is read from {token}"));
        }
        same_claims(&ours, &theirs.claims).map_err(|claim| format!("{claim} differs in {token}"))
    }

    /// Neither verdict is rare, or the comparison would compare nothing.
    #[track_caller]
    fn assert_both_verdicts(&self) {
        let (accepted, refused) = (self.accepted.get(), self.refused.get());
        let share = (accepted + refused) / 10;
        assert!(
            share > 0 && accepted >= share && refused >= share,
            "{accepted} accepted and {refused} refused"
        );
    }
}

fn same_claims(ours: &Verified, theirs: &Value) -> Result<(), &'static str> {
    let claims = ours.claims().ok_or("not a JWT")?;
    let audiences = match &theirs["aud"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => Vec::from_iter(one.as_str()),
    };
    let seconds = theirs["exp"].as_f64().unwrap_or(-1.0);
    let checks = [
        ("iss", theirs["iss"].as_str() == Some(claims.issuer())),
        ("aud", audiences == claims.audiences().collect::<Vec<_>>()),
        ("sub", theirs["sub"].as_str() == claims.subject()),
        ("jti", theirs["jti"].as_str() == claims.token_id()),
        (
            "exp",
            (claims.expires_at().since_epoch().as_secs_f64() - seconds).abs() < 1e-3,
        ),
        (
            "the whole",
            claims.deserialize::<Value>().ok().as_ref() == Some(theirs),
        ),
    ];
    checks
        .into_iter()
        .find(|check| !check.1)
        .map_or(Ok(()), |check| Err(check.0))
}

#[test]
fn given_thousands_of_mutated_tokens_when_we_accept_one_then_so_does_jsonwebtoken() {
    let bench = Bench::new();
    let mut rng = Rng::with_seed(0x60_A0_74);
    for round in 0..2000 {
        let token = random_token(&mut rng);
        if let Err(wrong) = bench.compare(&token) {
            panic!("round {round}: {wrong}");
        }
    }
    bench.assert_both_verdicts();
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
fn given_any_json_in_header_and_claims_when_we_accept_it_then_so_does_jsonwebtoken() {
    let bench = Bench::new();
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
            bench.compare(&token).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    bench.assert_both_verdicts();
}
