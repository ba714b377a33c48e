use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::{PartnerApi, Simulator};
use reqwest::Method;
use serde_json::Value;

use super::Room;
use test_support::distributor::{PUSH, Server, TokenFile, days};
use test_support::secs;

fn of<'a>(list: &'a Value, api: &str) -> &'a Value {
    let entries = list["access_tokens"].as_array().expect("a list");
    assert_eq!(entries.len(), 3);
    let entry = entries.iter().find(|entry| entry["api"] == api);
    entry.unwrap_or_else(|| panic!("no {api} in {list}"))
}

#[tokio::test]
async fn both_tokens_of_a_renewal_are_listed() {
    let file = TokenFile::of("");
    let clock = &file.clock;
    let room = Room::of(Simulator::builder().clock(clock.clone())).await;
    let list = room.get("/simulator/access-tokens").await.done();
    for (api, known) in [
        ("availability-peer", PartnerApi::AvailabilityPeer),
        ("booking-usb", PartnerApi::BookingUsb),
        ("shopping-engine", PartnerApi::ShoppingEngine),
    ] {
        let entry = of(&list, api);
        assert_eq!(entry["token"], room.go.access_token(known));
        assert_eq!(entry["previous"], Value::Null);
    }
    let before = of(&list, "availability-peer").clone();

    clock.advance(days(100));
    let renewed = room
        .post("/simulator/access-tokens/availability-peer/rotate", "")
        .await
        .done();
    assert_eq!(
        renewed["token"],
        room.go.access_token(PartnerApi::AvailabilityPeer)
    );
    assert_eq!(renewed["previous"]["token"], before["token"]);
    assert_eq!(renewed["previous"]["issued"], before["issued"]);
    let now = derbysoft_go_auth::clock::Clock::now(clock);
    let week = now.saturating_add(days(7)).to_string();
    assert_eq!(renewed["previous"]["expires"], week);
    assert_eq!(renewed["issued"], now.to_string());
    assert_eq!(
        renewed["expires"],
        now.saturating_add(days(180)).to_string()
    );

    clock.advance(days(7).saturating_sub(secs(1)));
    let list = room.get("/simulator/access-tokens").await.done();
    assert_eq!(of(&list, "availability-peer"), &renewed);
    clock.advance(secs(1));
    let list = room.get("/simulator/access-tokens").await.done();
    assert_eq!(of(&list, "availability-peer")["previous"], Value::Null);

    let revoked = room
        .post("/simulator/access-tokens/availability-peer/revoke", "")
        .await
        .done();
    assert_ne!(revoked["token"], renewed["token"]);
    assert_eq!(revoked["previous"], Value::Null);
    let list = room.get("/simulator/access-tokens").await.done();
    assert_eq!(of(&list, "availability-peer"), &revoked);
}

#[tokio::test]
async fn the_token_file_configures_a_verifier() {
    let room = Room::open().await;
    let previous = room.go.access_token(PartnerApi::AvailabilityPeer);
    let current = room.go.rotate_access_token(PartnerApi::AvailabilityPeer);
    let text = room.get("/simulator/access-tokens/file").await;
    assert_eq!(text.status, 200);
    let file = TokenFile::of(&text.text);
    let auth = GoAuth::builder().access_tokens_file(file.path());
    let server = Server::of(&auth.build().expect("a good file")).await;
    for (token, which) in [(&previous, "previous"), (&current, "current")] {
        let answer = server.answer(PUSH, token).await;
        assert_eq!(answer.body, format!("{which} token of availability-peer"));
    }
    let other = room.go.access_token(PartnerApi::BookingUsb);
    assert_eq!(server.kind(&other).await, "unknown_access_token");
}

#[tokio::test]
async fn the_gateway_follows_rotation_and_revocation() {
    let room = Room::open().await;
    let path = room.go.token_url().replace(&room.go.origin(), "");
    let status = async |client: &Value| {
        let text = |name: &str| client[name].as_str().expect("a text").to_owned();
        let request = room.request(Method::GET, &path);
        let request = request
            .header("client-id", text("client_id"))
            .header("client-secret", text("client_secret"));
        room.send(request).await.status
    };
    let first = room.get("/simulator/client").await.done();
    assert_eq!(status(&first).await, 200);
    let second = room.post("/simulator/client/rotate", "").await.done();
    assert_ne!(first, second);
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    let third = room.post("/simulator/client/revoke", "").await.done();
    assert_eq!((status(&first).await, status(&second).await), (401, 401));
    assert_eq!(status(&third).await, 200);
    assert_eq!(room.get("/simulator/client").await.done(), third);
}

#[tokio::test]
async fn unknown_apis_and_steps_change_nothing() {
    let room = Room::open().await;
    let before = room.get("/simulator/access-tokens").await.done();
    for path in [
        "/simulator/access-tokens/v3-reservation/rotate",
        "/simulator/access-tokens/availability-peer",
        "/simulator/access-tokens/availability-peer/burn",
        "/simulator/client/burn",
        "/simulator/client/rotate/",
    ] {
        let reply = room.post(path, "").await;
        assert_eq!(reply.status, 404, "{path}");
        reply.error();
    }
    let get = room
        .get("/simulator/access-tokens/availability-peer/rotate")
        .await;
    assert_eq!((get.status, get.allow.as_deref()), (405, Some("POST")));
    let post = room.post("/simulator/client", "").await;
    assert_eq!(
        (post.status, post.allow.as_deref()),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(room.get("/simulator/access-tokens").await.done(), before);
}
