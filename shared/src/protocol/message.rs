//! Control messages: everything said now and then, coded by bincode. State and inputs, said many times a second, have their
//! own codes in [`super::snapshot`] and [`super::input`].
//!
//! The order of variants and fields is the wire: append, never reorder, and count the change in
//! [`REVISION`](super::REVISION).

use serde::{Deserialize, Serialize};

use super::name::Name;
use crate::game::PlayerId;
use crate::time::{MonoTime, Tick};

/// A room's number on its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomId(pub u32);

impl std::fmt::Display for RoomId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which room a client wants a seat in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RoomChoice {
    /// Whichever the server thinks best.
    #[default]
    Quick,
    /// The room with this number.
    Room(RoomId),
}

/// Client to server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMsg {
    /// The first message: who speaks, and which revision.
    Hello {
        /// [`REVISION`](super::REVISION) of the client.
        revision: u16,
        /// The program, such as `web 0.1.0`: at most [`AGENT_BYTES_MAX`](super::limits::AGENT_BYTES_MAX) bytes, for logs only.
        agent: String,
    },
    /// Asks for a seat. Once, after the welcome.
    Join {
        /// The name to play under. Two players may have the same.
        name: Name,
        /// In which room.
        room: RoomChoice,
    },
    /// Asks for the server's time. Any time after the hello, about twice a second.
    Ping {
        /// The client's own clock; comes back unread.
        client_time: MonoTime,
    },
    /// Gives up the seat and ends the connection.
    Leave,
}

/// Server to client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMsg {
    /// The answer to the hello.
    Welcome {
        /// [`REVISION`](super::REVISION) of the server.
        revision: u16,
        /// The program, such as `broadside 0.1.0`.
        server: String,
    },
    /// The answer to the join: you are seated, snapshots follow.
    Joined {
        /// Which room.
        room: RoomId,
        /// Your number in it.
        player: PlayerId,
        /// Steps per second of the game.
        tick_hz: u32,
        /// Ticks from one snapshot to the next, and from one input packet to the next.
        snapshot_every: u32,
        /// When tick 0 of the room was due, by the server's clock; tick `n` is due `n / tick_hz` seconds later.
        tick_zero: MonoTime,
    },
    /// The answer to a ping.
    Pong {
        /// What the ping carried.
        client_time: MonoTime,
        /// The server's clock when it was answered.
        server_time: MonoTime,
        /// How long your room's newest tick took, in microseconds; 0 before you have a seat.
        tick_us: u32,
    },
    /// You asked for a seat and are in line for it. Said at once, then about twice a second, until you are seated.
    Waiting {
        /// How many are before you, and you: 1 is the next.
        place: u32,
    },
}

/// What a room tells everyone in it, in the notes of a snapshot: each encoded once for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// From now on this number stands for this name.
    Named {
        /// The number.
        player: PlayerId,
        /// The name.
        name: Name,
    },
    /// The player with this number left.
    Left {
        /// The number.
        player: PlayerId,
    },
    /// The best scores, best first.
    Board {
        /// When they were taken.
        tick: Tick,
        /// How many play.
        players: u16,
        /// At most [`BOARD_LINES_MAX`](super::limits::BOARD_LINES_MAX) lines.
        lines: Vec<(PlayerId, i32)>,
    },
}
