//! Steps everyone down before ticks are missed: far cells come less often, then snapshots do; and up again, with hysteresis.
//!
//! It is told once a tick how busy the room was: the longer of stepping and telling the players, as a share of the time between two
//! ticks. Levels are those of [`Budget`]: the line of one client and the machine of all give less in the same way.

use super::flow::Budget;

/// Share of the time between two ticks, in per mille, over which a room is short of time.
const BUSY: u32 = 850;
/// Share under which it has time to spare.
const IDLE: u32 = 550;
/// Ticks over which the share is averaged: an eighth of a second at 60 Hz.
const AVERAGED: u32 = 8;
/// Ticks between two steps down: a quarter of a second, so that each step shows before the next.
const DOWN_AFTER: u32 = 15;
/// Ticks with time to spare before a step up: three seconds.
const UP_AFTER: u32 = 180;
/// The longest wait for a step up, when more turned out to be too much: doubled each time, up to half a minute.
const UP_AFTER_MAX: u32 = 1800;
/// Ticks for which a step up must last to count as right.
const SETTLED: u32 = 600;

/// How far everyone in a room is stepped down.
#[derive(Debug, Clone)]
pub struct Governor {
    level: u8,
    /// Share of the time between two ticks, in per mille, averaged.
    busy: u32,
    /// Ticks since the last step.
    since_step: u32,
    /// Ticks in a row with time to spare.
    idle: u32,
    up_after: u32,
    steps_down: u64,
    steps_up: u64,
}

impl Default for Governor {
    fn default() -> Self {
        Governor { level: 0, busy: 0, since_step: 0, idle: 0, up_after: UP_AFTER, steps_down: 0, steps_up: 0 }
    }
}

impl Governor {
    /// A tick took `busy` per mille of the time there is for it.
    pub fn note(&mut self, busy: u32) {
        self.busy = (self.busy * (AVERAGED - 1) + busy.min(4000)) / AVERAGED;
        self.since_step = self.since_step.saturating_add(1);
        self.idle = if self.busy < IDLE { self.idle + 1 } else { 0 };
        if self.busy > BUSY && self.since_step >= DOWN_AFTER && self.level < Budget::LEVEL_MAX {
            if self.steps_up > 0 && self.since_step < SETTLED {
                self.up_after = (self.up_after * 2).min(UP_AFTER_MAX);
            }
            self.level += 1;
            self.steps_down += 1;
            (self.since_step, self.idle) = (0, 0);
        } else if self.idle >= self.up_after && self.level > 0 {
            self.level -= 1;
            self.steps_up += 1;
            (self.since_step, self.idle) = (0, 0);
        } else if self.level == 0 && self.since_step >= SETTLED {
            self.up_after = UP_AFTER;
        }
    }

    /// How far everyone is stepped down: a level of [`Budget`].
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Steps down and up so far.
    #[must_use]
    pub fn steps(&self) -> (u64, u64) {
        (self.steps_down, self.steps_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_tick_changes_nothing_and_a_second_of_them_steps_down() {
        let mut governor = Governor::default();
        for tick in 0..600 {
            governor.note(if tick % 100 == 0 { 2000 } else { 400 });
        }
        assert_eq!(governor.level(), 0);
        (0..60).for_each(|_| governor.note(950));
        assert!(governor.level() >= 3, "{}", governor.level());
    }

    #[test]
    fn it_settles_where_the_work_fits_and_does_not_swing() {
        // Full service takes 120 % of the time there is; each level takes a fifth off.
        let busy = |level: u8| 1200 - 200 * u32::from(level);
        let mut governor = Governor::default();
        let mut changes = 0;
        for _ in 0..60 * 120 {
            let before = governor.level();
            governor.note(busy(before));
            changes += u32::from(governor.level() != before);
        }
        assert!((2..=3).contains(&governor.level()), "{}", governor.level());
        assert!(changes <= 12, "{changes} changes in two minutes");
    }

    #[test]
    fn it_recovers_one_step_after_another_once_there_is_time_to_spare() {
        let mut governor = Governor::default();
        (0..120).for_each(|_| governor.note(1500));
        assert_eq!(governor.level(), Budget::LEVEL_MAX);
        let mut recovered_at = Vec::new();
        for tick in 0..3000u32 {
            let before = governor.level();
            governor.note(100);
            if governor.level() < before {
                recovered_at.push(tick);
            }
        }
        assert_eq!(recovered_at.len(), usize::from(Budget::LEVEL_MAX));
        assert!(recovered_at.windows(2).all(|pair| pair[1] - pair[0] >= UP_AFTER), "{recovered_at:?}");
    }
}
