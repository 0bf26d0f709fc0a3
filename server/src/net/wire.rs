//! One socket, with TLS where it was asked for: reads of a bounded number of bytes per look, and the outbox that is the one way out.
//!
//! Each frame goes into the outbox whole, so that none is ever torn: what a write leaves over is finished before anything else. It is bounded by
//! newest-wins: while bytes wait, a snapshot is refused and not queued. With TLS, frames are sealed right before the outbox, which then
//! holds sealed bytes.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use super::tls::Tls;

/// Bytes waiting for one socket at the most; a connection that needs more takes nothing and is ended.
const OUTBOX_MAX: usize = 64 * 1024;
/// What a quiet outbox keeps of the room that a backlog took.
const OUTBOX_KEPT: usize = 1024;
/// What the kernel may hold of unsent bytes of one connection before the socket refuses more. A backstop: what a client has
/// not acknowledged is bounded before that.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 16 * 1024;
/// Send buffer of a socket. Linux doubles it for its own accounts.
const SEND_BUFFER: usize = 64 * 1024;

/// The socket, and TLS where it was asked for.
pub struct Wire {
    tls: Option<Tls>,
    outbox: Outbox,
}

/// The socket and what waits for it.
struct Outbox {
    stream: TcpStream,
    pending: Backlog,
    ended: bool,
    /// The last read took all there was: another one would only be told so by the kernel.
    drained: bool,
    /// The other end has closed its side: reads go on until they say so.
    closing: bool,
    /// Bytes that may still be read in this look.
    look_left: usize,
    traffic: Traffic,
}

/// What one connection moved, since the last [`Wire::take_traffic`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// System calls that read.
    pub reads: u64,
    /// Bytes that they brought.
    pub bytes_in: u64,
    /// System calls that wrote.
    pub writes: u64,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was written, or the last of it waits for the socket.
    Written,
    /// The connection is over.
    Ended,
}

/// What the watch says of a socket that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// There are bytes.
    More,
    /// There may be bytes, and then the end: the other side has closed.
    ToTheEnd,
}

impl Wire {
    /// A socket whose handshakes are over, with the session of its TLS.
    #[must_use]
    pub fn new(stream: TcpStream, tls: Option<Tls>) -> Self {
        set_options(&stream);
        let outbox = Outbox {
            stream,
            pending: Backlog::default(),
            ended: false,
            drained: false,
            closing: false,
            look_left: 0,
            traffic: Traffic::default(),
        };
        let mut wire = Wire { tls, outbox };
        if let Some(tls) = &mut wire.tls {
            // A socket that is gone already is noticed when it is read.
            let _ = tls.hand_on(&mut wire.outbox);
        }
        wire
    }

    /// The socket, to be watched.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.outbox.stream
    }

    /// The socket has something: up to `bytes_max` bytes of it may be read, with what TLS adds.
    pub fn begin_look(&mut self, readable: Readable, bytes_max: usize) {
        self.note(readable);
        self.outbox.look_left = bytes_max;
    }

    /// The socket has something, for the next look.
    pub fn note(&mut self, readable: Readable) {
        self.outbox.drained = false;
        self.outbox.closing |= readable == Readable::ToTheEnd;
    }

    /// Bytes that this look may still read.
    #[must_use]
    pub fn look_left(&self) -> usize {
        self.outbox.look_left
    }

    /// Whether there may be more to read than this look allows.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.outbox.look_left == 0 && !self.outbox.drained
    }

    /// Whether the other end has closed its side.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.outbox.closing
    }

    /// Whether nothing can be written any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.outbox.ended
    }

    /// Whether nothing waits for the socket.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.outbox.pending.is_empty()
    }

    /// Bytes that wait for the socket.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.waiting()
    }

    /// What moved since the last call.
    pub fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.outbox.traffic)
    }

    /// Goes on writing what waits, if the socket takes it.
    pub fn flush(&mut self) -> Sent {
        match self.outbox.flush_pending() {
            Ok(()) => Sent::Written,
            Err(_) => Sent::Ended,
        }
    }

    /// Reads and forgets, past TLS: what is not looked at need not be opened.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn discard(&mut self) -> io::Result<usize> {
        self.outbox.read(&mut [0; 4096])
    }

    /// Writes a whole frame or keeps what the socket does not take.
    pub fn put(&mut self, frame: &[u8]) -> Sent {
        let Some(tls) = &mut self.tls else { return self.outbox.put(frame) };
        // Nothing is sealed that cannot be sent: what was sealed counts, and a gap would break the session.
        if self.outbox.ended {
            return Sent::Ended;
        }
        match tls.write(frame, &mut self.outbox) {
            Ok(()) => Sent::Written,
            Err(_) => Sent::Ended,
        }
    }
}

/// In good order: with TLS, the other end is told that this is the end and not a cut.
impl Drop for Wire {
    fn drop(&mut self) {
        if let (Some(tls), false) = (&mut self.tls, self.outbox.ended) {
            tls.close(&mut self.outbox);
        }
    }
}

/// Bytes that wait for a socket, oldest first.
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

    /// What is not written yet.
    fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    fn push(&mut self, bytes: &[u8]) {
        // Whoever takes a little all the time may never take all of it: what is written goes, once it is worth a move.
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
            // A connection that was slow once does not hold its worst backlog for good.
            self.bytes.shrink_to(OUTBOX_KEPT);
        }
    }
}

impl Outbox {
    /// Writes bytes or keeps what the socket does not take.
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
        // The common case: nothing waits, so the bytes go out as they are and are not copied.
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

    /// Writes what waits, as far as the socket takes it.
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

    /// One write; 0 when the socket takes nothing now.
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

/// What the client sent, without TLS.
impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.outbox.read(buffer),
            Some(tls) => tls.read(buffer, &mut self.outbox),
        }
    }
}

/// One call of the kernel per readiness: a read that brings less than asked for has emptied the socket, and the watch reports
/// anew when more comes.
impl Read for Outbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let asked = buffer.len().min(self.look_left);
        if self.drained || asked == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.traffic.reads += 1;
        let result = self.stream.read(&mut buffer[..asked]);
        match &result {
            Ok(n) => {
                self.drained = *n < asked && !self.closing;
                self.look_left -= *n;
                self.traffic.bytes_in += *n as u64;
            }
            Err(error) => self.drained = error.kind() == io::ErrorKind::WouldBlock,
        }
        result
    }
}

/// Takes all it is given, or is over.
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
    // Options are advice: a kernel that refuses one still works.
    let _ = stream.set_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(NOTSENT_LOWAT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_a_little_all_the_time_and_never_all_holds_no_more_than_a_few_outboxes() {
        let mut backlog = Backlog::default();
        let (mut pushed, mut taken) = (0u32, 0u32);
        for round in 0..100_000 {
            let bytes: Vec<u8> = (0..100).map(|n| ((pushed + n) % 251) as u8).collect();
            backlog.push(&bytes);
            pushed += 100;
            // It lags behind by up to half an outbox.
            let takes = if round < 300 { 0 } else { 100 };
            for byte in &backlog.rest()[..takes] {
                assert_eq!(u32::from(*byte), taken % 251, "in order, and each once");
                taken += 1;
            }
            backlog.wrote(takes);
            assert_eq!(backlog.rest().len() as u32, pushed - taken);
            assert!(backlog.bytes.capacity() <= 4 * OUTBOX_MAX, "{}", backlog.bytes.capacity());
        }
    }
}
