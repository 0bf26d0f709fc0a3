//! The load tester: thousands of players from one process, and what they feel.
//!
//! | module | what it holds |
//! |---|---|
//! | [`run`] | a run from ramp to drain, as the main thread sees it |
//! | [`engine`] | the threads that run the players |
//! | [`peer`], [`mind`] | one player: its connection, and what it does and counts |
//! | [`wire`], [`handshake`] | frames, and the opening handshake |
//! | [`channel`], [`mod@line`] | TLS if asked for, and the simulated line a player is behind |
//! | [`figures`] | what is counted, by all together and by each player |
//! | [`mix`] | which lines the players are on |
//! | [`metrics`] | what the server says of itself |
//! | [`health`] | the load tester's own CPU time and files |
//! | [`assertion`] | what a run must hold, such as `age_p99<120ms` |
//! | [`knee`] | more and more players until it does not |
//! | [`bar`] | the progress bar |

pub mod assertion;
pub mod bar;
pub mod channel;
pub mod engine;
pub mod figures;
pub mod handshake;
pub mod health;
pub mod knee;
pub mod line;
pub mod metrics;
pub mod mind;
pub mod mix;
pub mod peer;
pub mod run;
pub mod wire;

use std::time::Duration;

pub use figures::times;
use mix::LinkMix;

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
    /// Time from the last join to the measured phase: names and first pictures are on their way until then, and the arena grows
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
