//! One socket, with or without TLS: bounded reads per poll, and the outbox through which all writes go.
//!
//! Each frame enters the outbox whole, so that none is ever torn: the rest of a partial write goes out before anything else. Newest-wins
//! bounds the outbox: while bytes are pending, a snapshot is refused rather than queued. With TLS, frames are encrypted right before the
//! outbox, which then holds ciphertext.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use mio::net::TcpStream;

use super::tls::Tls;

/// Maximum number of pending bytes per socket; a connection that needs more does not read and is ended.
const OUTBOX_MAX: usize = 64 * 1024;
/// Capacity that an outbox keeps after a backlog, in bytes.
const OUTBOX_KEPT: usize = 1024;
/// Unsent bytes per connection that the kernel buffers before the socket refuses more. Only a backstop: flow control bounds
/// unacknowledged snapshots earlier.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 16 * 1024;
/// Send buffer of a socket, in bytes; Linux doubles it for its bookkeeping.
const SEND_BUFFER: usize = 64 * 1024;

/// A socket with optional TLS.
pub struct Transport {
    tls: Option<Tls>,
    outbox: Outbox,
}

/// The socket and its pending bytes.
struct Outbox {
    stream: TcpStream,
    pending: Backlog,
    ended: bool,
    /// The last read emptied the socket: another one would only return `WouldBlock`.
    drained: bool,
    /// The peer has closed its side: reads go on until they report the end.
    closing: bool,
    /// Bytes that this poll may still read.
    poll_left: usize,
    traffic: Traffic,
}

/// Traffic of one connection since the last [`Transport::take_traffic`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Read system calls.
    pub(crate) reads: u64,
    /// Bytes read.
    pub(crate) bytes_in: u64,
    /// Write system calls.
    pub(crate) writes: u64,
}

/// Result of sending a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The frame is written, or its rest is pending.
    Written,
    /// The connection has ended.
    Ended,
}

/// Readiness of a socket, as reported by the poller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readable {
    /// Bytes are available.
    More,
    /// The peer has closed: there may be bytes, and then the end.
    ToTheEnd,
}

impl Transport {
    /// A socket after its handshakes, with its TLS session if any.
    pub(crate) fn new(stream: TcpStream, tls: Option<Tls>) -> Self {
        set_options(&stream);
        let outbox = Outbox {
            stream,
            pending: Backlog::default(),
            ended: false,
            drained: false,
            closing: false,
            poll_left: 0,
            traffic: Traffic::default(),
        };
        let mut transport = Transport { tls, outbox };
        if let Some(tls) = &mut transport.tls {
            // The next read notices a socket that is already closed.
            let _ = tls.write_ready(&mut transport.outbox);
        }
        transport
    }

    /// A socket that another process has passed on, which did not take these bytes yet.
    pub(crate) fn passed(stream: TcpStream, unsent: &[u8]) -> Self {
        let mut transport = Transport::new(stream, None);
        transport.outbox.pending.push(unsent);
        transport
    }

    /// Whether another process can go on with it.
    pub(crate) fn can_be_passed(&self) -> bool {
        self.tls.is_none() && !self.outbox.ended && !self.outbox.closing
    }

    /// The socket for another process, and the bytes that it did not take yet.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub(crate) fn pass_on(&self) -> io::Result<(OwnedFd, Vec<u8>)> {
        Ok((self.outbox.stream.as_fd().try_clone_to_owned()?, self.outbox.pending.rest().to_vec()))
    }

    /// The socket, for the poller.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.outbox.stream
    }

    /// Starts a poll of a readable socket: up to `bytes_max` bytes may be read, including TLS overhead.
    pub(crate) fn start_poll(&mut self, readable: Readable, bytes_max: usize) {
        self.mark_readable(readable);
        self.outbox.poll_left = bytes_max;
    }

    /// Records that the socket is readable, for the next poll.
    pub(crate) fn mark_readable(&mut self, readable: Readable) {
        self.outbox.drained = false;
        self.outbox.closing |= readable == Readable::ToTheEnd;
    }

    /// Bytes that this look may still read.
    pub(crate) fn poll_left(&self) -> usize {
        self.outbox.poll_left
    }

    /// Whether the limit of this poll left bytes unread.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.outbox.poll_left == 0 && !self.outbox.drained
    }

    /// Whether the peer has closed its side.
    pub(crate) fn is_closing(&self) -> bool {
        self.outbox.closing
    }

    /// Whether the connection has ended: no writes are possible.
    pub(crate) fn is_ended(&self) -> bool {
        self.outbox.ended
    }

    /// Whether no bytes are pending.
    pub(crate) fn is_free(&self) -> bool {
        self.outbox.pending.is_empty()
    }

    /// Pending bytes.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbox.waiting()
    }

    /// Traffic since the last call.
    pub(crate) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.outbox.traffic)
    }

    /// Continues to write pending bytes, as far as the socket takes them.
    pub(crate) fn flush(&mut self) -> Sent {
        match self.outbox.flush_pending() {
            Ok(()) => Sent::Written,
            Err(_) => Sent::Ended,
        }
    }

    /// Reads and discards, without decrypting.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) fn discard(&mut self) -> io::Result<usize> {
        self.outbox.read(&mut [0; 4096])
    }

    /// Writes a whole frame; the part that the socket does not take becomes pending.
    pub(crate) fn put(&mut self, frame: &[u8]) -> Sent {
        let Some(tls) = &mut self.tls else { return self.outbox.put(frame) };
        // Encrypt only what can be sent: TLS records are numbered, and a gap would break the session.
        if self.outbox.ended {
            return Sent::Ended;
        }
        match tls.write(frame, &mut self.outbox) {
            Ok(()) => Sent::Written,
            Err(_) => Sent::Ended,
        }
    }
}

/// Sends close_notify, so that the peer can tell this end from a truncated stream.
impl Drop for Transport {
    fn drop(&mut self) {
        if let (Some(tls), false) = (&mut self.tls, self.outbox.ended) {
            tls.close(&mut self.outbox);
        }
    }
}

/// Pending bytes, oldest first.
#[derive(Default)]
struct Backlog {
    bytes: Vec<u8>,
    /// How many of `bytes` are written.
    written: usize,
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes that are not written yet.
    fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    fn push(&mut self, bytes: &[u8]) {
        // A slow reader may never empty the backlog: drop the written part once it is large enough to be worth a move.
        if self.written >= OUTBOX_MAX {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            // Releases the memory of a past backlog.
            self.bytes.shrink_to(OUTBOX_KEPT);
        }
    }
}

impl Outbox {
    /// Writes bytes; the part that the socket does not take becomes pending.
    fn put(&mut self, bytes: &[u8]) -> Sent {
        if self.ended {
            return Sent::Ended;
        }
        if !self.pending.is_empty() {
            if self.waiting() + bytes.len() > OUTBOX_MAX {
                self.ended = true;
                return Sent::Ended;
            }
            self.pending.push(bytes);
            return if self.flush_pending().is_ok() { Sent::Written } else { Sent::Ended };
        }
        // The common case: nothing is pending, so the bytes are written without a copy.
        match self.write_some(bytes) {
            Ok(n) => {
                self.pending.push(&bytes[n..]);
                Sent::Written
            }
            Err(_) => Sent::Ended,
        }
    }

    fn waiting(&self) -> usize {
        self.pending.rest().len()
    }

    /// Writes pending bytes, as far as the socket takes them.
    fn flush_pending(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            let result = self.write_some(pending.rest());
            self.pending = pending;
            match result? {
                0 => return Ok(()),
                n => self.pending.wrote(n),
            }
        }
        Ok(())
    }

    /// One write; 0 if the socket takes nothing now.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.traffic.writes += 1;
        match self.stream.write(bytes) {
            Ok(0) => {
                self.ended = true;
                Err(io::ErrorKind::WriteZero.into())
            }
            Ok(n) => Ok(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }
}

/// Reads plaintext.
impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.outbox.read(buffer),
            Some(tls) => tls.read(buffer, &mut self.outbox),
        }
    }
}

/// One system call per readiness event: a short read has emptied the socket, and the poller reports when more arrives.
impl Read for Outbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.poll_left);
        if self.drained || wanted == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.traffic.reads += 1;
        let result = self.stream.read(&mut buffer[..wanted]);
        match &result {
            Ok(n) => {
                self.drained = *n < wanted && !self.closing;
                self.poll_left -= *n;
                self.traffic.bytes_in += *n as u64;
            }
            Err(error) => self.drained = error.kind() == io::ErrorKind::WouldBlock,
        }
        result
    }
}

/// Accepts all bytes, or fails because the connection has ended.
impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.put(bytes) {
            Sent::Written => Ok(bytes.len()),
            Sent::Ended => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn set_options(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    // Options are hints: a socket works without them.
    let _ = stream.set_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(NOTSENT_LOWAT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_never_empties_stays_within_a_few_outbox_sizes() {
        let mut backlog = Backlog::default();
        let (mut pushed, mut taken) = (0u32, 0u32);
        for round in 0..100_000 {
            let bytes: Vec<u8> = (0..100).map(|n| ((pushed + n) % 251) as u8).collect();
            backlog.push(&bytes);
            pushed += 100;
            // The reader lags behind by up to half an outbox.
            let takes = if round < 300 { 0 } else { 100 };
            for byte in &backlog.rest()[..takes] {
                assert_eq!(u32::from(*byte), taken % 251, "in order, each byte once");
                taken += 1;
            }
            backlog.wrote(takes);
            assert_eq!(backlog.rest().len() as u32, pushed - taken);
            assert!(backlog.bytes.capacity() <= 4 * OUTBOX_MAX, "{}", backlog.bytes.capacity());
        }
    }
}
