//! One open WebSocket: what comes in as messages, and the outbox that is the one way out.
//!
//! Snapshots, answers, and what tungstenite writes by itself (pongs, closes) all go through the outbox, each a whole frame, so
//! that none is ever torn: what a write leaves over is finished before anything else. It is bounded by newest-wins: while
//! bytes wait, a snapshot is refused and not queued. With TLS, frames are sealed right before the outbox, which then holds
//! sealed bytes. A connection belongs to one thread.

use std::io::{self, Read, Write};

use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::limits::CLIENT_FRAME_MAX;
use bytes::Bytes;
use mio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WsCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};

use super::tls::Tls;

/// Bytes waiting for one socket at the most; a connection that needs more takes nothing and is ended.
const OUTBOX_MAX: usize = 64 * 1024;
/// What a quiet outbox keeps of the room that a backlog took.
const OUTBOX_KEPT: usize = 1024;
/// Room that `frame_header` needs in front of a payload.
pub const HEADER_MAX: usize = 10;
/// The first byte of a WebSocket frame: final, binary (RFC 6455, section 5.2).
const FINAL_BINARY: u8 = 0x82;
/// What the kernel may hold of unsent bytes of one connection before the socket refuses more. A backstop: what a client has
/// not acknowledged is bounded before that.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 16 * 1024;
/// Send buffer of a socket. Linux doubles it for its own accounts.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes read at once: a handful of input packets. One read that brings less has emptied the socket. With less room, tungstenite more
/// often has only the end of its buffer to read into, and a second read is needed.
const READ_AT_ONCE: usize = 512;

/// One open WebSocket.
pub struct Conn {
    wire: Wire,
    ws: WebSocketContext,
    /// What follows is not looked at any more.
    deaf: bool,
}

/// The socket, and TLS where it was asked for.
pub struct Wire {
    tls: Option<Tls>,
    outbox: Outbox,
}

/// The socket and what waits for it.
struct Outbox {
    stream: TcpStream,
    pending: Vec<u8>,
    /// How much of `pending` is written.
    written: usize,
    ended: bool,
    /// The last read took all there was: another one would only be told so by the kernel.
    drained: bool,
    /// The other end has closed its side: reads go on until they say so.
    closing: bool,
    traffic: Traffic,
}

/// What one connection moved, since the last [`Conn::take_traffic`].
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

/// What came in.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// A frame longer than [`CLIENT_FRAME_MAX`]; nothing after it is looked at.
    TooLong,
    /// A frame that breaks the rules of WebSocket; nothing after it is looked at.
    Broken,
    /// Bytes that are not looked at.
    Noise,
    /// Nothing for now.
    Nothing,
    /// The connection is over, in good order or not.
    Ended,
}

impl Conn {
    /// A connection over an upgraded stream; `early` holds bytes that came right behind the handshake.
    #[must_use]
    pub fn new(wire: Wire, early: &[u8]) -> Self {
        // The library's defaults are 128 KiB of read buffer per connection and messages of 64 MiB; ours are tens of bytes.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_AT_ONCE)
            .write_buffer_size(0)
            .max_write_buffer_size(8 * 1024)
            .max_message_size(Some(CLIENT_FRAME_MAX))
            .max_frame_size(Some(CLIENT_FRAME_MAX));
        let ws = if early.is_empty() {
            WebSocketContext::new(Role::Server, Some(config))
        } else {
            WebSocketContext::from_partially_read(early.to_vec(), Role::Server, Some(config))
        };
        Conn { wire, ws, deaf: false }
    }

    /// The socket, to be watched.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.wire.outbox.stream
    }

    /// The socket has something.
    pub fn handle_readable(&mut self, readable: Readable) {
        self.wire.outbox.drained = false;
        self.wire.outbox.closing |= readable == Readable::ToTheEnd;
    }

    /// The next thing that came in. Call it until [`Heard::Nothing`] or [`Heard::Ended`].
    pub fn hear(&mut self) -> Heard {
        if self.deaf {
            return self.discard();
        }
        match self.ws.read(&mut self.wire) {
            Ok(message) => Heard::Message(message),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => Heard::Noise,
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                self.deaf = true;
                Heard::TooLong
            }
            Err(error) if is_broken(&error) => {
                tracing::debug!(%error, "broken frame");
                self.deaf = true;
                Heard::Broken
            }
            Err(error) => {
                tracing::debug!(%error, "connection over");
                Heard::Ended
            }
        }
    }

    /// Whether a snapshot would be written now: nothing waits for the socket.
    pub fn is_free(&self) -> bool {
        self.wire.outbox.pending.is_empty()
    }

    /// Whether nothing can be written any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.wire.outbox.ended
    }

    /// Bytes that wait for the socket.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.wire.outbox.waiting()
    }

    /// Writes a binary frame after whatever waits: `buffer` holds [`HEADER_MAX`] free bytes, then the payload.
    pub fn send_framed(&mut self, buffer: &mut [u8]) -> Sent {
        let start = frame_header(buffer);
        self.wire.put(&buffer[start..])
    }

    /// Sends an empty WebSocket ping.
    pub fn send_ping(&mut self) {
        // What cannot be written ends the connection in `Wire::put`.
        let _ = self.ws.write(&mut self.wire, Message::Ping(Bytes::new()));
    }

    /// Sends a close frame. What still comes in should be heard out, so that the other end gets to read it.
    pub fn send_close(&mut self, code: CloseCode) {
        let frame = CloseFrame { code: WsCode::from(code.code()), reason: code.reason().into() };
        let _ = self.ws.close(&mut self.wire, Some(frame));
        // The library writes a close when it next reads or flushes.
        let _ = self.ws.flush(&mut self.wire);
    }

    /// Goes on writing what waits, if the socket takes it.
    pub fn flush(&mut self) -> Sent {
        match self.wire.outbox.flush_pending() {
            Ok(()) => Sent::Written,
            Err(_) => Sent::Ended,
        }
    }

    /// What moved since the last call.
    pub fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.wire.outbox.traffic)
    }

    /// Reads and forgets: while we wait for the end of a peer that broke the rules, its bytes must not fill the socket, or the
    /// kernel would answer with a reset and our close frame would be lost.
    fn discard(&mut self) -> Heard {
        let mut sink = [0; 4096];
        match self.wire.read(&mut sink) {
            Ok(0) => Heard::Ended,
            Ok(_) => Heard::Noise,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Heard::Noise,
            Err(_) => Heard::Ended,
        }
    }
}

impl Wire {
    /// A socket whose handshakes are over, with the session of its TLS.
    #[must_use]
    pub fn new(stream: TcpStream, tls: Option<Tls>) -> Self {
        set_options(&stream);
        let outbox = Outbox {
            stream,
            pending: Vec::new(),
            written: 0,
            ended: false,
            drained: false,
            closing: false,
            traffic: Traffic::default(),
        };
        let mut wire = Wire { tls, outbox };
        if let Some(tls) = &mut wire.tls {
            // A socket that is gone already is noticed when it is read.
            let _ = tls.hand_on(&mut wire.outbox);
        }
        wire
    }

    /// Writes a whole frame or keeps what the socket does not take.
    fn put(&mut self, frame: &[u8]) -> Sent {
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
            self.pending.extend_from_slice(bytes);
            return if self.flush_pending().is_ok() { Sent::Written } else { Sent::Ended };
        }
        // The common case: nothing waits, so the bytes go out as they are and are not copied.
        match self.write_some(bytes) {
            Ok(n) => {
                self.pending.extend_from_slice(&bytes[n..]);
                Sent::Written
            }
            Err(_) => Sent::Ended,
        }
    }

    fn waiting(&self) -> usize {
        self.pending.len() - self.written
    }

    /// Writes what waits, as far as the socket takes it.
    fn flush_pending(&mut self) -> io::Result<()> {
        while self.written < self.pending.len() {
            let pending = std::mem::take(&mut self.pending);
            let result = self.write_some(&pending[self.written..]);
            self.pending = pending;
            match result? {
                0 => return Ok(()),
                n => self.written += n,
            }
        }
        self.pending.clear();
        self.written = 0;
        // A connection that was slow once does not hold its worst backlog for good.
        self.pending.shrink_to(OUTBOX_KEPT);
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

/// What tungstenite reads.
impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.outbox.read(buffer),
            Some(tls) => tls.read(buffer, &mut self.outbox),
        }
    }
}

/// What tungstenite writes: whole frames.
impl Write for Wire {
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

/// One call of the kernel per readiness: a read that brings less than asked for has emptied the socket, and the watch reports
/// anew when more comes.
impl Read for Outbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.drained {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.traffic.reads += 1;
        let result = self.stream.read(buffer);
        match &result {
            Ok(n) => {
                self.drained = *n < buffer.len() && !self.closing;
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

/// Whether the other end broke the rules, and can still be told so.
fn is_broken(error: &Error) -> bool {
    use ProtocolError::{ReceivedAfterClosing, ResetWithoutClosingHandshake, SendAfterClosing};
    match error {
        Error::Protocol(ResetWithoutClosingHandshake | SendAfterClosing | ReceivedAfterClosing) => false,
        Error::Protocol(_) | Error::Utf8(_) => true,
        _ => false,
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
