//! What a load run does: how many players, over which links, for how long.

use std::time::Duration;

use super::mix::LinkMix;
use crate::socket::Target;

/// What to run.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// The server.
    pub target: Target,
    /// What the server's metrics ask for, if that is known.
    pub operator_token: Option<String>,
    /// The lines the players are on.
    pub link: LinkMix,
    /// How many players.
    pub players: usize,
    /// Joins per second.
    pub rate: f64,
    /// Time from the last join to the measured phase: names and first histograms are on their way until then, and the arena grows
    /// with its players and they spread in it.
    pub settle: Duration,
    /// Length of the measured phase.
    pub steady: Duration,
    /// Every how many players one runs the full client and the ai; the others decode all they get and fly a pattern.
    pub full_every: usize,
    /// Skill of the AIs, 0 to 1.
    pub skill: f32,
    /// Rooms the players are spread over; with 1 the server chooses.
    pub rooms: usize,
    /// Share of the players that leave and come back each minute, in percent.
    pub churn_percent: f64,
    /// Threads that run the players, at least 1.
    pub threads: usize,
    /// Seed of pilots and lines.
    pub seed: u64,
}

impl LoadPlan {
    /// Whether a player runs the full client. Every room has its share of them.
    #[must_use]
    pub fn is_full(&self, index: usize) -> bool {
        (index / self.rooms).is_multiple_of(self.full_every)
    }
}
