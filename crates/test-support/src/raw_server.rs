//! A server that answers with any bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Answers each request with what `answer` makes of its head, and records the heads.
pub async fn server(
    answer: impl Fn(&str) -> Vec<u8> + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let heads = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                match stream.read_line(&mut head).await {
                    Ok(read) if read > 0 => {}
                    _ => break,
                }
            }
            let answer = answer(&head.to_ascii_lowercase());
            log.lock().expect("not poisoned").push(head);
            let _ = stream.get_mut().write_all(&answer).await;
        }
    });
    (origin, heads)
}

/// An answer of this status with these header lines, each with its end.
pub fn answer(status: u16, headers: &[u8], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let first = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n");
    [first.as_bytes(), headers, b"\r\n", body].concat()
}
