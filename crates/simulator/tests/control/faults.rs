use derbysoft_go_simulator::{Endpoint, Fault};
use serde_json::{Value, json};

use super::Room;
use test_support::{millis, verdict};

/// A fault's name and settings, and what they make.
fn table() -> Vec<(&'static str, Value, Fault)> {
    let redirect = |location: &str, status| Fault::Redirect {
        location: location.to_owned(),
        status,
    };
    let drip = |bytes, every| Fault::Drip {
        bytes,
        every: millis(every),
    };
    vec![
        ("redirect-not-found", json!({}), Fault::RedirectNotFound),
        (
            "redirect",
            json!({}),
            redirect("https://attacker.example/keys", 302),
        ),
        (
            "redirect",
            json!({ "location": "http://127.0.0.1:1/", "status": 307 }),
            redirect("http://127.0.0.1:1/", 307),
        ),
        ("status", json!({}), Fault::Status(500)),
        ("status", json!({ "status": 503 }), Fault::Status(503)),
        ("hang", json!({}), Fault::Hang),
        ("hang-body", json!({}), Fault::HangBody),
        ("drip", json!({}), drip(1, 100)),
        ("drip", json!({ "bytes": 7, "every_ms": 0 }), drip(7, 0)),
        ("delay", json!({}), Fault::Delay(millis(3_000))),
        (
            "delay",
            json!({ "after_ms": 3_600_000 }),
            Fault::Delay(millis(3_600_000)),
        ),
        ("truncated", json!({}), Fault::Truncated),
        ("cut", json!({}), Fault::Cut),
        ("html", json!({}), Fault::Html),
        ("empty-set", json!({}), Fault::EmptySet),
        ("wrong-keys", json!({}), Fault::WrongKeys),
        ("not-json", json!({}), Fault::NotJson),
        ("endless", json!({}), Fault::Endless),
        ("gzip-bomb", json!({}), Fault::GzipBomb),
        ("oversized", json!({}), Fault::Oversized(1 << 20)),
        (
            "oversized",
            json!({ "bytes": 20_971_520 }),
            Fault::Oversized(20_971_520),
        ),
        (
            "raw",
            json!({ "answer": "nothing of HTTP" }),
            Fault::Raw(b"nothing of HTTP".to_vec()),
        ),
    ]
}

#[tokio::test]
async fn each_fault_is_switched_on_and_off_by_its_name() {
    let room = Room::open().await;
    let list = room.get("/simulator/faults").await.done();
    let known = list["faults"].as_array().expect("a list");
    for entry in known {
        let name = entry["name"].as_str().expect("a name");
        assert!(table().iter().any(|(other, ..)| *other == name), "{name}");
    }
    for (name, details, fault) in table() {
        assert!(known.iter().any(|entry| entry["name"] == name), "{name}");
        for (place, endpoint) in [
            ("keys", Endpoint::Keys),
            ("discovery", Endpoint::Discovery),
            ("token", Endpoint::Token),
        ] {
            let path = format!("/simulator/faults/{place}/{name}");
            let on = room.put(&path, &details.to_string()).await.done();
            let faults = room.go.faults();
            assert_eq!(faults.len(), 1, "{name}");
            assert_eq!((&faults[0].fault, faults[0].left), (&fault, None));
            assert_eq!(faults[0].at, [endpoint]);
            let mut entry = on["on"][0].clone();
            assert_eq!(
                (&entry["fault"], &entry["at"]),
                (&name.into(), &json!([place]))
            );
            let members = entry.as_object_mut().expect("an object");
            members.retain(|member, _| member != "fault" && member != "at");
            for (member, value) in details.as_object().expect("an object") {
                if member != "answer" {
                    assert_eq!(entry[member], *value, "{name}");
                }
            }
            let off = room
                .delete(&format!("/simulator/faults/{place}"))
                .await
                .done();
            assert_eq!(off["on"], json!([]), "{name}");
            assert_eq!(room.go.faults(), []);
        }
    }
}

#[tokio::test]
async fn a_fault_lasts_until_it_is_switched_off() {
    let room = Room::open().await;
    room.put("/simulator/faults/keys/empty-set", "")
        .await
        .done();
    let token = room.go.token();
    assert_eq!(verdict(&room.auth(), &token).await, "keys_unavailable");
    room.delete("/simulator/faults").await.done();
    assert_eq!(verdict(&room.auth(), &token).await, "ok");

    room.put("/simulator/faults/keys/status", r#"{"times":2}"#)
        .await
        .done();
    let listed = room.get("/simulator").await.done();
    assert_eq!(
        listed["faults"],
        json!([{ "fault": "status", "at": ["keys"], "status": 500, "left": 2 }])
    );
    assert_eq!(verdict(&room.auth(), &token).await, "keys_unavailable");
    assert_eq!(verdict(&room.auth(), &token).await, "keys_unavailable");
    assert_eq!(verdict(&room.auth(), &token).await, "ok");
}

#[tokio::test]
async fn each_failure_of_the_gateway_can_be_switched_on() {
    let room = Room::open().await;
    let path = |url: String| url.replace(&room.go.origin(), "");
    let (token, push) = (
        path(room.go.token_url()),
        path(room.go.gateway_url()) + "/ari",
    );
    let list = room.get("/simulator/faults").await.done();
    let known = list["refusals"].as_array().expect("a list");
    assert_eq!(known.len(), 6);
    for refusal in known {
        let name = refusal["name"].as_str().expect("a name");
        let about = refusal["about"].as_str().expect("a text");
        for (place, path) in [("token", &token), ("gateway", &push)] {
            let on = room
                .put(&format!("/simulator/faults/{place}/{name}"), "")
                .await
                .done();
            assert_eq!(on["on"], json!([{ "fault": name, "at": [place] }]));
            let reply = room.get(path).await;
            let (status, message) = about.split_once(' ').expect("a status");
            assert_eq!(reply.status.to_string(), status);
            assert_eq!(reply.json()["message"], message);
            let off = room
                .delete(&format!("/simulator/faults/{place}"))
                .await
                .done();
            assert_eq!(off["on"], json!([]));
        }
    }
    room.put("/simulator/faults/gateway/not-verified", "")
        .await
        .done();
    room.put("/simulator/faults/token/not-verified", "")
        .await
        .done();
    assert_eq!(
        room.delete("/simulator/faults").await.done()["on"],
        json!([])
    );
}

async fn assert_rejected(room: &Room, path: &str, body: &str, status: u16, why: &str) {
    let reply = room.put(&format!("/simulator/faults/{path}"), body).await;
    assert_eq!(reply.status, status, "{path} {body}");
    assert!(reply.error().contains(why), "{path} {body}: {reply:?}");
}

#[tokio::test]
async fn an_invalid_fault_is_an_error_that_says_why() {
    let room = Room::open().await;
    for (path, why) in [
        ("keys/burn", "GET /simulator/faults"),
        ("booking/hang", "keys, discovery, token and gateway"),
    ] {
        assert_rejected(&room, path, "", 404, why).await;
    }
    for (path, body, why) in [
        ("gateway/hang", "", "only the `refusals`"),
        ("keys/not-verified", "", "only token and gateway"),
        ("token/not-verified", r#"{"times":1}"#, "no setting times"),
        ("keys/hang", r#"{"status":503}"#, "no setting status"),
        ("keys/status", r#"{"status":199}"#, "from 200 to 999"),
        ("keys/status", r#"{"status":1000}"#, "from 200 to 999"),
        ("keys/status", r#"{"status":"500"}"#, "invalid type"),
        ("keys/status", r#"{"status":500,"status":503}"#, "duplicate"),
        (
            "keys/redirect",
            r#"{"location":"a\nb"}"#,
            "valid header value",
        ),
        ("keys/drip", r#"{"bytes":0}"#, "bytes must be"),
        ("keys/drip", r#"{"every_ms":3600001}"#, "every_ms must be"),
        ("keys/delay", r#"{"after_ms":3600001}"#, "after_ms must be"),
        ("keys/oversized", r#"{"bytes":20971521}"#, "bytes must be"),
        ("keys/hang", r#"{"times":0}"#, "times must be"),
        ("keys/hang", r#"{"times":1001}"#, "times must be"),
        ("keys/hang", r#"{"tims":1}"#, "unknown field"),
    ] {
        assert_rejected(&room, path, body, 400, why).await;
    }
    for (path, allow) in [
        ("/simulator/faults", "GET, HEAD, DELETE"),
        ("/simulator/faults/keys", "DELETE"),
        ("/simulator/faults/keys/hang", "PUT"),
    ] {
        let reply = room.post(path, "").await;
        assert_eq!(
            (reply.status, reply.allow.as_deref()),
            (405, Some(allow)),
            "{path}"
        );
    }
    assert_eq!(room.get("/simulator/faults").await.done()["on"], json!([]));
}

#[tokio::test]
async fn at_most_a_hundred_faults_are_active() {
    let room = Room::open().await;
    for _ in 0..100 {
        room.go.fail_next(1, Fault::Cut);
    }
    let reply = room
        .put("/simulator/faults/keys/hang", r#"{"times":1}"#)
        .await;
    assert_eq!(reply.status, 409);
    assert!(reply.error().contains("100 faults"), "{reply:?}");
    room.delete("/simulator/faults").await.done();
    room.put("/simulator/faults/keys/hang", "").await.done();
}
