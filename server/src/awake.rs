//! PURE. Tells time in which we ran from time in which we stood still: stopped by a signal, paused with the whole machine, or without a
//! core to run on. What others did not say while nobody listened is not held against them.

use broadside_shared::time::MonoTime;

/// TeamLabel looks regularly, and when it did last.
#[derive(Debug, Clone, Copy)]
pub struct Awake {
    looked_at: MonoTime,
    gap_us_max: u64,
}

impl Awake {
    /// The first look is at `now`. A gap between two looks counts as time awake up to `gap_us_max`, which is far more than a busy machine
    /// takes from one to the next.
    #[must_use]
    pub fn new(now: MonoTime, gap_us_max: u64) -> Self {
        Awake { looked_at: now, gap_us_max }
    }

    /// Another look. Gives for how many microseconds we stood still since the one before; 0 as a rule.
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
    fn only_a_gap_far_beyond_the_usual_counts_as_standing_still() {
        let mut awake = Awake::new(MonoTime(5), 250);
        assert_eq!(awake.look(MonoTime(255)), 0);
        assert_eq!(awake.look(MonoTime(10_505)), 10_000);
        assert_eq!(awake.look(MonoTime(10_506)), 0);
    }
}
