use derbysoft_go_simulator::{PublishedKey, Simulator};
use serde_json::{Value, json};

use super::Room;
use test_support::verdict;

async fn keys(room: &Room) -> Vec<Value> {
    let answer = room.get("/simulator/keys").await.done();
    answer["keys"].as_array().expect("a list").clone()
}

/// The `kid`s of the published keys.
async fn published(room: &Room) -> Vec<String> {
    let kids = keys(room)
        .await
        .into_iter()
        .filter(|key| key["published"] == true);
    kids.map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}

#[tokio::test]
async fn a_rotation_changes_the_key_that_signs() {
    let room = Room::open().await;
    let auth = room.auth();
    let good = room.post("/simulator/tokens/good", "").await;
    assert_eq!(verdict(&auth, &good.text).await, "ok");
    let before = published(&room).await;
    assert_eq!(before.len(), 2);

    let answer = room.post("/simulator/keys/rotate", "").await.done();
    let last = answer["keys"][2].clone();
    assert_eq!(
        (&last["published"], &last["signs"]),
        (&true.into(), &true.into())
    );
    let kid = room.go.signing_kid();
    assert_eq!(last["kid"], kid);
    assert_eq!(
        published(&room).await,
        [&before[..], std::slice::from_ref(&kid)].concat()
    );
    let renewed = room.post("/simulator/tokens/good", "").await;
    let later = room.auth();
    assert_eq!(verdict(&later, &renewed.text).await, "ok");
    assert_eq!(verdict(&later, &good.text).await, "ok");

    room.post("/simulator/keys/retire-all-but-current", "")
        .await
        .done();
    assert_eq!(published(&room).await, [kid]);
    assert_eq!(verdict(&room.auth(), &good.text).await, "key_pending");
}

#[tokio::test]
async fn each_step_of_a_rotation_can_be_taken_alone() {
    let room = Room::open().await;
    let go = &room.go;
    let old = go.signing_kid();

    room.post("/simulator/keys/stage", "").await.done();
    let staged = published(&room).await.remove(2);
    assert_eq!(go.signing_kid(), old);
    room.post(&format!("/simulator/keys/{staged}/sign"), "")
        .await
        .done();
    assert_eq!(go.signing_kid(), staged);

    room.post("/simulator/keys/rotate-unpublished", "")
        .await
        .done();
    let hidden = go.signing_kid();
    assert!(!published(&room).await.contains(&hidden));
    room.post(&format!("/simulator/keys/{hidden}/restore"), "")
        .await
        .done();
    assert!(published(&room).await.contains(&hidden));
    room.post(&format!("/simulator/keys/{old}/retire"), "")
        .await
        .done();
    assert!(!published(&room).await.contains(&old));

    let modulus = |go: &Simulator| go.key(&hidden).expect("a key").modulus().to_vec();
    let before = modulus(go);
    room.post(&format!("/simulator/keys/{hidden}/replace"), "")
        .await
        .done();
    assert_ne!(modulus(go), before);
    assert_eq!(keys(&room).await.len(), 4);
}

#[tokio::test]
async fn unknown_keys_and_steps_change_nothing() {
    let room = Room::open().await;
    let (before, kid) = (room.go.document(), room.go.signing_kid());
    for (path, status) in [
        ("/simulator/keys/nobodys/sign".to_owned(), 404),
        ("/simulator/keys/nobodys/retire".to_owned(), 404),
        ("/simulator/keys/spin".to_owned(), 404),
        (format!("/simulator/keys/{kid}/spin"), 404),
        (format!("/simulator/keys/{kid}"), 404),
        (format!("/simulator/keys/{kid}/retire/now"), 404),
    ] {
        let reply = room.post(&path, "").await;
        assert_eq!(reply.status, status, "{path}");
        reply.error();
    }
    assert_eq!(room.post("/simulator/keys/rotate", "{}").await.status, 400);
    assert_eq!(
        room.get("/simulator/keys/rotate").await.allow.as_deref(),
        Some("POST")
    );
    assert_eq!(room.go.document(), before);
}

/// A key takes time to generate and is stored.
#[tokio::test]
async fn there_are_at_most_a_hundred_keys() {
    let junk = (0..98).map(|n| PublishedKey::raw(json!({ "kid": n.to_string() })));
    let keys = std::iter::once(PublishedKey::fresh()).chain(junk);
    let room = Room::of(Simulator::builder().keys(keys)).await;
    let stage = || room.post("/simulator/keys/stage", "");
    let (a, b, c, d) = tokio::join!(stage(), stage(), stage(), stage());
    let mut staged = [a, b, c, d].map(|reply| reply.status);
    staged.sort_unstable();
    assert_eq!(staged, [200, 409, 409, 409], "all at once");
    let (before, kid) = (room.go.document(), room.go.signing_kid());
    for path in [
        "rotate",
        "stage",
        "rotate-unpublished",
        &format!("{kid}/replace"),
    ] {
        let reply = room.post(&format!("/simulator/keys/{path}"), "").await;
        assert_eq!(reply.status, 409, "{path}");
        assert!(reply.error().contains("100 keys"), "{reply:?}");
    }
    assert_eq!(room.go.document(), before);
    room.post(&format!("/simulator/keys/{kid}/retire"), "")
        .await
        .done();
}
