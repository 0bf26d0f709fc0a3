//! One connection's outbox: the one owner of what is written to its socket.
//!
//! Snapshots come from the sender's thread, answers from the reader's task, pongs and closes from tungstenite. All go through
//! here, each a whole WebSocket frame, so that none is ever torn: what a write leaves over is finished before anything else.
//! The outbox is bounded by newest-wins: while bytes are waiting, a snapshot is refused and not queued.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use broadside_shared::protocol::close::CloseCode;
use broadside_shared::time::{MonoTime, Tick};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Bytes waiting for one socket at the most; a connection that needs more takes nothing and is ended.
const OUTBOX_MAX: usize = 64 * 1024;
/// Room that `frame_header` needs in front of a payload.
pub const HEADER_MAX: usize = 10;
/// The first byte of a WebSocket frame: final, binary (RFC 6455, section 5.2).
const FINAL_BINARY: u8 = 0x82;

/// One open WebSocket.
pub struct Conn {
    stream: TcpStream,
    outbox: Mutex<Outbox>,
    /// Bytes wait for the socket to take them.
    waiting: Notify,
    /// The newest acknowledged snapshot and when the word came: tick in the upper half, milliseconds in the lower.
    acked: AtomicU64,
    /// The seat was told to the client: snapshots may follow.
    live: AtomicBool,
    /// Someone else than the reader wants it closed: a code, or 0.
    close_wanted: AtomicU64,
    close_asked: Notify,
}

#[derive(Default)]
struct Outbox {
    pending: Vec<u8>,
    written: usize,
    ended: bool,
}

/// What became of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was written, or the last of it waits for the socket.
    Written,
    /// Earlier bytes still wait: a newer snapshot will take its place.
    Superseded,
    /// The connection is over.
    Ended,
}

impl Conn {
    /// A connection over an upgraded stream.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Conn {
            stream,
            outbox: Mutex::default(),
            waiting: Notify::new(),
            acked: AtomicU64::new(0),
            live: AtomicBool::new(false),
            close_wanted: AtomicU64::new(0),
            close_asked: Notify::new(),
        }
    }

    /// Whether a snapshot would be written now: no bytes wait and the connection is not over.
    pub fn ready(&self) -> Sent {
        let mut outbox = self.lock();
        if outbox.ended {
            return Sent::Ended;
        }
        match outbox.flush(&self.stream) {
            Ok(true) => Sent::Written,
            Ok(false) => Sent::Superseded,
            Err(_) => Sent::Ended,
        }
    }

    /// Writes a frame after whatever waits: `buffer` holds [`HEADER_MAX`] free bytes, then the payload. Snapshots go only when
    /// [`Conn::ready`] said so.
    pub fn send_framed(&self, buffer: &mut [u8]) -> Sent {
        let start = frame_header(buffer);
        let mut outbox = self.lock();
        if outbox.ended { Sent::Ended } else { self.put(&mut outbox, &buffer[start..]) }
    }

    /// Writes a control frame, after whatever waits.
    pub fn send_control(&self, payload: &[u8]) -> Sent {
        let mut buffer = vec![0; HEADER_MAX];
        buffer.extend_from_slice(payload);
        self.send_framed(&mut buffer)
    }

    /// Finishes writing what waits, whenever there is something, for as long as it is polled.
    pub async fn drain(&self) -> io::Error {
        loop {
            self.waiting.notified().await;
            loop {
                if let Err(error) = self.stream.writable().await {
                    return error;
                }
                let flushed = self.lock().flush(&self.stream);
                match flushed {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => return error,
                }
            }
        }
    }

    /// The client was told of its seat: the sender may begin.
    pub fn go_live(&self) {
        self.live.store(true, Ordering::Release);
    }

    /// Whether the sender may write snapshots.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    /// The client acknowledged a snapshot.
    pub fn ack(&self, tick: Tick, at: MonoTime) {
        let ms = (at.0 / 1000) as u32;
        self.acked.store(u64::from(tick.0) << 32 | u64::from(ms), Ordering::Relaxed);
    }

    /// The newest acknowledged snapshot, and when the word came, to the millisecond.
    pub fn acked(&self) -> (Tick, MonoTime) {
        let acked = self.acked.load(Ordering::Relaxed);
        (Tick((acked >> 32) as u32), MonoTime((acked & u64::from(u32::MAX)) * 1000))
    }

    /// Asks the connection's task to close it.
    pub fn ask_close(&self, code: CloseCode) {
        self.close_wanted.store(u64::from(code.code()), Ordering::Relaxed);
        self.close_asked.notify_one();
    }

    /// Resolves when [`Conn::ask_close`] was called, with the code.
    pub async fn close_asked(&self) -> CloseCode {
        loop {
            self.close_asked.notified().await;
            if let Some(code) = CloseCode::from_code(self.close_wanted.load(Ordering::Relaxed) as u16) {
                return code;
            }
        }
    }

    /// Nothing may be written any more.
    pub fn end(&self) {
        self.lock().ended = true;
    }

    /// Writes a whole frame or keeps what the socket does not take.
    fn put(&self, outbox: &mut Outbox, frame: &[u8]) -> Sent {
        if outbox.pending.len() - outbox.written + frame.len() > OUTBOX_MAX {
            outbox.ended = true;
            self.ask_close(CloseCode::TooSlow);
            return Sent::Ended;
        }
        outbox.pending.extend_from_slice(frame);
        match outbox.flush(&self.stream) {
            Ok(true) => Sent::Written,
            Ok(false) => {
                self.waiting.notify_one();
                Sent::Written
            }
            Err(_) => Sent::Ended,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        // A panic elsewhere leaves whole frames behind: the outbox is still good.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// Writes what waits; true when nothing is left.
    fn flush(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while self.written < self.pending.len() {
            match stream.try_write(&self.pending[self.written..]) {
                Ok(0) => {
                    self.ended = true;
                    return Err(io::ErrorKind::WriteZero.into());
                }
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        self.pending.clear();
        self.written = 0;
        // A connection that was slow once does not hold its worst backlog for good.
        self.pending.shrink_to(4096);
        Ok(true)
    }
}

/// Puts a WebSocket header right before the payload of `buffer`, whose first [`HEADER_MAX`] bytes are free. Gives the start of
/// the frame. Frames of a server are not masked (RFC 6455, section 5.1).
fn frame_header(buffer: &mut [u8]) -> usize {
    let len = buffer.len() - HEADER_MAX;
    match len {
        0..=125 => {
            buffer[8..10].copy_from_slice(&[FINAL_BINARY, len as u8]);
            8
        }
        126..=0xffff => {
            let [a, b] = (len as u16).to_be_bytes();
            buffer[6..10].copy_from_slice(&[FINAL_BINARY, 126, a, b]);
            6
        }
        _ => {
            buffer[0..2].copy_from_slice(&[FINAL_BINARY, 127]);
            buffer[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            0
        }
    }
}

/// A connection as tungstenite sees it: it reads the socket, and what it writes goes into the outbox.
pub struct ConnIo(pub Arc<Conn>);

impl AsyncRead for ConnIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &self.0.stream;
        loop {
            std::task::ready!(stream.poll_read_ready(cx))?;
            match stream.try_read(buf.initialize_unfilled()) {
                Ok(n) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for ConnIo {
    /// Takes all of it: tungstenite hands over whole frames, and the outbox is bounded.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let conn = &self.0;
        let mut outbox = conn.lock();
        let sent = if outbox.ended { Sent::Ended } else { conn.put(&mut outbox, bytes) };
        match sent {
            Sent::Written | Sent::Superseded => Poll::Ready(Ok(bytes.len())),
            Sent::Ended => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Nothing to do: [`Conn::drain`] finishes what waits.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end();
        Poll::Ready(socket2::SockRef::from(&self.0.stream).shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_the_length_in_the_shortest_form() {
        for (len, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 255, 255]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut buffer = vec![7; HEADER_MAX + len];
            let start = frame_header(&mut buffer);
            assert_eq!(&buffer[start..HEADER_MAX], header, "{len}");
        }
    }
}
