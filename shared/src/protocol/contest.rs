//! How a match stands: stage, sides, score. What a game says of itself to everyone in the room, to whoever has subscribed, and
//! over HTTP.

use serde::{Deserialize, Serialize};

use super::room::Mode;
use crate::time::Tick;

/// Most sides of a match.
pub const SIDES_MAX: usize = 2;

/// How far a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It has no rounds and no end.
    #[default]
    Open,
    /// It begins when enough players are there.
    Waiting,
    /// A round is about to begin.
    Countdown,
    /// A round is being played.
    Playing,
    /// A round is over; another follows.
    Pause,
    /// The match is over; the next one follows.
    Results,
}

/// How a match stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contest {
    /// Its rules.
    pub mode: Mode,
    /// How far it is.
    pub stage: Stage,
    /// The round, from 1; 0 where there are none.
    pub round: u8,
    /// Rounds at the most; 0 where there are none.
    pub rounds: u8,
    /// The tick this was taken at.
    pub tick: Tick,
    /// The tick at which the stage ends by itself, if it does.
    pub ends: Option<Tick>,
    /// Teams, or the two players of a duel; none where everyone is for themselves. At most [`SIDES_MAX`].
    pub sides: Vec<Side>,
    /// The side that holds the zone.
    pub holder: Option<u8>,
    /// The side that won: the round in a pause, the match among the results.
    pub winner: Option<u8>,
}

/// A side of a match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What to call it: a colour, or a player's name. At most 16 characters.
    pub name: String,
    /// Its points in this round.
    pub score: u32,
    /// Points that win the round.
    pub goal: u32,
    /// Rounds it has won.
    pub rounds: u8,
    /// How many play for it.
    pub players: u16,
}
