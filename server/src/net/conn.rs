//! One open WebSocket: what comes in, frame by frame and so much per look, and what goes out.
//!
//! Snapshots, answers, pongs and closes all go through the outbox of the [`Wire`], each a whole frame. Whatever the other end sends, a
//! look takes [`FRAMES_PER_LOOK`] frames and [`BYTES_PER_LOOK`] bytes at the most, so that nobody keeps the other connections of a
//! shard waiting. A connection belongs to one thread.

use std::io::ErrorKind;

use broadside_shared::protocol::close::CloseCode;

use super::frames::{CONTROL_MAX, Frame, FrameReader};
pub use super::wire::{Readable, Sent, Traffic, Wire};

/// Frames taken from one connection in one look: what a line that stood still delivers takes a few looks.
pub const FRAMES_PER_LOOK: u32 = 64;
/// Bytes read from one socket in one look, with what TLS adds.
pub const BYTES_PER_LOOK: usize = 16 * 1024;
/// Bytes read after our close, until the answer to it comes. Beyond, nothing is read: the kernel holds off whoever goes on, and the close is on
/// its way. To read nothing from the start would let the kernel answer with a reset, and the close might be lost.
pub const BYTES_AFTER_CLOSE: usize = 256 * 1024;
/// Room that `frame_header` needs in front of a payload.
pub const HEADER_MAX: usize = 10;
/// The first byte of a frame that is whole, by its kind (RFC 6455, section 5.2).
const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;
const FINAL_PONG: u8 = 0x8a;

/// One open WebSocket.
pub struct Conn {
    /// The socket, and what waits for it.
    pub wire: Wire,
    reader: FrameReader,
    input: Input,
    /// A ping that is not answered yet, since the answers before it wait for the socket. Only the newest is answered (RFC 6455,
    /// section 5.5.3): who pings and takes no answers lets nothing grow.
    owed_pong: Option<Vec<u8>>,
    /// Frames that may still be taken in this look.
    frames_left: u32,
    /// Bytes that this look may read.
    bytes_max: usize,
    /// Bytes that may still be read, once we have closed.
    after_close: Option<usize>,
    /// Bytes that came with the handshake and are not counted yet.
    early_bytes: usize,
    /// The last look ended before all was read.
    has_more: bool,
}

/// What is done with what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// It is taken apart.
    Open,
    /// It is thrown away: the other end broke the rules, and nothing behind that can be told apart.
    Discarded,
    /// Nothing comes any more: the other end has closed, and was answered.
    Closed,
}

/// What came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// A message: [`Conn::message`] has it.
    Message,
    /// Another frame: a ping, which is answered; a pong; a fragment that is not the last.
    Frame,
    /// A frame that ends the connection with this code; nothing after it is taken.
    Refused(CloseCode),
    /// Nothing for now.
    Nothing,
    /// As much as one look may take: there may be more.
    Enough,
    /// The connection is over, in good order or not.
    Ended,
}

impl Conn {
    /// A connection over an upgraded stream; `early` holds bytes that came right behind the handshake.
    #[must_use]
    pub fn new(wire: Wire, early: &[u8]) -> Self {
        Conn {
            wire,
            reader: FrameReader::new(early),
            input: Input::Open,
            owed_pong: None,
            frames_left: 0,
            bytes_max: 0,
            after_close: None,
            early_bytes: early.len(),
            has_more: false,
        }
    }

    /// The socket has something: a look at it begins.
    pub fn handle_readable(&mut self, readable: Readable) {
        self.frames_left = FRAMES_PER_LOOK;
        self.bytes_max = BYTES_PER_LOOK.min(self.after_close.unwrap_or(usize::MAX));
        self.wire.begin_look(readable, self.bytes_max);
    }

    /// The next thing that came in. Call it until [`Incoming::Nothing`], [`Incoming::Enough`] or [`Incoming::Ended`].
    pub fn receive(&mut self) -> Incoming {
        let incoming = match self.input {
            Input::Open => self.receive_frame(),
            Input::Discarded => self.discard(),
            Input::Closed => Incoming::Ended,
        };
        self.has_more = incoming == Incoming::Enough;
        incoming
    }

    /// The newest message.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.reader.payload()
    }

    /// Whether the last look left something unread.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// The end of a look: the bytes that it read.
    pub fn end_look(&mut self) -> usize {
        let read = self.bytes_max - self.wire.look_left();
        self.bytes_max -= read;
        if let Some(left) = &mut self.after_close {
            *left -= read.min(*left);
        }
        read + std::mem::take(&mut self.early_bytes)
    }

    /// Writes a binary frame after whatever waits: `buffer` holds [`HEADER_MAX`] free bytes, then the payload.
    pub fn send_framed(&mut self, buffer: &mut [u8]) -> Sent {
        let start = frame_header(buffer);
        self.wire.put(&buffer[start..])
    }

    /// Sends an empty WebSocket ping.
    pub fn send_ping(&mut self) {
        self.send_control(FINAL_PING, &[]);
    }

    /// Sends a close frame. What still comes in should be incoming out, so that the other end gets to read it.
    pub fn send_close(&mut self, code: CloseCode) {
        let mut payload = code.code().to_be_bytes().to_vec();
        payload.extend_from_slice(code.reason().as_bytes());
        self.send_control(FINAL_CLOSE, &payload);
        self.after_close = Some(BYTES_AFTER_CLOSE);
    }

    /// Goes on writing what waits, if the socket takes it.
    pub fn flush(&mut self) -> Sent {
        let sent = if self.wire.is_free() { Sent::Written } else { self.wire.flush() };
        if self.wire.is_free()
            && let Some(payload) = self.owed_pong.take()
        {
            self.send_control(FINAL_PONG, &payload);
        }
        sent
    }

    fn receive_frame(&mut self) -> Incoming {
        loop {
            if self.frames_left == 0 {
                return Incoming::Enough;
            }
            match self.reader.take_frame() {
                Ok(Some(frame)) => {
                    self.frames_left -= 1;
                    return self.handle_frame(frame);
                }
                Ok(None) => {}
                Err(code) => {
                    self.input = Input::Discarded;
                    return Incoming::Refused(code);
                }
            }
            match self.reader.read_from(&mut self.wire) {
                Ok(0) => return Incoming::Ended,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.all_read(),
                Err(error) => {
                    tracing::debug!(%error, "connection over");
                    return Incoming::Ended;
                }
            }
        }
    }

    fn handle_frame(&mut self, frame: Frame) -> Incoming {
        match frame {
            Frame::Message => Incoming::Message,
            Frame::Fragment | Frame::Pong => Incoming::Frame,
            // After a close nothing more is sent.
            Frame::Ping if self.after_close.is_some() => Incoming::Frame,
            Frame::Ping if self.wire.is_free() => {
                let (frame, length) = control(FINAL_PONG, self.reader.payload());
                self.wire.put(&frame[..length]);
                Incoming::Frame
            }
            Frame::Ping => {
                self.owed_pong = Some(self.reader.payload().to_vec());
                Incoming::Frame
            }
            Frame::Close => {
                self.input = Input::Closed;
                if self.after_close.is_none() {
                    let (frame, length) = control(FINAL_CLOSE, self.reader.payload());
                    self.wire.put(&frame[..length]);
                }
                Incoming::Ended
            }
        }
    }

    /// Nothing can be read for now, or in this look.
    fn all_read(&self) -> Incoming {
        match (self.wire.is_cut_short(), self.after_close) {
            (true, Some(left)) if left > self.bytes_max => Incoming::Enough,
            // Nothing more is read: the end would not be seen.
            (true, Some(_)) if self.wire.is_closing() => Incoming::Ended,
            (true, None) => Incoming::Enough,
            (true, Some(_)) | (false, _) => Incoming::Nothing,
        }
    }

    /// Reads and forgets.
    fn discard(&mut self) -> Incoming {
        loop {
            match self.wire.discard() {
                Ok(0) => return Incoming::Ended,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.all_read(),
                Err(_) => return Incoming::Ended,
            }
        }
    }

    fn send_control(&mut self, first: u8, payload: &[u8]) {
        let (frame, length) = control(first, payload);
        // What cannot be written ends the connection in `Wire::put`.
        self.wire.put(&frame[..length]);
    }
}

/// A control frame, and its length.
fn control(first: u8, payload: &[u8]) -> ([u8; 2 + CONTROL_MAX], usize) {
    let mut frame = [0; 2 + CONTROL_MAX];
    let length = payload.len().min(CONTROL_MAX);
    frame[..2].copy_from_slice(&[first, length as u8]);
    frame[2..2 + length].copy_from_slice(&payload[..length]);
    (frame, 2 + length)
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
mod tests;
