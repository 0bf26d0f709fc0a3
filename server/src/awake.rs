//! Detects pauses of the process: stopped by a signal, paused with the whole machine, or without a core to run on. Pauses count towards no
//! timeout, since clients could not reach the server.

use broadside_shared::time::MonoTime;

/// A pause detector that is polled regularly. Time is an argument.
#[derive(Debug, Clone, Copy)]
pub struct Awake {
    looked_at: MonoTime,
    gap_us_max: u64,
}

impl Awake {
    /// The first look is at `now`. A gap between two looks counts as time awake up to `gap_us_max` microseconds, which must be far more than
    /// a busy machine takes from one look to the next.
    #[must_use]
    pub fn new(now: MonoTime, gap_us_max: u64) -> Self {
        Awake { looked_at: now, gap_us_max }
    }

    /// Returns the microseconds of the pause since the last look, usually 0.
    pub fn look(&mut self, now: MonoTime) -> u64 {
        let gap_us = now.us_since(self.looked_at);
        self.looked_at = now;
        gap_us.saturating_sub(self.gap_us_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gap_beyond_the_limit_counts_as_a_pause() {
        let mut awake = Awake::new(MonoTime(5), 250);
        assert_eq!(awake.look(MonoTime(255)), 0);
        assert_eq!(awake.look(MonoTime(10_505)), 10_000);
        assert_eq!(awake.look(MonoTime(10_506)), 0);
    }
}
