//! One open WebSocket: reads frames, a bounded number per poll, and writes frames.
//!
//! Snapshots, replies, pongs and closes all go through the outbox of the [`Transport`], each as a whole frame. Whatever the client sends, a
//! poll reads at most [`FRAMES_PER_POLL`] frames and [`BYTES_PER_POLL`] bytes, so that no connection delays the others of its shard.
//! A connection belongs to one thread.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use broadside_shared::protocol::close::CloseCode;

use super::frames::{CONTROL_MAX, Frame, FrameReader};
pub(crate) use super::transport::{Readable, Sent, Transport};

/// Frames read from one connection per poll; the backlog of a stalled link takes a few polls.
pub(crate) const FRAMES_PER_POLL: u32 = 64;
/// Bytes read from one socket per poll, including TLS overhead.
pub(crate) const BYTES_PER_POLL: usize = 16 * 1024;
/// Bytes read after sending a close, until the client answers it. Then reading stops: the kernel's flow control holds back a client that
/// goes on, while the close is delivered. Reading nothing at all would make the kernel send a reset, and the close might be lost.
pub(crate) const BYTES_AFTER_CLOSE: usize = 256 * 1024;
/// Bytes that `frame_header` needs in front of a payload.
pub(crate) const HEADER_MAX: usize = 10;
// First bytes of unfragmented frames (RFC 6455, section 5.2).
const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;
const FINAL_PONG: u8 = 0x8a;

/// One open WebSocket.
pub struct Conn {
    /// The socket and its outbox.
    pub(crate) transport: Transport,
    reader: FrameReader,
    input: Input,
    /// The newest ping that is not answered yet, since earlier bytes wait for the socket. Answering only the newest (RFC 6455,
    /// section 5.5.3) bounds what a client that pings without reading can queue.
    pending_pong: Option<Vec<u8>>,
    /// Frames that this poll may still read.
    frames_left: u32,
    /// Bytes that this poll may read.
    bytes_max: usize,
    /// Bytes that may still be read, once a close was sent.
    after_close: Option<usize>,
    /// Bytes that arrived with the handshake and are not counted yet.
    early_bytes: usize,
    /// The last poll ended before all was read.
    has_more: bool,
}

/// State of the incoming side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// Bytes are parsed.
    Open,
    /// Bytes are discarded: after a protocol error, frame boundaries are unknown.
    Discarded,
    /// The client has closed and was answered; nothing more arrives.
    Closed,
}

/// What was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A message, available as [`Conn::message`].
    Message,
    /// Another frame: a ping, which is answered, a pong, or a fragment that is not the last.
    Frame,
    /// A frame that ends the connection with this code; nothing after it is read.
    Refused(CloseCode),
    /// Nothing is available now.
    Nothing,
    /// The limit of the poll is reached; more may be available.
    PollLimit,
    /// The connection ended, cleanly or not.
    Ended,
}

impl Conn {
    /// A connection over an upgraded stream; `early` holds bytes that arrived right after the handshake.
    pub(crate) fn new(transport: Transport, early: &[u8]) -> Self {
        Conn {
            transport,
            reader: FrameReader::new(early),
            input: Input::Open,
            pending_pong: None,
            frames_left: 0,
            bytes_max: 0,
            after_close: None,
            early_bytes: early.len(),
            has_more: false,
        }
    }

    /// Starts a poll: the socket is readable.
    pub(crate) fn handle_readable(&mut self, readable: Readable) {
        self.frames_left = FRAMES_PER_POLL;
        self.bytes_max = BYTES_PER_POLL.min(self.after_close.unwrap_or(usize::MAX));
        self.transport.start_poll(readable, self.bytes_max);
    }

    /// Receives the next frame. To be called until [`Incoming::Nothing`], [`Incoming::PollLimit`] or [`Incoming::Ended`].
    pub(crate) fn receive(&mut self) -> Incoming {
        let incoming = match self.input {
            Input::Open => self.receive_frame(),
            Input::Discarded => self.discard(),
            Input::Closed => Incoming::Ended,
        };
        self.has_more = incoming == Incoming::PollLimit;
        incoming
    }

    /// The newest message.
    pub(crate) fn message(&self) -> &[u8] {
        self.reader.payload()
    }

    /// Whether the last poll left something unread.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Ends a poll. Returns the bytes that it read.
    pub(crate) fn end_poll(&mut self) -> usize {
        let read = self.bytes_max - self.transport.poll_left();
        self.bytes_max -= read;
        if let Some(left) = &mut self.after_close {
            *left -= read.min(*left);
        }
        read + std::mem::take(&mut self.early_bytes)
    }

    /// Writes a binary frame. `buffer` holds [`HEADER_MAX`] free bytes, then the payload.
    pub(crate) fn send_framed(&mut self, buffer: &mut [u8]) -> Sent {
        let start = frame_header(buffer);
        self.transport.put(&buffer[start..])
    }

    /// Sends an empty WebSocket ping.
    pub(crate) fn send_ping(&mut self) {
        self.send_control(FINAL_PING, &[]);
    }

    /// Sends a close frame. Keep receiving until the end, so that the client gets to read the frame.
    pub(crate) fn send_close(&mut self, code: CloseCode) {
        self.send_control(FINAL_CLOSE, &close_payload(code));
        self.after_close = Some(BYTES_AFTER_CLOSE);
    }

    /// Whether another process can go on with the socket: between two frames of the client, and without TLS.
    pub(crate) fn can_be_passed(&self) -> bool {
        self.input == Input::Open
            && self.after_close.is_none()
            && self.reader.is_between_messages()
            && self.transport.can_be_passed()
    }

    /// The socket for another process, the bytes read of a frame that is not whole, and those that the socket did not take.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub(crate) fn pass_on(self) -> io::Result<(OwnedFd, Vec<u8>, Vec<u8>)> {
        let (stream, unsent) = self.transport.pass_on()?;
        Ok((stream, self.reader.unread().to_vec(), unsent))
    }

    /// Continues to write pending bytes, as far as the socket takes them.
    pub(crate) fn flush(&mut self) -> Sent {
        let sent = if self.transport.is_free() { Sent::Written } else { self.transport.flush() };
        if self.transport.is_free()
            && let Some(payload) = self.pending_pong.take()
        {
            self.send_control(FINAL_PONG, &payload);
        }
        sent
    }

    fn receive_frame(&mut self) -> Incoming {
        loop {
            if self.frames_left == 0 {
                return Incoming::PollLimit;
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
            match self.reader.read_from(&mut self.transport) {
                Ok(0) => return Incoming::Ended,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.all_read(),
                Err(error) => {
                    tracing::debug!(%error, "connection ended");
                    return Incoming::Ended;
                }
            }
        }
    }

    fn handle_frame(&mut self, frame: Frame) -> Incoming {
        match frame {
            Frame::Message => Incoming::Message,
            Frame::Fragment | Frame::Pong => Incoming::Frame,
            // Nothing is sent after a close.
            Frame::Ping if self.after_close.is_some() => Incoming::Frame,
            Frame::Ping if self.transport.is_free() => {
                let (frame, length) = control(FINAL_PONG, self.reader.payload());
                self.transport.put(&frame[..length]);
                Incoming::Frame
            }
            Frame::Ping => {
                self.pending_pong = Some(self.reader.payload().to_vec());
                Incoming::Frame
            }
            Frame::Close => {
                self.input = Input::Closed;
                if self.after_close.is_none() {
                    let (frame, length) = control(FINAL_CLOSE, self.reader.payload());
                    self.transport.put(&frame[..length]);
                }
                Incoming::Ended
            }
        }
    }

    /// The result when nothing more can be read now, or in this poll.
    fn all_read(&self) -> Incoming {
        match (self.transport.is_cut_short(), self.after_close) {
            (true, Some(left)) if left > self.bytes_max => Incoming::PollLimit,
            // Reading has stopped, so the end would go unnoticed.
            (true, Some(_)) if self.transport.is_closing() => Incoming::Ended,
            (true, None) => Incoming::PollLimit,
            (true, Some(_)) | (false, _) => Incoming::Nothing,
        }
    }

    /// Reads and discards.
    fn discard(&mut self) -> Incoming {
        loop {
            match self.transport.discard() {
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
        // A failed write ends the connection in `Transport::put`.
        self.transport.put(&frame[..length]);
    }
}

fn close_payload(code: CloseCode) -> Vec<u8> {
    [&code.code().to_be_bytes(), code.reason().as_bytes()].concat()
}

/// A close frame.
pub(super) fn close_frame(code: CloseCode) -> Vec<u8> {
    let (frame, length) = control(FINAL_CLOSE, &close_payload(code));
    frame[..length].to_vec()
}

/// A binary frame.
pub(super) fn framed(payload: &[u8]) -> Vec<u8> {
    let mut buffer = [&[0; HEADER_MAX], payload].concat();
    let start = frame_header(&mut buffer);
    buffer.split_off(start)
}

/// A control frame and its length.
fn control(first: u8, payload: &[u8]) -> ([u8; 2 + CONTROL_MAX], usize) {
    let mut frame = [0; 2 + CONTROL_MAX];
    let length = payload.len().min(CONTROL_MAX);
    frame[..2].copy_from_slice(&[first, length as u8]);
    frame[2..2 + length].copy_from_slice(&payload[..length]);
    (frame, 2 + length)
}

/// Writes a WebSocket header right before the payload of `buffer`, whose first [`HEADER_MAX`] bytes are free. Returns the start of
/// the frame. Servers do not mask frames (RFC 6455, section 5.1).
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
