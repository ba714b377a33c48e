//! A server that does on each connection what it is told to: any bytes, at any pace, and any
//! end. It runs in a thread of its own, as a peer does.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use test_support::passive_runtime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// More than any request here has.
const MAX_HEAD: usize = 64 * 1024;

/// The most that is sent again and again.
const FLOOD: usize = 64 << 20;

/// How a connection begins.
#[derive(Clone)]
pub(crate) enum Opening {
    /// TLS, of which so many bytes come one by one.
    Tls(Arc<ServerConfig>, usize),
    /// No TLS: after the client's first bytes these, and then what follows.
    Instead(Vec<u8>, Act),
}

/// A step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// A byte at a time.
    Drip(Vec<u8>),
    /// The same bytes again and again, for as long as somebody takes them: 64 MiB at most.
    Flood(Vec<u8>),
    /// What follows never ends: the client has to give up.
    Endless,
    /// Long enough for what was sent to be read on its own.
    Pause,
    /// Not before [`Peer::proceed`].
    Later,
    /// Nothing more, and the connection stays open: the client has to give up.
    Stall,
    /// Nothing more for now, and the connection stays open for another request.
    Open,
    /// Closes at once, with a reset.
    Reset,
    /// Closes this direction of TCP, without saying so in TLS.
    Cut,
    /// Closes this direction, in TLS and TCP.
    Close,
}

/// What to do on one connection, with one request.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) opening: Opening,
    /// Before the request is read.
    pub(crate) is_early: bool,
    pub(crate) acts: Acts,
}

/// What to do, once this was heard.
pub(crate) type Acts = Arc<dyn Fn(&Heard) -> Vec<Act> + Send + Sync>;

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) head: String,
    /// Its number on its connection, over HTTP/2.
    pub(crate) stream: u32,
}

/// The same, whatever was heard.
pub(crate) fn always(acts: Vec<Act>) -> Acts {
    Arc::new(move |_| acts.clone())
}

/// What was seen of the clients.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// Complete heads of requests.
    pub(crate) heads: Vec<String>,
    /// All that came in the clear, on connections that nobody should have trusted.
    pub(crate) overheard: Vec<u8>,
    /// Connections and requests that nobody had planned.
    pub(crate) unexpected: usize,
    /// Connections that are open now.
    pub(crate) open: usize,
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let (end, thread) = self.thread.take().expect("dropped once");
        let _ = end.send(());
        let _ = thread.join();
    }
}

#[derive(Default)]
struct Shared {
    plans: Mutex<VecDeque<Plan>>,
    seen: Mutex<Seen>,
    /// How often the client was left to give up.
    stalls: watch::Sender<usize>,
    /// How often an answer waits.
    delays: watch::Sender<usize>,
    proceed: Notify,
    connections: watch::Sender<usize>,
    /// How often all was sent, and the connection left open.
    pauses: watch::Sender<usize>,
}

impl Peer {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let shared = Arc::new(Shared::default());
        let (end, ended) = oneshot::channel();
        let serve = {
            let shared = Arc::clone(&shared);
            async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(Arc::clone(&shared).serve(stream));
                }
            }
        };
        let thread = std::thread::spawn(move || {
            passive_runtime().block_on(async {
                tokio::select! {
                    () = serve => {}
                    _ = ended => {}
                }
            });
        });
        Self {
            address,
            shared,
            thread: Some((end, thread)),
        }
    }

    /// What to do next, in this order: a plan a connection, and one more for each further request
    /// on it.
    pub(crate) fn plan(&self, plans: impl IntoIterator<Item = Plan>) {
        let mut queue = lock(&self.shared.plans);
        queue.clear();
        queue.extend(plans);
    }

    /// How many plans nobody came for.
    pub(crate) fn left(&self) -> usize {
        lock(&self.shared.plans).len()
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.shared.seen)
    }

    /// Counts how often a client was left to give up.
    pub(crate) fn stalls(&self) -> watch::Receiver<usize> {
        self.shared.stalls.subscribe()
    }

    /// Counts how often an answer waits to [proceed](Self::proceed).
    pub(crate) fn delays(&self) -> watch::Receiver<usize> {
        self.shared.delays.subscribe()
    }

    pub(crate) fn proceed(&self) {
        self.shared.proceed.notify_one();
    }

    /// Counts how often all was sent, and a connection left open.
    pub(crate) fn pauses(&self) -> watch::Receiver<usize> {
        self.shared.pauses.subscribe()
    }

    /// Waits until there were so many connections.
    pub(crate) async fn connected(&self, n: usize) {
        let mut connections = self.shared.connections.subscribe();
        let enough = connections.wait_for(|connections| *connections >= n);
        enough.await.expect("the peer is alive");
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let plan = self.next();
        {
            let mut seen = lock(&self.seen);
            seen.connections += 1;
            seen.open += 1;
            self.connections.send_replace(seen.connections);
        }
        if let Some(plan) = plan {
            // The client may leave at any time.
            let _ = self.answer(stream, plan).await;
        }
        lock(&self.seen).open -= 1;
    }

    fn next(&self) -> Option<Plan> {
        let plan = lock(&self.plans).pop_front();
        if plan.is_none() {
            lock(&self.seen).unexpected += 1;
        }
        plan
    }

    async fn answer(&self, stream: TcpStream, plan: Plan) -> io::Result<()> {
        stream.set_nodelay(true)?;
        match plan.opening.clone() {
            Opening::Instead(bytes, end) => {
                let acts = vec![Act::Send(bytes), end];
                let mut stream = stream;
                let mut hello = [0; 4096];
                let read = stream.read(&mut hello).await?;
                lock(&self.seen).overheard.extend(&hello[..read]);
                self.perform(&mut stream, acts, |stream| stream).await?;
                Ok(())
            }
            Opening::Tls(config, single) => {
                let stream = Singly(stream, single);
                let stream = TlsAcceptor::from(config).accept(stream).await?;
                let ear = Ear::of(stream.get_ref().1.alpn_protocol());
                self.talk(stream, ear, plan, |stream| &mut stream.get_mut().0.0)
                    .await
            }
        }
    }

    /// Request after request, for as long as there are plans.
    async fn talk<S>(
        &self,
        mut stream: S,
        mut ear: Ear,
        mut plan: Plan,
        tcp: fn(&mut S) -> &mut TcpStream,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !plan.is_early {
            stream.write_all(ear.greeting()).await?;
        }
        loop {
            let heard = if plan.is_early {
                Heard::default()
            } else {
                let heard = ear.hear(&mut stream).await?;
                lock(&self.seen).heads.push(heard.head.clone());
                heard
            };
            let acts = (plan.acts)(&heard);
            let is_over = self.perform(&mut stream, acts, tcp).await?;
            if is_over || !ear.has_request(&mut stream).await? {
                return Ok(());
            }
            plan = match self.next() {
                Some(plan) => plan,
                None => return Ok(()),
            };
        }
    }

    /// `true` if that was the end of the connection.
    async fn perform<S>(
        &self,
        stream: &mut S,
        acts: Vec<Act>,
        tcp: fn(&mut S) -> &mut TcpStream,
    ) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        for act in acts {
            match act {
                Act::Send(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                Act::Drip(bytes) => {
                    // A hundred pauses at most.
                    let every = bytes.len().div_ceil(100);
                    for (n, byte) in bytes.chunks(1).enumerate() {
                        stream.write_all(byte).await?;
                        stream.flush().await?;
                        if n % every == 0 {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    }
                }
                Act::Flood(bytes) => {
                    for _ in 0..FLOOD / bytes.len() {
                        stream.write_all(&bytes).await?;
                    }
                }
                Act::Endless => self.stalls.send_modify(|stalls| *stalls += 1),
                Act::Open => {
                    self.pauses.send_modify(|pauses| *pauses += 1);
                    return Ok(false);
                }
                Act::Pause => tokio::time::sleep(Duration::from_millis(2)).await,
                Act::Later => {
                    self.delays.send_modify(|delays| *delays += 1);
                    self.proceed.notified().await;
                }
                Act::Stall => {
                    self.stalls.send_modify(|stalls| *stalls += 1);
                    drain(stream).await?;
                    return Ok(true);
                }
                Act::Reset => {
                    tcp(stream).set_zero_linger()?;
                    return Ok(true);
                }
                Act::Cut => {
                    tcp(stream).shutdown().await?;
                    drain(stream).await?;
                    return Ok(true);
                }
                Act::Close => {
                    stream.shutdown().await?;
                    // A socket that is closed with unread bytes resets the connection.
                    drain(stream).await?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Reads requests.
enum Ear {
    /// What has come after the last request.
    Http1(Vec<u8>),
    #[cfg(feature = "http2")]
    Http2(crate::http2::Decoder),
}

impl Ear {
    /// By what client and server have agreed on in TLS.
    fn of(protocol: Option<&[u8]>) -> Self {
        match protocol {
            #[cfg(feature = "http2")]
            Some(b"h2") => Self::Http2(crate::http2::Decoder::new()),
            _ => Self::Http1(Vec::new()),
        }
    }

    /// What a server says first.
    fn greeting(&self) -> &'static [u8] {
        match self {
            Self::Http1(_) => b"",
            #[cfg(feature = "http2")]
            Self::Http2(_) => crate::http2::SETTINGS,
        }
    }

    async fn has_request<S>(&mut self, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncRead + Unpin,
    {
        match self {
            Self::Http1(rest) => Ok(!rest.is_empty() || stream.read_buf(rest).await? > 0),
            #[cfg(feature = "http2")]
            Self::Http2(decoder) => decoder.has_request(stream).await,
        }
    }

    /// Reads a request, and keeps what comes after it.
    async fn hear<S>(&mut self, stream: &mut S) -> io::Result<Heard>
    where
        S: AsyncRead + Unpin,
    {
        let rest = match self {
            Self::Http1(rest) => rest,
            #[cfg(feature = "http2")]
            Self::Http2(decoder) => return decoder.hear(stream).await,
        };
        loop {
            if let Some(end) = end_of_request(rest) {
                let request: Vec<u8> = rest.drain(..end).collect();
                return Ok(Heard {
                    head: String::from_utf8_lossy(&request).into_owned(),
                    stream: 0,
                });
            }
            if rest.len() > MAX_HEAD || stream.read_buf(rest).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Reads to the end: the client has gone then.
async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Where a request ends whose body, if any, has a `Content-Length`.
fn end_of_request(buffer: &[u8]) -> Option<usize> {
    let end = 4 + buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let length = (head.lines())
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a length"));
    (buffer.len() >= end + length).then_some(end + length)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes so many bytes one by one.
struct Singly(TcpStream, usize);

impl AsyncRead for Singly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Singly {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.1 == 0 {
            return Pin::new(&mut self.0).poll_write(cx, bytes);
        }
        let first = &bytes[..bytes.len().min(1)];
        let written = Pin::new(&mut self.0).poll_write(cx, first);
        if matches!(written, Poll::Ready(Ok(1))) {
            self.1 -= 1;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
