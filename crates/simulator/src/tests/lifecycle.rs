use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Seen, TestResult, send};
use crate::{Fault, Simulator};

/// Reads until the other end closes.
async fn rest(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(rest)
}

#[tokio::test]
async fn a_patient_stop_waits_for_requests_under_way() -> TestResult {
    let go = Simulator::start().await?;
    let hold = go.hold();
    let mut waiting = TcpStream::connect(go.address()).await?;
    let path = go.jwks_url().replace(&go.origin(), "");
    let request = format!("GET {path} HTTP/1.1\r\nhost: go\r\n\r\n");
    waiting.write_all(request.as_bytes()).await?;
    let idle = TcpStream::connect(go.address()).await?;
    go.wait_for_fetches(1).await;

    let address = go.address();
    let stop = tokio::spawn(go.stop_within(Duration::from_secs(60)));
    assert!(rest(idle).await?.is_empty());
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!stop.is_finished());
    hold.release();
    // Without the stop, this connection would have been kept alive.
    let seen = Seen::parse(&rest(waiting).await?).ok_or("an answer")?;
    assert_eq!(seen.status_line, "HTTP/1.1 200 OK");
    assert_eq!(seen.header("connection"), Some("close"));
    stop.await?;
    Ok(())
}

#[tokio::test]
async fn a_stop_closes_connections_after_its_patience() -> TestResult {
    let go = Simulator::start().await?;
    go.fail(Fault::Hang);
    let hanging = send(&go, &go.jwks_url(), "").await?;
    go.wait_for_fetches(1).await;
    go.stop_within(Duration::from_millis(20)).await;
    // A reset closes the connection, too.
    assert!(rest(hanging).await.unwrap_or_default().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn only_a_control_room_times_out_slow_requests() -> TestResult {
    let bounded = Simulator::builder().with_control().start().await?;
    for begun in ["", "GET /simulator HTTP/1.1\r\nx: "] {
        let mut stream = TcpStream::connect(bounded.address()).await?;
        stream.write_all(begun.as_bytes()).await?;
        let started = Instant::now();
        assert!(rest(stream).await?.is_empty(), "{begun:?}");
        assert_eq!(started.elapsed().as_secs(), 10, "{begun:?}");
    }

    // An announced body is not awaited for longer, either.
    let mut stream = TcpStream::connect(bounded.address()).await?;
    let head = b"PUT /simulator/faults/keys/hang HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head).await?;
    let started = Instant::now();
    let seen = Seen::parse(&rest(stream).await?).ok_or("an answer")?;
    assert!(seen.status_line.contains(" 408 "), "{}", seen.status_line);
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(bounded.faults(), []);

    // Without a control room, connections stay open even when a test pauses the clock.
    let go = Simulator::start().await?;
    let stream = TcpStream::connect(go.address()).await?;
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, rest(stream)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn the_control_room_serves_one_request_at_a_time() -> TestResult {
    let go = Simulator::builder().with_control().start().await?;
    let turn = go.shared.control_turn.lock().await;
    let mut stream = TcpStream::connect(go.address()).await?;
    let request =
        b"PUT /simulator/faults/keys/hang HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    // While another request has its turn.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(go.faults(), []);
    drop(turn);
    let seen = Seen::parse(&rest(stream).await?).ok_or("an answer")?;
    assert_eq!(seen.status_line, "HTTP/1.1 200 OK");
    assert_eq!(go.faults().len(), 1);
    Ok(())
}
