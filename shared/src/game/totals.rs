//! What a player has done, as results keep it.

/// What a player has done since joining the room; in modes with matches, in the current match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayerTotals {
    /// The score, as in the standings.
    pub score: i32,
    /// Opponents beaten: ships sunk in the arena.
    pub kills: u32,
    /// Lives lost.
    pub deaths: u32,
    /// Shots fired; 0 in games without shots.
    pub shots: u32,
    /// Those of them that hit a player.
    pub hits: u32,
    /// The longest run of kills in one life.
    pub streak: u32,
}
