//! A stream with write timeouts: gives up on a peer that reads nothing, or too slowly.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Time without progress after which a write fails.
const STALL_MAX: Duration = Duration::from_secs(15);
/// Time that a response may take whatever its length. Longer responses get additional time at [`BYTES_PER_S_MIN`].
const RESPONSE_MAX: Duration = Duration::from_secs(30);
/// Slowest accepted rate of a peer; the page takes two and a half minutes at this rate.
const BYTES_PER_S_MIN: u64 = 2 * 1024;

/// A stream, and since when it has unflushed bytes.
pub(crate) struct Paced<S> {
    inner: S,
    unflushed: Option<Unflushed>,
    /// Polled only while a write is pending.
    wake: Option<Pin<Box<Sleep>>>,
    is_writing: Arc<AtomicBool>,
}

/// Bytes were written and are not flushed yet.
struct Unflushed {
    since: Instant,
    progress_at: Instant,
    bytes: u64,
}

impl Unflushed {
    fn deadline(&self) -> Instant {
        let by_rate = self.since + RESPONSE_MAX + Duration::from_secs(self.bytes / BYTES_PER_S_MIN);
        by_rate.min(self.progress_at + STALL_MAX)
    }
}

impl<S> Paced<S> {
    /// Wraps a stream; the returned flag is true while written bytes are not flushed.
    pub(crate) fn new(inner: S) -> (Paced<S>, Arc<AtomicBool>) {
        let is_writing = Arc::new(AtomicBool::new(false));
        (Paced { inner, unflushed: None, wake: None, is_writing: Arc::clone(&is_writing) }, is_writing)
    }

    pub(crate) fn into_inner(self) -> S {
        self.inner
    }

    fn record(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                let now = Instant::now();
                let unflushed = self.unflushed.get_or_insert(Unflushed { since: now, progress_at: now, bytes: 0 });
                (unflushed.progress_at, unflushed.bytes) = (now, unflushed.bytes + bytes as u64);
                self.is_writing.store(true, Ordering::Relaxed);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Err(ready!(self.wait(cx)))),
        }
    }

    /// Fails a pending write at its deadline.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let now = Instant::now();
        let deadline = self.unflushed.get_or_insert(Unflushed { since: now, progress_at: now, bytes: 0 }).deadline();
        self.is_writing.store(true, Ordering::Relaxed);
        let wake = self.wake.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if wake.deadline() != deadline {
            wake.as_mut().reset(deadline);
        }
        ready!(wake.as_mut().poll(cx));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read the response"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.record(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.record(written, cx)
    }

    /// Always true, so that hyper writes its buffers without copying them.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.unflushed = None;
                self.is_writing.store(false, Ordering::Relaxed);
                Poll::Ready(flushed)
            }
            Poll::Pending => Poll::Ready(Err(ready!(self.wait(cx)))),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => Poll::Ready(Err(ready!(self.wait(cx)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const RESPONSE: usize = 200 * 1024;

    /// Writes a response to a peer that reads `bytes` of it every `pause`. Returns the seconds it took, and whether it succeeded.
    async fn write_to(bytes: usize, pause: Duration) -> (u64, bool) {
        let (near, mut far) = duplex(16 * 1024);
        let (mut paced, is_writing) = Paced::new(near);
        let started = Instant::now();
        let reader = tokio::spawn(async move {
            let mut taken = vec![0; bytes.max(1)];
            loop {
                tokio::time::sleep(pause).await;
                if bytes > 0 && far.read_exact(&mut taken).await.is_err() {
                    return;
                }
            }
        });
        let written = async {
            paced.write_all(&[7; RESPONSE]).await?;
            assert!(is_writing.load(Ordering::Relaxed));
            paced.flush().await
        };
        let result = written.await;
        assert_eq!(result.is_err(), is_writing.load(Ordering::Relaxed));
        reader.abort();
        (started.elapsed().as_secs(), result.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_or_too_slowly_is_given_up_and_a_slow_link_is_not() {
        let second = Duration::from_secs(1);
        assert_eq!(write_to(0, second).await, (STALL_MAX.as_secs(), false), "reads nothing");
        let (took_s, succeeded) = write_to(1, 10 * second).await;
        assert!(!succeeded && (30..60).contains(&took_s), "a byte now and then: {took_s} s");
        let (took_s, succeeded) = write_to(1024, second).await;
        assert!(!succeeded && took_s < 100, "half of the slowest rate: {took_s} s");
        let (took_s, succeeded) = write_to(4096, 2 * second).await;
        assert!(succeeded && took_s > 80, "the slowest rate: {took_s} s");
    }
}
