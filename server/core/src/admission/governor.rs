//! The governor lowers a room's level of service before ticks are missed, and raises it again with hysteresis. First far cells are sent
//! less often, then snapshots are.
//!
//! Its input is, once per tick, how busy the room was as a share of the time between two ticks: how late the step ended, or [`BEHIND`]
//! if a shard had not begun with the previous tick. The time that the fan-out takes is deliberately absent: on a fully loaded machine it
//! is interrupted and yet in time. The levels are those of `Budget` in the fan-out: a congested link and a busy machine
//! degrade service in the same way.

use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::time::ticks_of_ms;

use crate::room::LEVEL_MAX;

/// Share of the time between two ticks, in per mille, over which a room is short of time.
const BUSY: i64 = 900;
/// Share, in per mille, below which the room has time to spare for snapshots at the full rate, which take about twice the time.
const IDLE: i64 = 600;
/// Share, in per mille, below which the room has time to spare for far cells in every snapshot, which take a little more.
const EASY: i64 = 850;
/// Milliseconds over which the share is averaged to detect a shortage. A single tick during which the operating system ran something
/// else must not count for much.
const SHORT_MS: u32 = 500;
/// Milliseconds over which the share is averaged to detect time to spare.
const LONG_MS: u32 = 2_000;
/// Milliseconds between two steps down, so that each step takes effect before the next.
const DOWN_AFTER_MS: u32 = 500;
/// Milliseconds from any step to a step up.
const UP_AFTER_MS: u32 = 2_000;
/// The longest wait for a step up, in milliseconds. The wait doubles each time a step up did not last.
const UP_AFTER_MS_MAX: u32 = 30_000;
/// Milliseconds for which a step up must last to count as right.
const SETTLED_MS: u32 = 10_000;
/// Share, in per mille, that a tick counts for if a shard had not begun with the previous one.
pub const BEHIND: u32 = 1500;
/// Maximum share of a tick, in per mille: a long pause of the machine is one bad tick and not a hundred.
const WORST: u32 = 2000;

/// The level of service of one room.
#[derive(Debug, Clone)]
pub struct Governor {
    tick_hz: u32,
    level: u8,
    /// Share of the time between two ticks, in millionths, averaged over [`SHORT_MS`] and over [`LONG_MS`].
    short: i64,
    long: i64,
    /// Ticks since the last step, and whether it was up.
    since_step: u32,
    stepped_up: bool,
    up_after: u32,
    steps_down: u64,
    steps_up: u64,
}

impl Governor {
    /// The governor of a room at full service, with this many ticks per second.
    #[must_use]
    pub fn new(tick_hz: u32) -> Self {
        Governor {
            tick_hz,
            level: 0,
            short: 0,
            long: 0,
            since_step: 0,
            stepped_up: false,
            up_after: ticks_of_ms(tick_hz, UP_AFTER_MS),
            steps_down: 0,
            steps_up: 0,
        }
    }

    /// Records a tick that took `busy` per mille of the time between two ticks.
    pub fn record(&mut self, busy: u32) {
        let busy = i64::from(busy.min(WORST)) * 1000;
        let ticks = |ms| ticks_of_ms(self.tick_hz, ms);
        self.short += (busy - self.short) / i64::from(ticks(SHORT_MS));
        self.long += (busy - self.long) / i64::from(ticks(LONG_MS));
        self.since_step = self.since_step.saturating_add(1);
        let settled = self.since_step >= ticks(SETTLED_MS);
        // The cost of a step up: see `SnapshotHead::every` and the levels of `Budget`.
        let spare = if SnapshotHead::every(self.level) > 1 { IDLE } else { EASY };
        if self.short > BUSY * 1000 && self.since_step >= ticks(DOWN_AFTER_MS) && self.level < LEVEL_MAX {
            if self.stepped_up && !settled {
                // The last step up did not last: wait longer before the next.
                self.up_after = (self.up_after * 2).min(ticks(UP_AFTER_MS_MAX));
            }
            self.level += 1;
            self.steps_down += 1;
            (self.since_step, self.stepped_up) = (0, false);
        } else if self.long < spare * 1000 && self.since_step >= self.up_after && self.level > 0 {
            self.level -= 1;
            self.steps_up += 1;
            (self.since_step, self.stepped_up) = (0, true);
        } else if settled && self.level == 0 {
            self.up_after = ticks(UP_AFTER_MS);
        }
    }

    /// The level of service, 0 (full) to [`LEVEL_MAX`].
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Number of steps down and up so far.
    #[must_use]
    pub fn steps(&self) -> (u64, u64) {
        (self.steps_down, self.steps_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occasional_slow_ticks_change_nothing_and_three_seconds_of_them_step_down() {
        let mut governor = Governor::new(60);
        for tick in 0..600 {
            governor.record(if tick % 10 == 0 { 3000 } else { 400 });
        }
        assert_eq!(governor.level(), 0);
        (0..180).for_each(|_| governor.record(1100));
        assert!(governor.level() >= 3, "{}", governor.level());
    }

    #[test]
    fn the_level_settles_where_the_work_fits_and_does_not_oscillate() {
        // Full service takes 120 % of the time between two ticks; each level takes 20 points off.
        let busy = |level: u8| 1200 - 200 * u32::from(level);
        let mut governor = Governor::new(60);
        let mut changes = 0;
        for _ in 0..60 * 120 {
            let before = governor.level();
            governor.record(busy(before));
            changes += u32::from(governor.level() != before);
        }
        assert!((2..=3).contains(&governor.level()), "{}", governor.level());
        assert!(changes <= 16, "{changes} changes in two minutes");
    }

    #[test]
    fn the_level_recovers_step_by_step_once_there_is_time_to_spare() {
        let mut governor = Governor::new(60);
        (0..300).for_each(|_| governor.record(1500));
        assert_eq!(governor.level(), LEVEL_MAX);
        let mut recovered_at = Vec::new();
        for tick in 0..3000u32 {
            let before = governor.level();
            governor.record(100);
            if governor.level() < before {
                recovered_at.push(tick);
            }
        }
        assert_eq!(recovered_at.len(), usize::from(LEVEL_MAX));
        assert!(
            recovered_at.windows(2).all(|pair| pair[1] - pair[0] >= ticks_of_ms(60, UP_AFTER_MS)),
            "{recovered_at:?}"
        );
    }
}
