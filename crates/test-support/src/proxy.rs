//! A proxy, as companies have them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Background;

/// What it answers to who asks for a connection.
#[derive(Clone)]
enum Rule {
    Open,
    /// To this user and password alone.
    Demanding(String),
    Forbidding,
    Silent,
}

/// A proxy on loopback that resolves every name to one address.
pub struct Proxy {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _server: Background,
}

impl Proxy {
    /// Connects anybody.
    pub async fn to(target: SocketAddr) -> Self {
        Self::start(target, Rule::Open).await
    }

    /// Connects with `user:password`; 407 for all others.
    pub async fn demanding(credentials: &str, target: SocketAddr) -> Self {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        Self::start(target, Rule::Demanding(basic)).await
    }

    /// Connects nobody: 403.
    pub async fn forbidding() -> Self {
        Self::start(([127, 0, 0, 1], 1).into(), Rule::Forbidding).await
    }

    /// Never answers.
    pub async fn silent() -> Self {
        Self::start(([127, 0, 0, 1], 1).into(), Rule::Silent).await
    }

    async fn start(target: SocketAddr, rule: Rule) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&heads);
        let server = Background::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(serve(caller, target, rule.clone(), Arc::clone(&heard)));
            }
        });
        Self {
            address,
            heads,
            _server: server,
        }
    }

    /// As a setting takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same with a user name and password, escaped.
    pub fn url_for(&self, credentials: &str) -> String {
        format!("http://{credentials}@{}", self.address)
    }

    /// The first line of each request.
    pub fn heard(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

async fn serve(
    mut caller: TcpStream,
    target: SocketAddr,
    rule: Rule,
    heard: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if caller.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let (first, fields) = request.split_once("\r\n").expect("a line");
    heard.lock().expect("no panic").push(first.to_owned());
    let credentials = (fields.lines())
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
        .map(|(_, value)| value);
    let refusal = match &rule {
        Rule::Open => None,
        Rule::Demanding(basic) if credentials == Some(basic) => None,
        Rule::Demanding(_) => Some("407 Proxy Authentication Required"),
        Rule::Forbidding => Some("403 Forbidden"),
        Rule::Silent => std::future::pending().await,
    };
    if let Some(refusal) = refusal {
        let answer =
            format!("HTTP/1.1 {refusal}\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n");
        return caller.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(target).await?;
    if first.starts_with("CONNECT ") {
        caller.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        // In absolute form, which servers take too (RFC 9112, section 3.2.2).
        server.write_all(request.as_bytes()).await?;
    }
    io::copy_bidirectional(&mut caller, &mut server).await?;
    Ok(())
}
