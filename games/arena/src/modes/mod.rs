//! Rules of modes with teams and rounds; an open arena uses none of them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`referee`] | the phases of a match, from waiting to the results, and its winner |
//! | [`teams`] | team membership and friends |
//! | [`rematch`] | players who want to play again |
//! | [`zone`] | the zone that a team holds for points |
//! | [`ground`] | the size of the arena, the positions of rocks and of launches |

pub(super) mod ground;
pub(super) mod referee;
pub(super) mod rematch;
pub(super) mod teams;
pub(super) mod zone;

use broadside_shared::game::{BotFill, ModeSpec, WhenFull};
use broadside_shared::protocol::room::ModeId;
use serde::{Deserialize, Serialize};

use crate::rules;

pub(super) use referee::Referee;
pub use zone::Zone;

/// What every client of a room knows of it, beyond scores and the match status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MatchNews {
    /// The zone to hold, in modes with one.
    pub zone: Option<Zone>,
    /// Players who want to play again, while the results are shown.
    pub again: u16,
}

/// Number of teams of a match.
pub(crate) const TEAM_COUNT: usize = 2;

/// The rules of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Everyone against everyone, without an end.
    #[default]
    Open,
    /// Two teams, a shared score, a zone to hold; in rounds.
    Teams,
    /// Two players, best of five.
    Duel,
    /// As an open arena, with what the day [changes](crate::Twist).
    Daily,
}

impl Mode {
    /// The mode with this number; the open arena for any other.
    #[must_use]
    pub fn of(id: ModeId) -> Mode {
        match id.0 {
            1 => Mode::Teams,
            2 => Mode::Duel,
            3 => Mode::Daily,
            _ => Mode::Open,
        }
    }

    /// Whether everyone plays alone, without an end.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Mode::Open | Mode::Daily)
    }

    /// Its number on the wire.
    #[must_use]
    pub fn id(self) -> ModeId {
        ModeId(self as u8)
    }
}

pub(crate) const MODES: &[ModeSpec] = &[
    ModeSpec {
        name: "arena",
        title: "Open arena",
        summary: "every captain for themselves, no time limit",
        seats_max: rules::PLAYERS_MAX,
        teams: 0,
        when_full: WhenFull::Queue,
        bots: BotFill::Configured,
        rated: false,
    },
    ModeSpec {
        name: "teams",
        title: "Teams",
        summary: "hold the zone, rounds of four minutes",
        seats_max: rules::PLAYERS_MAX,
        teams: TEAM_COUNT as u8,
        when_full: WhenFull::OpenRoom,
        bots: BotFill::Configured,
        rated: false,
    },
    ModeSpec {
        name: "duel",
        title: "Duel",
        summary: "two captains, best of five",
        seats_max: TEAM_COUNT as u16,
        teams: TEAM_COUNT as u8,
        when_full: WhenFull::OpenRoom,
        // A second person may still come.
        bots: BotFill::UpTo { players: TEAM_COUNT as u16, after_s: 5 },
        rated: true,
    },
    ModeSpec {
        name: "daily",
        title: "Daily event",
        summary: "an open arena with other rules each day",
        seats_max: rules::PLAYERS_MAX,
        teams: 0,
        when_full: WhenFull::OpenRoom,
        bots: BotFill::Configured,
        rated: false,
    },
];

#[cfg(test)]
mod tests;
