//! The state of a match: phase, teams, score. It is sent to everyone in the room, published to subscribers, and served
//! over HTTP.

use serde::{Deserialize, Serialize};

use super::room::ModeId;
use crate::time::Tick;

/// Most teams of a match.
pub const TEAMS_MAX: usize = 8;

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
    pub mode: ModeId,
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
    /// Teams, or players who play against each other; empty where everyone plays alone. At most [`TEAMS_MAX`].
    pub teams: Vec<TeamStatus>,
    /// The winning team: of the round during a pause, of the match during the results. `None` if nobody won.
    pub winner: Option<u8>,
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
