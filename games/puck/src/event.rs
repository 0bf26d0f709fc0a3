//! What happens once.

use broadside_shared::ids::PlayerId;
use glam::Vec2;
use serde::{Deserialize, Serialize};

/// Something that happened once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum PuckEvent {
    /// A player kicked the puck.
    Kick {
        /// Who.
        by: PlayerId,
        /// Where.
        at: Vec2,
    },
    /// Something hit something else, hard enough to be heard.
    Bounce {
        /// What the two were.
        what: Bounce,
        /// Where.
        at: Vec2,
        /// Speed of the impact, in units/s.
        speed: u16,
    },
    /// A goal.
    Goal {
        /// The team that scores, 0 or 1.
        team: u8,
        /// Who touched the puck last; `None` if nobody did.
        by: Option<PlayerId>,
        /// Whether that was one of the other team.
        own_goal: bool,
    },
}

/// What hit what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bounce {
    /// The puck hit the boards.
    Boards,
    /// The puck hit a post.
    Post,
    /// The disc of this player hit the puck.
    Disc(PlayerId),
    /// Two discs met.
    Discs,
}
