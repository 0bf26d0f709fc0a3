//! A stream whose other end has to keep taking what is written: one that takes nothing, or next to nothing, is given up.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Time without any progress after which a write has failed.
const STALL_MAX: Duration = Duration::from_secs(15);
/// Time that one answer may take whatever its length. What is longer gets more at [`BYTES_PER_S_MIN`].
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The slowest line that an answer goes over: the page takes two and a half minutes then.
const BYTES_PER_S_MIN: u64 = 2 * 1024;

/// A stream, and how long it has been owing its other end something.
pub struct Paced<S> {
    inner: S,
    owing: Option<Owing>,
    /// Polled only while a write waits.
    wake: Option<Pin<Box<Sleep>>>,
    is_writing: Arc<AtomicBool>,
}

/// Something was written and is not on its way yet.
struct Owing {
    since: Instant,
    moved_at: Instant,
    bytes: u64,
}

impl Owing {
    fn ends_at(&self) -> Instant {
        let by_rate = self.since + ANSWER_MAX + Duration::from_secs(self.bytes / BYTES_PER_S_MIN);
        by_rate.min(self.moved_at + STALL_MAX)
    }
}

impl<S> Paced<S> {
    /// Wraps a stream; the other one of the pair is true while something is written that is not flushed.
    pub fn new(inner: S) -> (Paced<S>, Arc<AtomicBool>) {
        let is_writing = Arc::new(AtomicBool::new(false));
        (Paced { inner, owing: None, wake: None, is_writing: Arc::clone(&is_writing) }, is_writing)
    }

    /// The stream alone.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn note(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                let now = Instant::now();
                let owing = self.owing.get_or_insert(Owing { since: now, moved_at: now, bytes: 0 });
                (owing.moved_at, owing.bytes) = (now, owing.bytes + bytes as u64);
                self.is_writing.store(true, Ordering::Relaxed);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Err(ready!(self.wait(cx)))),
        }
    }

    /// A write waits: for how long it may.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let now = Instant::now();
        let ends_at = self.owing.get_or_insert(Owing { since: now, moved_at: now, bytes: 0 }).ends_at();
        self.is_writing.store(true, Ordering::Relaxed);
        let wake = self.wake.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends_at)));
        if wake.deadline() != ends_at {
            wake.as_mut().reset(ends_at);
        }
        ready!(wake.as_mut().poll(cx));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the answer is not taken"))
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
        self.note(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(written, cx)
    }

    /// Always: what has the choice then keeps what it writes as it is, and copies nothing.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.owing = None;
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

    const ANSWER: usize = 200 * 1024;

    /// Writes an answer to somebody who takes `bytes` of it every `pause`. Gives the seconds it took, and whether it went.
    async fn write_to(bytes: usize, pause: Duration) -> (u64, bool) {
        let (near, mut far) = duplex(16 * 1024);
        let (mut paced, is_writing) = Paced::new(near);
        let began = Instant::now();
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
            paced.write_all(&[7; ANSWER]).await?;
            assert!(is_writing.load(Ordering::Relaxed));
            paced.flush().await
        };
        let result = written.await;
        assert_eq!(result.is_err(), is_writing.load(Ordering::Relaxed));
        reader.abort();
        (began.elapsed().as_secs(), result.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_or_next_to_nothing_is_given_up_and_a_slow_line_is_not() {
        let second = Duration::from_secs(1);
        assert_eq!(write_to(0, second).await, (STALL_MAX.as_secs(), false), "takes nothing");
        let (took_s, went) = write_to(1, 10 * second).await;
        assert!(!went && (30..60).contains(&took_s), "a byte now and then: {took_s} s");
        let (took_s, went) = write_to(1024, second).await;
        assert!(!went && took_s < 100, "half of the slowest line: {took_s} s");
        let (took_s, went) = write_to(4096, 2 * second).await;
        assert!(went && took_s > 80, "the slowest line: {took_s} s");
    }
}
