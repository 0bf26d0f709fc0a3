//! What the server and its clients do in a run.

use std::time::Duration;

/// Ticks per second of a game with the default rate, over which the frames are spread.
pub(crate) const TICK_HZ: u32 = 60;
/// Time before the measurement.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// The parameters of a run, for both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) players: usize,
    /// Ticks between two frames of a player.
    pub(crate) every: u32,
    pub(crate) measured: Duration,
    pub(crate) bytes: usize,
    pub(crate) input_bytes: usize,
}

impl Plan {
    /// Time between two frames of a player.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_micros(1_000_000 * u64::from(self.every) / u64::from(TICK_HZ))
    }
}
