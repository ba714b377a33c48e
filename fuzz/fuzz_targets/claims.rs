//! Claims: what is accepted means the same to a general JSON reader.
#![no_main]

use derbysoft_go_auth::inspect::fuzzing::{self, Claims};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|payload: &[u8]| {
    let Some(claims) = fuzzing::claims(payload) else {
        return;
    };
    let Value::Object(theirs) = serde_json::from_slice(payload).expect("JSON") else {
        panic!("not an object");
    };
    let Claims {
        issuer,
        audiences,
        subject,
        token_id,
        times,
    } = claims;
    for (name, ours) in [("iss", issuer), ("sub", subject), ("jti", token_id)] {
        assert_eq!(
            theirs.get(name).map(|text| text.as_str()),
            ours.as_deref().map(Some),
            "{name}"
        );
    }
    let theirs_aud = theirs.get("aud").map(|aud| match aud {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    });
    assert_eq!(
        theirs_aud,
        audiences.map(|all| all.into_iter().map(Value::from).collect())
    );
    for (name, ours) in ["exp", "nbf", "iat"].into_iter().zip(times) {
        let theirs = theirs
            .get(name)
            .map(|time| time.as_f64().expect("a number"));
        match (ours, theirs) {
            (None, None) => {}
            (Some(ours), Some(theirs)) => {
                assert!(
                    (0.0..253_402_300_800.0).contains(&theirs),
                    "{name} {theirs}"
                );
                assert!(
                    (ours.as_secs_f64() - theirs).abs() < 1e-3,
                    "{name} {theirs}"
                );
            }
            _ => panic!("{name} is read by one alone"),
        }
    }
});
