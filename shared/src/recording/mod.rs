//! Recordings: what a game was called with, tick by tick, from which its world can be stepped again.
//!
//! | module | what it holds |
//! |---|---|
//! | [`block`] | the checked blocks that a recording is made of |
//! | [`batch`] | the ticks of a second: inputs, calls and hashes, and their bytes |
//! | `pack` | recordings as they are in files, with the feature `files` |
//! | [`recorder`] | writes what a room does |
//! | [`replay`] | steps a recorded world again, and compares |
//!
//! ```text
//! recording  := magic, block...
//! block      := kind:u8, length:u32, payload, crc32:u32           the checksum covers all before it
//! blocks     := head, checkpoint, ticks..., checkpoint, ticks..., end
//! ```
//! A checkpoint holds the whole world, so a replay can begin at each; ticks after it name every input that is not the default anew. A
//! recording that was cut off is good up to the last whole block. Numbers are little-endian.
//!
//! Worlds are saved as the game serializes them, which another build may do differently: the head has the rules hash
//! ([`rules_hash`](crate::trial::rules_hash)), and only a build with the same one replays it.

pub mod batch;
pub mod block;
#[cfg(feature = "files")]
pub mod pack;
pub mod recorder;
pub mod replay;

use crate::ids::{PlayerId, RoomId};
use crate::protocol::name::Name;
use crate::protocol::room::ModeId;
use crate::time::Tick;
use serde::{Deserialize, Serialize};

/// Most bytes of a recording: what a page can hold, and more than any match has.
pub const RECORDING_MAX: usize = 64 << 20;

/// What a recording begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`Game::NAME`](crate::game::Game::NAME).
    pub game: String,
    /// See [`rules_hash`](crate::trial::rules_hash).
    pub rules: u64,
    pub mode: ModeId,
    /// On the server that recorded it.
    pub room: RoomId,
    pub tick_hz: u32,
}

/// A player in a world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPlayer {
    pub player: PlayerId,
    pub name: Name,
}

/// What a checkpoint holds besides the world and its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointHead {
    pub tick: Tick,
    /// Whether the world does not follow from the ticks before it: the first one does not, nor does the one with which a room goes on after a
    /// crash or a hand-over.
    pub is_start: bool,
    /// In order of player.
    pub players: Vec<RecordedPlayer>,
}
