//! What a turn of a room returns.

use broadside_shared::protocol::message::Publication;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::recording::recorder::Recorded;
use broadside_shared::time::MonoTime;

use crate::commands::MinuteFor;
use crate::results::RoomResult;

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// A tick was stepped: [`finish`](super::RoomLoop::finish) returns when the next one is due.
    Ticked,
    /// The room is empty: no tick until the next command.
    Asleep,
    Ended,
}

/// The timing of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// When the next tick is due.
    pub next: MonoTime,
    /// How long after it was due the tick began, and how long it took, in microseconds.
    pub late_us: u64,
    pub took_us: u64,
    /// The tick ended after the next one was due.
    pub is_overrun: bool,
    /// Ticks that were dropped.
    pub missed: u32,
    /// Steps of the governor in this tick.
    pub steps_down: u64,
    pub steps_up: u64,
}

/// The effects of a turn besides commands to shards. The shell carries them out and exports the counts.
#[derive(Debug, Default)]
pub struct Effects {
    pub published: Vec<(Topic, Publication)>,
    /// The best players, best first, if the tick sent a board.
    pub board: Option<Vec<(Name, i32)>>,
    /// Requests that were given a seat, refused, or notified of their position for the first time.
    pub seated: u64,
    pub refused: u64,
    pub queued: u64,
    /// Results of matches and stays that ended.
    pub results: Vec<RoomResult>,
    /// What there is for whoever keeps recordings.
    pub recorded: Vec<Recorded>,
    /// Last minutes of the room that somebody asked for, with their ids.
    pub minutes: Vec<(MinuteFor, [u8; 16], Vec<u8>)>,
    /// Seats that were freed.
    pub left: u64,
    /// Inputs that arrived too late or too early.
    pub inputs_dropped: u64,
}

/// The occupancy of a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Players, including the server's own bots.
    pub players: u16,
    pub spectators: u16,
    /// Requests in the join queue.
    pub queued: u32,
    pub reserved: u16,
    /// Whether there are players, reservations or queued joins, bots aside.
    pub is_played: bool,
}
