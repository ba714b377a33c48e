//! How much the control room reads, and from whom.

use std::io::ErrorKind;

use reqwest::Method;
use tokio::net::TcpStream;

use super::Room;
use test_support::settle;
use test_support::wire::{Wire, head};

/// A body of this length.
fn changes(bytes: usize) -> String {
    let (before, after) = (r#"{"claims":{"x":""#, r#""}}"#);
    format!(
        "{before}{}{after}",
        "y".repeat(bytes - before.len() - after.len())
    )
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_no_more() {
    let room = Room::open().await;
    let path = "/simulator/tokens/good";
    assert_eq!(room.post(path, &changes(65_536)).await.status, 200);
    let reply = room.post(path, &changes(65_537)).await;
    assert_eq!(reply.status, 413);
    assert!(reply.error().contains("64 KiB"), "{reply:?}");
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let room = Room::open().await;
    let stream = TcpStream::connect(room.go.address())
        .await
        .expect("it listens");
    let mut wire = Wire::new(stream);
    let chunked = [("Transfer-Encoding", "chunked")];
    wire.write(head("POST", "/simulator/tokens/good", &chunked))
        .await;
    let chunk = format!("10000\r\n{}\r\n", "y".repeat(0x10000));
    wire.write(&chunk).await;
    wire.write("1\r\ny\r\n").await;
    assert_eq!(wire.reply().await.status, 413);
}

/// A web page that somebody else wrote runs in the developer's browser.
#[tokio::test]
async fn every_request_from_a_web_page_is_rejected() {
    let room = Room::open().await;
    let before = room.go.document();
    for origin in ["null", "https://attacker.example", &room.go.origin()] {
        for (method, path) in [
            (Method::GET, "/simulator"),
            (Method::POST, "/simulator/tokens/good"),
            (Method::POST, "/simulator/keys/rotate"),
            (Method::PUT, "/simulator/faults/keys/hang"),
            (Method::OPTIONS, "/simulator/tokens/good"),
        ] {
            let request = room.request(method.clone(), path).header("Origin", origin);
            let reply = room.send(request).await;
            assert_eq!(reply.status, 403, "{method} {path}");
            assert!(reply.error().contains("web pages"), "{reply:?}");
        }
    }
    assert_eq!((room.go.document(), room.go.faults()), (before, Vec::new()));
}

#[tokio::test]
async fn unknown_paths_and_queries_are_rejected() {
    let room = Room::open().await;
    for path in [
        "/simulator/",
        "/simulator/nothing",
        "/simulator//tokens",
        "/simulator/%74okens",
        "/simulator/requests/1",
        "/simulator/faults/keys/hang/now",
    ] {
        let reply = room.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        reply.error();
    }
    // These are GO's addresses, whose 404 has no body.
    for path in ["/simulators", "/Simulator", "/x/simulator"] {
        let reply = room.get(path).await;
        assert_eq!((reply.status, &*reply.text), (404, ""), "{path}");
    }
    let reply = room.get("/simulator?x").await;
    assert_eq!(reply.status, 400);
    assert!(reply.error().contains("query"), "{reply:?}");
    let request = room.request(Method::GET, "/simulator").body("x");
    assert_eq!(room.send(request).await.status, 400);
}

#[tokio::test]
async fn connection_513_waits_until_another_ends() {
    const MOST: usize = 512;
    let room = Room::open().await;
    let connect = async || {
        let stream = TcpStream::connect(room.go.address()).await;
        Wire::new(stream.expect("it listens"))
    };
    let request = head("GET", "/simulator/client", &[]);
    let mut open = Vec::new();
    for _ in 0..MOST {
        let mut wire = connect().await;
        wire.write(&request).await;
        assert_eq!(wire.reply().await.status, 200);
        open.push(wire);
    }

    let late = TcpStream::connect(room.go.address())
        .await
        .expect("it listens");
    late.writable().await.expect("connected");
    assert_eq!(
        late.try_write(request.as_bytes()).expect("written"),
        request.len()
    );
    settle().await;
    let nothing = late.try_read(&mut [0]).expect_err("no answer yet");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    open.pop();
    assert_eq!(Wire::new(late).reply().await.status, 200);
}
