//! What rooms leave behind: the results of matches, and of stays in rooms without matches.
//!
//! They are made from the game's state alone, so that nothing a client sends ends in one.

use broadside_shared::game::PlayerTotals;
use broadside_shared::ids::{AccountId, PlayerId, RoomId};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::MonoTime;
use serde::{Deserialize, Serialize};

/// The result of a match, or of one player's stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomResult {
    pub key: ResultKey,
    pub mode: ModeId,
    pub kind: ResultKind,
    /// The people who played, in the order in which they left and then by seat; not the server's own bots. Never empty, and with each
    /// account once.
    pub players: Vec<PlayerResult>,
}

/// What a result is known by: no other of the server has the same, and a room that goes on from an earlier state leaves the same result
/// under the same key once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResultKey {
    pub room: RoomId,
    /// When tick 0 of the room was due.
    pub tick_zero: MonoTime,
    /// Of a stay the tick before its first one, of a match the number of ticks stepped before.
    pub since: u32,
    /// Whose stay it is; `None` for a match.
    pub player: Option<PlayerId>,
}

/// What a result is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// A match: everyone who played in it, also those who left before its end.
    Match,
    /// One player's stay in a room without matches, from the seat to its end.
    Stay,
}

/// One player's part of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerResult {
    /// `None` for a player without an account.
    pub account: Option<AccountId>,
    /// The last name in the room.
    pub name: Name,
    pub team: Option<u8>,
    pub totals: PlayerTotals,
    /// `None` for a stay, and for a match that ended without being decided.
    pub outcome: Option<MatchOutcome>,
    /// Ticks stepped with the player seated; of a match, those since its start.
    pub played_ticks: u32,
}

/// How a match ended for a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MatchOutcome {
    Won,
    /// Also for a player who left before the end.
    Lost,
    Drawn,
}
