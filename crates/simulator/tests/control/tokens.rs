use derbysoft_go_auth::clock::{ManualClock, UnixTime};
use derbysoft_go_simulator::{SampleToken, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use super::Room;
use test_support::distributor::days;
use test_support::forge::{decode, segments};
use test_support::{soon, verdict};

fn json_of(segment: &str) -> Value {
    serde_json::from_slice(&decode(segment)).expect("JSON")
}

#[tokio::test]
async fn each_listed_token_gets_its_expected_verdict() {
    let room = Room::open().await;
    let auth = room.auth();
    soon(auth.ready()).await.expect("keys");
    let list = room.get("/simulator/tokens").await.done();
    let tokens = list["tokens"].as_array().expect("a list");
    assert_eq!(tokens.len(), SampleToken::all().count());
    for entry in tokens {
        let name = entry["name"].as_str().expect("a name");
        let reply = room.post(&format!("/simulator/tokens/{name}"), "").await;
        assert_eq!(reply.status, 200, "{name}");
        let kind = entry["refused_as"].as_str().unwrap_or("ok");
        assert_eq!(verdict(&auth, &reply.text).await, kind, "{name}");
        let sample = SampleToken::named(name).expect("a sample");
        assert_eq!(entry["expected"], json!(sample.expected));
        assert_eq!(entry["about"], sample.about);
    }
}

#[tokio::test]
async fn claims_and_header_can_be_changed() {
    let room = Room::open().await;
    let changes = json!({
        "claims": { "sub": "somebody", "x": [1, { "y": null }], "aud": ["A", "B"] },
        "without": ["jti"],
        "header": { "typ": "JWT" },
        "expires_in": 7200,
    });
    let reply = room
        .post("/simulator/tokens/good", &changes.to_string())
        .await;
    let [header, payload, _] = segments(&reply.text);
    let (header, payload) = (json_of(header), json_of(payload));
    assert_eq!(header["typ"], "JWT");
    assert_eq!(header["kid"], room.go.signing_kid());
    assert_eq!(payload["sub"], "somebody");
    assert_eq!(payload["x"], json!([1, { "y": null }]));
    assert_eq!(payload["aud"], json!(["A", "B"]));
    assert_eq!(payload.get("jti"), None);
    let seconds = |name: &str| payload[name].as_i64().expect("seconds");
    assert_eq!(seconds("exp") - seconds("iat"), 7200);

    let bare = r#"{"without_header":["kid"]}"#;
    let reply = room.post("/simulator/tokens/good", bare).await;
    assert_eq!(json_of(segments(&reply.text)[0]), json!({ "alg": "RS256" }));
}

/// What makes a token bad is applied last, so no change makes it good.
#[tokio::test]
async fn a_bad_token_stays_bad_whatever_is_changed() {
    let room = Room::open().await;
    let auth = room.auth();
    for (name, changes, kind) in [
        ("expired", r#"{"expires_in":3600}"#, "expired"),
        ("other-audience", r#"{"claims":{"aud":"ZKT"}}"#, "audience"),
        ("other-key", r#"{"claims":{"sub":"x"}}"#, "signature"),
        ("good", r#"{"claims":{"iss":"https://other"}}"#, "issuer"),
    ] {
        let reply = room
            .post(&format!("/simulator/tokens/{name}"), changes)
            .await;
        assert_eq!(verdict(&auth, &reply.text).await, kind, "{name}");
    }
}

#[tokio::test]
async fn an_invalid_change_is_an_error_that_says_why() {
    let room = Room::open().await;
    for (changes, why) in [
        ("{", "EOF"),
        ("claims=x", "not a JSON object"),
        ("[]", "not a JSON object"),
        (" [{}]", "not a JSON object"),
        (r#"{"claim":{}}"#, "unknown field `claim`"),
        (r#"{"claims":[]}"#, "an object"),
        (r#"{"claims":{"a":1,"\u0061":2}}"#, "duplicate member"),
        (r#"{"claims":{},"claims":{}}"#, "duplicate field"),
        (r#"{"without":"jti"}"#, "invalid type"),
        (r#"{"expires_in":"5m"}"#, "invalid type"),
        (r#"{"expires_in":31622401}"#, "longer than a year"),
        (r#"{"expires_in":-31622401}"#, "longer than a year"),
        ("{} {}", "trailing"),
        ("\u{feff}{}", "not a JSON object"),
    ] {
        let reply = room.post("/simulator/tokens/good", changes).await;
        assert_eq!(reply.status, 400, "{changes}");
        assert!(reply.error().contains(why), "{changes}: {reply:?}");
    }
    let reply = room
        .post("/simulator/tokens/good", r#"{"expires_in":31622400}"#)
        .await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn unknown_tokens_and_methods_are_explained() {
    let room = Room::open().await;
    for path in [
        "/simulator/tokens/bad",
        "/simulator/tokens/Good",
        "/simulator/tokens/",
    ] {
        let reply = room.post(path, "").await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.error().contains("GET /simulator/tokens"), "{reply:?}");
    }
    let reply = room.get("/simulator/tokens/good").await;
    assert_eq!((reply.status, reply.allow.as_deref()), (405, Some("POST")));
    let reply = room.post("/simulator/tokens", "").await;
    assert_eq!(
        (reply.status, reply.allow.as_deref()),
        (405, Some("GET, HEAD"))
    );
    assert!(reply.error().contains("GET"), "{reply:?}");
    let head = room.request(Method::HEAD, "/simulator/tokens");
    assert_eq!(room.send(head).await.status, 200);
}

#[tokio::test]
async fn tokens_and_the_log_go_by_the_simulators_clock() {
    let clock = ManualClock::new(UnixTime::from_secs(1_800_000_000));
    let room = Room::of(Simulator::builder().clock(clock.clone())).await;
    for (issued, time) in [
        (1_800_000_000_u64, "2027-01-15T08:00:00.000Z"),
        (1_800_086_400, "2027-01-16T08:00:00.000Z"),
    ] {
        let token = room.post("/simulator/tokens/good", "").await.text;
        let [_, payload, _] = segments(&token);
        assert_eq!(json_of(payload)["iat"], issued);
        room.get("/elsewhere").await;
        let log = room.get("/simulator/requests").await.done();
        let last = log["requests"].as_array().and_then(|all| all.last());
        assert_eq!(last.expect("a request")["at"], time);
        clock.advance(days(1));
    }
}
