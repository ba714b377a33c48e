//! Answers of the gateway's token endpoint: what is accepted has a token, of type
//! Bearer, that is used for a day at the most and never beyond what it says.
#![no_main]

use std::time::Duration;

use derbysoft_go_auth::{UnixTime, fuzzing};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const ASKED: UnixTime = UnixTime::from_secs(1_725_420_117);

fuzz_target!(|body: &[u8]| {
    let Some(lifetime) = fuzzing::token_answer(body, ASKED) else {
        return;
    };
    assert!(!lifetime.is_zero() && lifetime <= Duration::from_secs(24 * 60 * 60));
    let Value::Object(answer) = serde_json::from_slice(body).expect("JSON") else {
        panic!("not an object");
    };
    assert!(answer["access_token"].is_string());
    let token_type = answer["token_type"].as_str().expect("a string");
    assert!(token_type.eq_ignore_ascii_case("Bearer"));
    if let Some(expires_in) = answer.get("expires_in") {
        let expires_in = expires_in.as_f64().expect("a number");
        assert!(lifetime.as_secs_f64() <= expires_in + 1e-6);
    }
});
