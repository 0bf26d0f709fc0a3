//! Modes: what a game says of the rooms it is played in.

use crate::protocol::room::ModeId;

/// A mode of a game: the rules and the size of its rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModeSpec {
    /// The name in addresses, flags and JSON: lower-case letters, digits and hyphens, 1 to 16 of them, such as `pairs`.
    pub name: &'static str,
    /// The name that players read.
    pub title: &'static str,
    /// What is played, in one sentence.
    pub summary: &'static str,
    /// Most players in a room.
    pub seats_max: u16,
    /// Number of teams, at most [`TEAMS_MAX`](crate::protocol::match_status::TEAMS_MAX); 0 where everyone plays alone.
    pub teams: u8,
    /// What quick play does when every room of the mode is full.
    pub when_full: WhenFull,
    /// How many of the server's own bots join a room in which somebody plays.
    pub bots: BotFill,
    /// Whether its matches change the ratings of the players. Such a mode has two teams of one player each.
    pub rated: bool,
}

/// What quick play does when every room of a mode is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The player waits in the join queue of an existing room.
    Queue,
    /// Another room is opened.
    OpenRoom,
}

/// How many of the server's own bots join a room in which somebody plays or spectates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotFill {
    /// The room is filled up to as many players as the operator configured.
    Configured,
    /// The room is filled up to `players`, once the number of people in it has not changed for `after_s` seconds, so
    /// that another person may come first. None, if the operator switched bots off.
    UpTo {
        /// Players, the people among them.
        players: u16,
        /// Seconds.
        after_s: u16,
    },
    /// None.
    Never,
}

impl ModeSpec {
    /// One endless mode for everyone, for games that need no other.
    pub const OPEN: ModeSpec = ModeSpec {
        name: "open",
        title: "Open room",
        summary: "Everyone plays, without an end.",
        seats_max: u16::MAX,
        teams: 0,
        when_full: WhenFull::Queue,
        bots: BotFill::Configured,
        rated: false,
    };

    /// The mode with this name, of a game's modes.
    #[must_use]
    pub fn named(modes: &[ModeSpec], name: &str) -> Option<ModeId> {
        modes.iter().position(|mode| mode.name == name).map(|index| ModeId(index as u8))
    }
}
