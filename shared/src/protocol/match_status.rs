//! How a match stands: phase, teams, score. What a game says of itself to everyone in the room, to whoever has subscribed, and
//! over HTTP.

use serde::{Deserialize, Serialize};

use super::room::Mode;
use crate::time::Tick;

/// Most teams of a match.
pub const TEAMS_MAX: usize = 2;

/// How far a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchPhase {
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
pub struct MatchStatus {
    /// Its rules.
    pub mode: Mode,
    /// How far it is.
    pub phase: MatchPhase,
    /// The round, from 1; 0 where there are none.
    pub round: u8,
    /// Rounds at the most; 0 where there are none.
    pub rounds: u8,
    /// The tick this was taken at.
    pub tick: Tick,
    /// The tick at which the phase ends by itself, if it does.
    pub ends: Option<Tick>,
    /// Teams, or the two players of a duel; none where everyone is for themselves. At most [`TEAMS_MAX`].
    pub teams: Vec<TeamStatus>,
    /// The place to hold, if the mode has one.
    pub zone: Option<Zone>,
    /// The team that won: the round in a pause, the match among the results. None if nobody did.
    pub winner: Option<u8>,
}

/// A round place that counts for the team that holds it. Where it leans is said only when that changes its course: between, both
/// ends know it by the tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its middle, whole world units.
    pub x: i16,
    /// See `x`.
    pub y: i16,
    /// Its radius, whole world units.
    pub radius: u16,
    /// The team that holds it.
    pub holder: Option<u8>,
    /// Ships of both teams are in it: it leans no further, and nobody scores.
    pub contested: bool,
    /// How far it leans at `since`: `-full` is wholly to the first team, `full` wholly to the second.
    pub from: i16,
    /// Where it leans to from then on, by one a tick.
    pub to: i16,
    /// See `from`.
    pub since: Tick,
    /// How far it has to lean to a team to be held by it; it is lost again at 0.
    pub full: u16,
}

impl Zone {
    /// How far it leans at a tick, `-full..=full`.
    #[must_use]
    pub fn lean_at(&self, tick: Tick) -> i16 {
        let (from, to) = (i32::from(self.from), i32::from(self.to));
        let moved = tick.since(self.since).min(to.abs_diff(from)) as i32;
        (from + (to - from).signum() * moved) as i16
    }
}

/// A team of a match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamStatus {
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
