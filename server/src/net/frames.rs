//! PURE. Parses WebSocket frames of a client (RFC 6455, section 5) one at a time, so that each counts against the rate limits as it is read.
//!
//! A library that returns whole messages keeps reading within one call while fragments arrive; this parser stops after every frame. It
//! accepts only what clients of this server may send: masked frames, and binary messages of at most [`CLIENT_FRAME_MAX`] bytes in at most
//! [`FRAGMENTS_MAX`] fragments. Anything else is refused at its header, before its payload arrives.

use std::io::{self, Read};

use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::limits::{CLIENT_FRAME_MAX, FRAGMENTS_MAX};

/// Bytes per read: a handful of input packets. A short read has emptied the socket.
const READ_AT_ONCE: usize = 512;
/// Longest payload of a control frame, in bytes (RFC 6455, section 5.5).
pub const CONTROL_MAX: usize = 125;

/// The kind of a received frame. [`FrameReader::payload`] has its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A message, or the last fragment of one: the payload is the whole message.
    Message,
    /// A fragment that is not the last.
    Fragment,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A close without a code or with a valid one. No other frame follows.
    Close,
}

/// Parser of the bytes of one connection.
#[derive(Debug)]
pub struct FrameReader {
    /// Bytes read and not yet parsed are `bytes[start..end]`.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Length of the incomplete frame including its header; 0 while unknown.
    awaited: usize,
    /// Fragments received of the incomplete message.
    fragments: u32,
    /// Their payloads.
    message: Vec<u8>,
    payload: Payload,
}

/// Where the payload of the newest frame is.
#[derive(Debug, Clone, Copy)]
enum Payload {
    /// In `bytes`, from here to `start`.
    From(usize),
    /// In `message`.
    Joined,
}

/// Opcodes with their values on the wire (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A frame header.
#[derive(Debug)]
struct Header {
    opcode: Opcode,
    is_final: bool,
    /// Length of the header, in bytes.
    bytes: usize,
    payload_bytes: usize,
    mask: [u8; 4],
}

impl FrameReader {
    /// A parser that starts with the bytes `early`.
    #[must_use]
    pub fn new(early: &[u8]) -> Self {
        FrameReader {
            bytes: early.to_vec(),
            start: 0,
            end: early.len(),
            awaited: 0,
            fragments: 0,
            message: Vec::new(),
            payload: Payload::From(0),
        }
    }

    /// Reads once. To be called when [`FrameReader::take_frame`] returned `None`. Returns the bytes read; 0 at the end.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn read_from(&mut self, source: &mut impl Read) -> io::Result<usize> {
        self.reserve();
        let read = source.read(&mut self.bytes[self.end..])?;
        self.end += read;
        Ok(read)
    }

    /// The next frame, if it is complete.
    ///
    /// # Errors
    /// The code to close the connection with; nothing can be parsed after it.
    pub fn take_frame(&mut self) -> Result<Option<Frame>, CloseCode> {
        let bytes = &self.bytes[self.start..self.end];
        let header = match Header::parse(bytes, self.fragments) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(None),
            Err(violation) => {
                tracing::debug!(why = violation.why, "frame refused");
                return Err(violation.code);
            }
        };
        if header.opcode.is_data() && self.so_far() + header.payload_bytes > CLIENT_FRAME_MAX {
            return Err(CloseCode::TooBig);
        }
        let length = header.bytes + header.payload_bytes;
        if length > bytes.len() {
            self.awaited = length;
            return Ok(None);
        }
        let payload_from = self.start + header.bytes;
        self.start += length;
        self.awaited = 0;
        self.payload = Payload::From(payload_from);
        unmask(&mut self.bytes[payload_from..self.start], header.mask);
        self.accept(&header).map(Some)
    }

    /// The payload of the newest frame; the whole message after [`Frame::Message`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self.payload {
            Payload::From(from) => &self.bytes[from..self.start],
            Payload::Joined => &self.message,
        }
    }

    /// Whether no message has come in part, but for the bytes of one frame.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.fragments == 0
    }

    /// The bytes of the frame that is not whole yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn accept(&mut self, header: &Header) -> Result<Frame, CloseCode> {
        match header.opcode {
            Opcode::Ping => Ok(Frame::Ping),
            Opcode::Pong => Ok(Frame::Pong),
            Opcode::Close if is_close(self.payload()) => Ok(Frame::Close),
            Opcode::Close => Err(CloseCode::Broken),
            Opcode::Binary if header.is_final => Ok(Frame::Message),
            // Text is refused at its header.
            Opcode::Binary | Opcode::Text | Opcode::Continuation => Ok(self.join(header.is_final)),
        }
    }

    /// Appends the newest fragment to the message.
    fn join(&mut self, is_final: bool) -> Frame {
        if self.fragments == 0 {
            self.message.clear();
        }
        if let Payload::From(from) = self.payload {
            self.message.extend_from_slice(&self.bytes[from..self.start]);
        }
        self.fragments += 1;
        if !is_final {
            return Frame::Fragment;
        }
        self.fragments = 0;
        self.payload = Payload::Joined;
        Frame::Message
    }

    /// Bytes received of the incomplete message.
    fn so_far(&self) -> usize {
        if self.fragments == 0 { 0 } else { self.message.len() }
    }

    /// Moves unparsed bytes to the front, and reserves space for a read and for the incomplete frame.
    fn reserve(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.payload = Payload::From(0);
        let wanted = READ_AT_ONCE.max(self.awaited).max(self.end);
        if self.bytes.len() != wanted {
            self.bytes.resize(wanted, 0);
            // Releases the memory of a long frame or of many early bytes.
            self.bytes.shrink_to_fit();
        }
    }
}

impl Opcode {
    fn of(first: u8) -> Option<Opcode> {
        match first & 0x0f {
            0 => Some(Opcode::Continuation),
            1 => Some(Opcode::Text),
            2 => Some(Opcode::Binary),
            8 => Some(Opcode::Close),
            9 => Some(Opcode::Ping),
            10 => Some(Opcode::Pong),
            _ => None,
        }
    }

    fn is_data(self) -> bool {
        match self {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => true,
            Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        }
    }
}

/// Why a frame is refused.
struct Violation {
    code: CloseCode,
    why: &'static str,
}

fn broken<T>(why: &'static str) -> Result<T, Violation> {
    Err(Violation { code: CloseCode::Broken, why })
}

impl Header {
    /// The header at the start of `bytes`, if it is complete; `fragments` of the current message have arrived.
    fn parse(bytes: &[u8], fragments: u32) -> Result<Option<Header>, Violation> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        let is_final = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return broken("a reserved bit is set");
        }
        let Some(opcode) = Opcode::of(first) else { return broken("a reserved opcode") };
        if second & 0x80 == 0 {
            return broken("not masked");
        }
        let short = usize::from(second & 0x7f);
        match opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong if !is_final => return broken("a control frame in fragments"),
            Opcode::Close | Opcode::Ping | Opcode::Pong if short > CONTROL_MAX => {
                return broken("a control frame longer than 125 bytes");
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
            Opcode::Continuation if fragments == 0 => return broken("a continuation without a message"),
            Opcode::Text | Opcode::Binary if fragments > 0 => return broken("a message within another"),
            Opcode::Text => return Err(Violation { code: CloseCode::Unsupported, why: "text" }),
            Opcode::Continuation if fragments >= FRAGMENTS_MAX => {
                return Err(Violation { code: CloseCode::TooManyFrames, why: "a message in too many fragments" });
            }
            Opcode::Continuation | Opcode::Binary => {}
        }
        let Some((payload_bytes, mask_at)) = length(short, bytes)? else { return Ok(None) };
        let mask = bytes.get(mask_at..mask_at + 4).and_then(|mask| <[u8; 4]>::try_from(mask).ok());
        Ok(mask.map(|mask| Header { opcode, is_final, bytes: mask_at + 4, payload_bytes, mask }))
    }
}

/// The length of a payload and where the length field ends, if it is complete. Must be in its shortest form (RFC 6455, section 5.2).
fn length(short: usize, bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let (length, end) = match short {
        0..=125 => return Ok(Some((short, 2))),
        126 => match bytes.get(2..4).and_then(|length| <[u8; 2]>::try_from(length).ok()) {
            Some(length) => (u64::from(u16::from_be_bytes(length)), 4),
            None => return Ok(None),
        },
        _ => match bytes.get(2..10).and_then(|length| <[u8; 8]>::try_from(length).ok()) {
            Some(length) => (u64::from_be_bytes(length), 10),
            None => return Ok(None),
        },
    };
    let shortest = if end == 4 { 126 } else { 65_536 };
    if length < shortest || length >> 63 != 0 {
        return broken("a length that is not in its shortest form, or has its top bit set");
    }
    // A length beyond usize is beyond the limit as well.
    Ok(Some((usize::try_from(length).unwrap_or(usize::MAX / 2).min(usize::MAX / 2), end)))
}

fn unmask(payload: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let mask = [a, b, c, d, a, b, c, d];
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ u64::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// Whether this is a valid payload of a close frame: empty, or a code that may be sent (RFC 6455, section 7.4, and the IANA registry)
/// and a reason in UTF-8.
fn is_close(payload: &[u8]) -> bool {
    match payload {
        [] => true,
        [_] => false,
        [high, low, reason @ ..] => {
            let is_valid_code = matches!(u16::from_be_bytes([*high, *low]), 1000..=1003 | 1007..=1014 | 3000..=4999);
            is_valid_code && std::str::from_utf8(reason).is_ok()
        }
    }
}

#[cfg(test)]
mod tests;
