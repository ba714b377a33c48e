//! How much this crate allocates for answers as long as the limit.

use allocation_counter::{AllocationInfo, measure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::Answer;
use crate::outbound::gateway::error::GatewayRefusal;
use crate::outbound::gateway::excerpt::Excerpt;

/// The limit of an answer, in bytes.
const ROOM: usize = 64 * 1024;

/// A client's ID and secret.
const SECRETS: [&str; 2] = ["a", "p;f"];

fn answer(token: &str, more: &str) -> String {
    format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":7200{more}}}"#)
}

/// The worst answers of each kind.
fn answers() -> Vec<(&'static str, String)> {
    let left = ROOM - answer("", "").len();
    let jwt = |open: &str, unit: &str, close: &str| {
        let units = unit.repeat((left / 4 * 3 - 100) / unit.len());
        let payload = BASE64_URL_SAFE_NO_PAD.encode(format!("{open}{units}{close}"));
        answer(&format!("e30.{payload}.AA"), "")
    };
    let names = |letter: &str| {
        let same = letter.repeat((left / 61 - 10) / letter.len());
        let members = (10..71).map(|n| format!(",\"{same}{n}\":0"));
        answer("a", &members.collect::<String>())
    };
    let digits = "9".repeat(left - 100);
    vec![
        ("a long token", answer(&"a".repeat(left), "")),
        (
            "a token of escapes",
            answer(&"\\u0061".repeat(left / 6), ""),
        ),
        (
            "a token of pairs",
            answer(&"\\ud83d\\ude00".repeat(left / 12), ""),
        ),
        ("dots", answer(&".".repeat(left), "")),
        ("a JWT with a long text", jwt("{\"x\":\"", "a", "\"}")),
        (
            "a JWT of many audiences",
            jwt("{\"aud\":[\"\"", ",\"\"", "]}"),
        ),
        ("a JWT that is no JSON", jwt("", "\u{e9}", "")),
        ("long names", names("a")),
        ("names of escapes", names("\\u0061")),
        (
            "a type of escapes",
            format!(
                r#"{{"access_token":"a","token_type":"{}"}}"#,
                "\\u0042".repeat(left / 6)
            ),
        ),
        (
            "many seconds",
            format!(r#"{{"access_token":"a","token_type":"Bearer","expires_in":1.{digits}}}"#),
        ),
        (
            "nesting",
            answer("a", &format!(",\"x\":{}", "[".repeat(left - 6))),
        ),
        ("a page", "<html>".repeat(ROOM / 6)),
        (
            "a message",
            format!(r#"{{"message":"{}"}}"#, "\\u0061".repeat(left / 6)),
        ),
        ("what is secret", SECRETS[0].repeat(ROOM)),
        ("plain words", "word ".repeat(ROOM / 5)),
        (
            "a JWT of many claims",
            jwt("{\"a\":0", ",\"a\":0", ",\"exp\":1}"),
        ),
        (
            "a JWT with an end of escapes",
            jwt("{\"exp\":\"", "\\u0031", "\"}"),
        ),
    ]
}

/// The bytes allocated in total for each byte of `body`.
fn share(what: &str, body: &[u8], counted: AllocationInfo, most: u64) -> f64 {
    let length = body.len() as u64;
    assert!(
        counted.bytes_total <= most * length + 8 * 1024,
        "{what}: {counted:?}"
    );
    let size = |bytes: u64| f64::from(u32::try_from(bytes).expect("less than 4 GiB"));
    size(counted.bytes_total) / size(length)
}

#[test]
fn the_worst_answers_take_a_multiple_of_their_size() {
    let (mut read, mut refused) = (0.0_f64, 0.0_f64);
    for (what, body) in answers() {
        assert!(
            (ROOM / 3..=ROOM).contains(&body.len()),
            "{what}: {}",
            body.len()
        );
        let body = body.as_bytes();
        // The token with its escapes resolved, and a JWT's claims; or the names.
        let counted = measure(|| drop(Answer::read(body)));
        read = read.max(share(what, body, counted, 2));
        let counted = measure(|| {
            let _ = GatewayRefusal::read(401, body);
        });
        refused = refused.max(share(what, body, counted, 4));
        // No more than the kept words.
        let counted = measure(|| drop(Excerpt::of(400, body, SECRETS)));
        refused = refused.max(share(what, body, counted, 0));
    }
    println!("proof: allocation, a token endpoint's answer: at most {read:.2} times the input");
    println!("proof: allocation, a token endpoint's refusal: at most {refused:.2} times the input");
}
