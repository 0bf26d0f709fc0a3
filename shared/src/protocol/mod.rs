//! Every message and its encoding. `docs/PROTOCOL.md` describes the bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`message`] | control messages, in both directions |
//! | [`codec`] | encoding of control messages; the only file that names bincode |
//! | [`input`] | the input packet: a player's inputs, tick by tick |
//! | [`snapshot`] | the snapshot frame: the world as sent to one client at one tick |
//! | [`name`], [`text`] | player names, and chat text |
//! | [`match_status`] | the state of a match |
//! | [`room`] | the choice of a room by mode, code or reservation |
//! | [`handshake`] | the WebSocket handshake, for developers |
//! | [`topic`] | named streams that clients subscribe to |
//! | [`token`] | tokens of sessions and accounts |
//! | [`close`] | close codes, and what the player should do about each |
//! | [`limits`] | every limit on what the peer may send |
//!
//! Every frame is binary; its first byte is its [`FrameKind`].

pub mod close;
pub mod codec;
pub mod handshake;
pub mod input;
pub mod limits;
pub mod match_status;
pub mod message;
pub mod name;
pub mod room;
pub mod snapshot;
pub mod text;
pub mod token;
pub mod topic;

use crate::replication::bits::WireError;

/// The WebSocket subprotocol of both ends.
pub const SUBPROTOCOL: &str = "broadside.v1";
/// Counts wire changes within [`SUBPROTOCOL`]; the hello carries it, and both ends must have the same.
pub const REVISION: u16 = 4;

/// Bytes of the WebSocket header of a payload of `len` bytes (RFC 6455, section 5.2); a client's frames carry a mask of
/// 4 more.
#[must_use]
pub fn header_bytes(len: usize) -> u64 {
    match len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// The first byte of every frame, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A control message: [`message::ClientMsg`] or [`message::ServerMsg`].
    Control = 1,
    /// Server to client: a [`snapshot`]. Client to server: an [`input`] packet.
    State = 2,
}

impl FrameKind {
    /// Splits a frame into its kind and the rest.
    ///
    /// # Errors
    /// [`WireError::Short`] for an empty frame, [`WireError::Kind`] for an unknown first byte.
    pub fn split(frame: &[u8]) -> Result<(FrameKind, &[u8]), WireError> {
        match frame.split_first() {
            None => Err(WireError::Short),
            Some((1, rest)) => Ok((FrameKind::Control, rest)),
            Some((2, rest)) => Ok((FrameKind::State, rest)),
            Some((kind, _)) => Err(WireError::Kind(*kind)),
        }
    }
}
