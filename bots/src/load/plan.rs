//! What a load run does: how many players, over which links, for how long.

use std::sync::Arc;
use std::time::Duration;

use broadside_shared::client::Detail;

use super::mix::LinkMix;
use crate::socket::Target;

/// The parameters of a load run.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// The server to connect to, whose metrics are read.
    pub target: Target,
    /// Further nodes of its cluster, over which the players are spread too.
    pub others: Vec<Target>,
    /// The operator's token, which the server's metrics require, if it is known.
    pub operator_token: Option<String>,
    /// The link profiles of the players.
    pub link: LinkMix,
    /// Number of players.
    pub players: usize,
    /// Joins per second.
    pub rate: f64,
    /// Time from the last join to the steady phase: names and first keyframes are sent, and the players spread over the
    /// world in it.
    pub settle: Duration,
    /// Length of the steady phase.
    pub steady: Duration,
    /// One in this many players runs the full client and the AI; the others have the cheap AI.
    pub full_every: usize,
    /// One in this many of the other players decodes its snapshots; the rest read their heads.
    pub decode_every: usize,
    /// Skill of the AIs, 0 to 1.
    pub skill: f32,
    /// Rooms the players are spread over; with 1 the server chooses.
    pub rooms: usize,
    /// Share of the players that leave and come back each minute, in percent.
    pub churn_percent: f64,
    /// Threads that run the players, at least 1.
    pub threads: usize,
    /// Seed of AIs and simulated links.
    pub seed: u64,
    /// A recording of the game, whose inputs the players send in place of an AI's.
    pub recording: Option<Arc<[u8]>>,
}

impl LoadPlan {
    /// Whether this player runs the full client. They are spread evenly over the rooms.
    #[must_use]
    pub(crate) fn is_full(&self, index: usize) -> bool {
        (index / self.rooms).is_multiple_of(self.full_every)
    }

    /// How much of what it receives this player reads.
    #[must_use]
    pub(crate) fn detail(&self, index: usize) -> Detail {
        if self.is_full(index) {
            Detail::Replica
        } else if (index / self.rooms).is_multiple_of(self.decode_every) {
            Detail::Decode
        } else {
            Detail::Heads
        }
    }
}
