//! Answers of the gateway's token endpoint: what is accepted has a token, of type
//! Bearer, that is used for a day at the most and never beyond what it says.
#![no_main]

use std::collections::HashMap;
use std::time::Duration;

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::inspect::fuzzing;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

const ASKED: UnixTime = UnixTime::from_secs(1_725_420_117);

fuzz_target!(|body: &[u8]| {
    let Some(lifetime) = fuzzing::token_answer(body, ASKED) else {
        return;
    };
    assert!(!lifetime.is_zero() && lifetime <= Duration::from_secs(24 * 60 * 60));
    let answer: HashMap<String, &RawValue> = serde_json::from_slice(body).expect("an object");
    let text = |name| serde_json::from_str::<String>(answer[name].get()).expect("a string");
    text("access_token");
    assert!(text("token_type").eq_ignore_ascii_case("Bearer"));
    // Numbers are read from strings, too; of any other kind of value nothing is read.
    let expires_in = answer.get("expires_in").and_then(|value| {
        let text = serde_json::from_str::<String>(value.get());
        let number = text.unwrap_or_else(|_| value.get().to_owned());
        serde_json::from_str::<f64>(number.trim()).ok()
    });
    if let Some(expires_in) = expires_in.filter(|seconds| *seconds >= 0.0) {
        assert!(lifetime.as_secs_f64() <= expires_in + 1e-6);
    }
});
