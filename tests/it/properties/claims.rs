//! Claims, clock and leeway: the verdict is that of a model in whole numbers.

use std::time::Duration;

use derbysoft_go_auth::{UnixTime, VerifyErrorKind as Kind};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::forge::{self, NOW, keys, paid, verifier_with};

/// A moment around which exp and nbf lie, in seconds.
fn around_now() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => NOW - 400..NOW + 400,
        1 => Just(0_u64),
        1 => Just(253_402_300_799_u64),
        1 => 0..253_402_300_800_u64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn given_any_exp_nbf_leeway_and_now_when_verified_then_the_verdict_is_that_of_the_model(
        exp in around_now(),
        nbf in proptest::option::of(around_now()),
        leeway in 0..=300_u64,
        nows in vec(around_now(), 8),
        edges in -1..=1_i64,
    ) {
        let mut payload = json!({"iss": forge::ISSUER, "aud": forge::AUDIENCE, "exp": exp});
        if let Some(nbf) = nbf {
            payload["nbf"] = nbf.into();
        }
        let token = paid(payload.to_string());
        let verifier = verifier_with(|config| config.leeway = Duration::from_secs(leeway));
        // Beside random times, the two ends of the token and the seconds next to them.
        let ends = [exp + leeway, nbf.unwrap_or(0).saturating_sub(leeway)]
            .map(|end| end.saturating_add_signed(edges).min(253_402_300_799));
        for now in nows.into_iter().chain(ends) {
            // Saturation at the end of the calendar is not modelled.
            if exp + leeway > 253_402_300_799 && now == 253_402_300_799 {
                continue;
            }
            let expected = if now >= exp + leeway {
                Some(Kind::Expired)
            } else if nbf.is_some_and(|nbf| now + leeway < nbf) {
                Some(Kind::NotYetValid)
            } else {
                None
            };
            let verdict = verifier.verify(&token, keys(), UnixTime::from_secs(now));
            prop_assert_eq!(verdict.err().map(|error| error.kind()), expected, "now {}", now);
        }
    }
}
