//! What a player has done, as results keep it.

use serde::{Deserialize, Serialize};

/// What a player has done since joining the room; in modes with matches, in the current match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlayerTotals {
    /// The score, as in the standings.
    pub score: i32,
    /// Opponents beaten: ships sunk in the arena.
    pub kills: u32,
    /// Lives lost.
    pub deaths: u32,
    /// Opponents beaten by others to whom this player had done much of the damage.
    pub assists: u32,
    /// Shots fired; 0 in games without shots.
    pub shots: u32,
    /// Those of them that hit a player.
    pub hits: u32,
    /// The longest run of kills in one life.
    pub streak: u32,
}

impl PlayerTotals {
    /// What was done in two parts of a match together.
    #[must_use]
    pub fn and(self, other: PlayerTotals) -> PlayerTotals {
        PlayerTotals {
            score: self.score.saturating_add(other.score),
            kills: self.kills.saturating_add(other.kills),
            deaths: self.deaths.saturating_add(other.deaths),
            assists: self.assists.saturating_add(other.assists),
            shots: self.shots.saturating_add(other.shots),
            hits: self.hits.saturating_add(other.hits),
            streak: self.streak.max(other.streak),
        }
    }
}
