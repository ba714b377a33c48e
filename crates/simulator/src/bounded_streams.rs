//! Serving one address within bounds, over TCP or anything else that connects: shared by
//! the gate and the simulator.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// How long the head of a request may take. A proxy sends it at once. An idle connection
/// is closed after the same time.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);

/// How long a client may read nothing of an answer. As long as for a head: a client that
/// neither writes nor reads for that long is gone, or only occupies a connection.
pub const WRITE_WAIT: Duration = HEAD_WAIT;

/// How long a whole answer may take once the client stops reading: as long as requests
/// may run during shutdown. At 4 KB/s that is enough for metrics of 100 KB; a client that
/// reads a byte now and then can't stay forever.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How many connections are served at once; further ones wait to be accepted. A proxy
/// keeps a few dozen open. At one file each they leave room below the default limit of
/// 1,024 open files per process.
pub const MAX_CONNECTIONS: usize = 512;

/// Waits for a free permit, then for a connection: `accepting` begins only then.
pub async fn accept<S>(
    accepting: impl Future<Output = io::Result<S>>,
    room: &Arc<Semaphore>,
) -> io::Result<(S, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    Ok((accepting.await?, place))
}

/// A stream that fails when the client reads nothing for [`WRITE_WAIT`], or not all of an
/// answer within [`ANSWER_WAIT`]. Reading is left to hyper, which has its own time limit.
#[derive(Debug)]
pub struct TimedWrites<S> {
    stream: S,
    is_limited: bool,
    /// When the current answer times out; set once the client stops reading.
    answer_ends: Option<Instant>,
    /// Runs while the client reads nothing.
    wait: Option<Pin<Box<Sleep>>>,
}

impl<S> TimedWrites<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            is_limited: true,
            answer_ends: None,
            wait: None,
        }
    }

    /// A stream without a time limit.
    pub fn unlimited(stream: S) -> Self {
        Self {
            is_limited: false,
            ..Self::new(stream)
        }
    }

    /// Passes a write on unless its time is up.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() || !self.is_limited {
            self.wait = None;
            return written;
        }
        let now = Instant::now();
        let ends = *self.answer_ends.get_or_insert(now + ANSWER_WAIT);
        let wait = self.wait.get_or_insert_with(|| {
            let until = ends.min(now + WRITE_WAIT);
            Box::pin(tokio::time::sleep_until(until))
        });
        ready!(wait.as_mut().poll(cx));
        let error = io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
        Poll::Ready(Err(error))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes after a complete answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        let flushed = self.in_time(cx, flushed);
        if flushed.is_ready() {
            self.answer_ends = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::sleep;

    use super::*;

    /// Two ends with a buffer of 16 bytes between them.
    fn ends() -> (TimedWrites<DuplexStream>, DuplexStream) {
        let (server, client) = tokio::io::duplex(16);
        (TimedWrites::new(server), client)
    }

    async fn fails_after(
        mut server: TimedWrites<DuplexStream>,
        answer: usize,
    ) -> (io::ErrorKind, u64) {
        let started = Instant::now();
        let written = async {
            server.write_all(&vec![0; answer]).await?;
            server.flush().await
        };
        let error = written.await.expect_err("time is up");
        (error.kind(), started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_has_ten_seconds() {
        let (server, _client) = ends();
        let failed = fails_after(server, 17).await;
        assert_eq!(failed, (io::ErrorKind::TimedOut, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_has_thirty_seconds() {
        let (server, mut client) = ends();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(7)).await;
                let _ = client.read_u8().await;
            }
        });
        let failed = fails_after(server, 1000).await;
        assert_eq!(failed, (io::ErrorKind::TimedOut, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_limit_starts_anew_for_each_answer() {
        let (mut server, mut client) = ends();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(9)).await;
                let mut taken = [0; 16];
                client.read_exact(&mut taken).await.expect("more");
            }
        });
        // Two pieces fit in the buffer, and each takes 9 s from then on.
        for _ in 0..20 {
            server.write_all(&[0; 16]).await.expect("in time");
            server.flush().await.expect("in time");
        }
    }

    #[tokio::test]
    async fn everything_in_time_reaches_the_stream() {
        let (mut server, mut client) = ends();
        client.write_all(b"request").await.expect("sent");
        let mut request = [0; 7];
        server.read_exact(&mut request).await.expect("received");
        assert_eq!(&request, b"request");
        assert!(server.is_write_vectored());
        let parts = [IoSlice::new(b"the "), IoSlice::new(b"answer")];
        let written = server.write_vectored(&parts).await;
        assert_eq!(written.expect("in time"), 10);
        server.shutdown().await.expect("in time");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("received");
        assert_eq!(answer, "the answer");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unlimited_stream_never_times_out() {
        let (server, mut client) = tokio::io::duplex(16);
        let mut server = TimedWrites::unlimited(server);
        let writing = tokio::spawn(async move { server.write_all(&[0; 17]).await });
        sleep(Duration::from_secs(100_000)).await;
        client.read_u8().await.expect("a byte");
        writing.await.expect("no panic").expect("written");
    }
}
