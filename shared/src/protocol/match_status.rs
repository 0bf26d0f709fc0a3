//! The state of a match: phase, teams, score. It is sent to everyone in the room, published to subscribers, and served
//! over HTTP.

use serde::{Deserialize, Serialize};

use super::room::Mode;
use crate::time::Tick;

/// Most teams of a match.
pub const TEAMS_MAX: usize = 2;

/// The phase of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchPhase {
    /// No rounds and no end.
    #[default]
    Open,
    /// Waiting for enough players.
    Waiting,
    /// A round is about to start.
    Countdown,
    /// A round is being played.
    Playing,
    /// A round has ended; another follows.
    Pause,
    /// The match has ended; the next one follows.
    Results,
}

/// The state of a match.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MatchStatus {
    /// The mode of the room.
    pub mode: Mode,
    /// The phase.
    pub phase: MatchPhase,
    /// The round, from 1; 0 where there are none.
    pub round: u8,
    /// Most rounds of the match; 0 where there are none.
    pub rounds: u8,
    /// The tick of this status.
    pub tick: Tick,
    /// The tick at which the phase ends automatically; `None` if it does not.
    pub ends: Option<Tick>,
    /// Teams, or the two players of a duel; empty where everyone plays alone. At most [`TEAMS_MAX`].
    pub teams: Vec<TeamStatus>,
    /// The zone to hold; `None` in modes without one.
    pub zone: Option<Zone>,
    /// The winning team: of the round during a pause, of the match during the results. `None` if nobody won.
    pub winner: Option<u8>,
}

/// A circular zone that scores for the team that holds it. A new value is sent only when its lean changes course; in
/// between, both ends compute the lean from the tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// X of the centre, in whole world units.
    pub x: i16,
    /// Y of the centre, in whole world units.
    pub y: i16,
    /// Radius, in whole world units.
    pub radius: u16,
    /// The team that holds it.
    pub holder: Option<u8>,
    /// Ships of both teams are in it: the lean does not change, and nobody scores.
    pub contested: bool,
    /// Lean at `since`: `-full` is fully the first team's, `full` fully the second's.
    pub from: i16,
    /// Lean that it moves to from `since` on, by one per tick.
    pub to: i16,
    /// The tick of `from`.
    pub since: Tick,
    /// Lean at which a team takes the zone; the team loses it at 0.
    pub full: u16,
}

impl Zone {
    /// Lean at a tick, `-full..=full`.
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
    /// A colour, or a player's name. At most 16 characters.
    pub name: String,
    /// Points in this round.
    pub score: u32,
    /// Points that win the round.
    pub goal: u32,
    /// Rounds won.
    pub rounds: u8,
    /// Number of players.
    pub players: u16,
}
