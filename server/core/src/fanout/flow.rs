//! Flow control: whether a connection gets the next snapshot or skips it. The newest snapshot wins.
//!
//! A client acknowledges the newest snapshot it applied in every input packet. When more snapshots are in flight than the round trip of
//! its link explains, the next one is skipped: the client later gets one newer snapshot and never a backlog.

use std::collections::VecDeque;

use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::replication::viewer::UpdateRateTier;
use broadside_shared::time::{MonoTime, Tick};

use crate::room::LEVEL_MAX;

/// Maximum number of unacknowledged snapshots, whatever the round trip.
const UNACKED_MAX: usize = 16;
/// Unacknowledged snapshots allowed beyond those that the round trip explains.
const SPARE: u64 = 2;
/// Round trip assumed before the first acknowledgement, in microseconds.
const FIRST_RTT_US: u64 = 300_000;

/// Congestions within [`WINDOW`] due snapshots after which a connection is stepped down. Consecutive skips count as one congestion: a
/// lost segment or a stall holds up everything for a while and says nothing about the capacity of the link.
const DOWN_AFTER: u32 = 3;
/// Due snapshots over which congestions are counted: two seconds at 30 Hz.
const WINDOW: u32 = 60;
/// Consecutive snapshots without a skip after which a connection is stepped up: three seconds at 30 Hz.
const UP_AFTER: u32 = 90;
/// Longest wait for a step up, in snapshots. The wait doubles each time a step up did not last.
const UP_AFTER_MAX: u32 = 90 * 4;

/// A connection's level of service. First far cells are sent less often, then whole snapshots are.
#[derive(Debug, Clone)]
pub struct Budget {
    level: u8,
    /// Due snapshots of the current window, and congestions in it.
    due: u32,
    congestions: u32,
    /// The last snapshot was skipped.
    congested: bool,
    /// Consecutive snapshots without a skip.
    clean: u32,
    up_after: u32,
    steps_down: u64,
    steps_up: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            level: 0,
            due: 0,
            congestions: 0,
            congested: false,
            clean: 0,
            up_after: UP_AFTER,
            steps_down: 0,
            steps_up: 0,
        }
    }
}

impl Budget {
    /// Records a snapshot that was due, and whether the link took it.
    pub fn record(&mut self, taken: bool) {
        self.due += 1;
        if taken {
            // At a lower snapshot rate each one also counts for those that were not due.
            self.clean += SnapshotHead::every(self.level);
            self.congested = false;
        } else {
            self.congestions += u32::from(!self.congested);
            self.congested = true;
            self.clean = 0;
        }
        if self.congestions >= DOWN_AFTER && self.level < LEVEL_MAX {
            if self.steps_up > 0 {
                // The last step up did not last: wait longer before the next.
                self.up_after = (self.up_after * 2).min(UP_AFTER_MAX);
            }
            self.level += 1;
            self.steps_down += 1;
            (self.due, self.congestions) = (0, 0);
        } else if self.clean >= self.up_after && self.level > 0 {
            self.level -= 1;
            self.steps_up += 1;
            (self.due, self.congestions, self.clean) = (0, 0, 0);
        } else if self.due >= WINDOW {
            (self.due, self.congestions) = (0, 0);
        }
    }

    /// The level of service, 0 (full) to [`LEVEL_MAX`].
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The update rate of far cells at a level.
    #[must_use]
    pub fn tier(level: u8) -> UpdateRateTier {
        match level {
            0 => UpdateRateTier::Full,
            1 => UpdateRateTier::Far,
            _ => UpdateRateTier::Farther,
        }
    }

    /// Number of steps down and up so far.
    #[must_use]
    pub fn steps(&self) -> (u64, u64) {
        (self.steps_down, self.steps_up)
    }
}

/// Whether a socket can take a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    /// Its outbox is empty.
    Free,
    /// Earlier bytes still wait in its outbox.
    Clogged,
}

impl SocketState {
    #[must_use]
    pub fn from_free(free: bool) -> SocketState {
        if free { SocketState::Free } else { SocketState::Clogged }
    }
}

/// The decision about a snapshot that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Write it, with far cells at this rate.
    Write(UpdateRateTier),
    /// Skip it: the link has not taken the earlier ones. A newer snapshot supersedes it.
    Skip,
    /// Leave it out: at the connection's level of service it is not due.
    Rest,
}

/// Flow control of one connection.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Snapshots that were not acknowledged yet, and when each was written.
    written: VecDeque<(Tick, MonoTime)>,
    /// Smoothed round trip.
    rtt_us: u64,
    measured: bool,
    skipped: u64,
    budget: Budget,
    turn: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Flow {
            written: VecDeque::with_capacity(UNACKED_MAX),
            rtt_us: FIRST_RTT_US,
            measured: false,
            skipped: 0,
            budget: Budget::default(),
            turn: 0,
        }
    }
}

impl Flow {
    /// The client acknowledged the snapshot of `tick`; the acknowledgement arrived at `at`.
    pub fn handle_ack(&mut self, tick: Tick, at: MonoTime) {
        while let Some((written, when)) = self.written.front().copied()
            && written <= tick
        {
            self.written.pop_front();
            if written == tick {
                let sample = at.us_since(when);
                // Gain of RFC 6298, section 2.
                self.rtt_us = if self.measured { (self.rtt_us * 7 + sample) / 8 } else { sample };
                self.measured = true;
            }
        }
    }

    /// The level in force when the room's level is `floor`: the lower service of the two.
    #[must_use]
    pub fn level(&self, floor: u8) -> u8 {
        self.budget.level.max(floor)
    }

    /// Decides about a due snapshot. `interval_us` is the time between two snapshots at level 0, and `floor` the room's level: snapshots
    /// that are left out because of it are not due.
    pub fn decide(&mut self, interval_us: u64, socket: SocketState, floor: u8) -> Decision {
        self.turn = self.turn.wrapping_add(1);
        let (own, due) = (SnapshotHead::every(self.budget.level), SnapshotHead::every(floor));
        if !self.turn.is_multiple_of((own / due).max(1)) {
            return Decision::Rest;
        }
        let interval_us = interval_us.max(1) * u64::from(own.max(due));
        let explained = self.rtt_us.div_ceil(interval_us).saturating_add(SPARE);
        let taken =
            socket == SocketState::Free && (self.written.len() as u64) <= explained && self.written.len() < UNACKED_MAX;
        self.skipped += u64::from(!taken);
        self.budget.record(taken);
        // At a lower update rate, cells are encoded against several baselines instead of one. That saves the link bytes, but hardly any
        // machine time. When the machine is so short of time that snapshots are already fewer, it would cost more than it saves.
        let floor = if due > 1 { 0 } else { floor };
        if taken { Decision::Write(Budget::tier(self.level(floor))) } else { Decision::Skip }
    }

    /// The snapshot of `tick` was written at `at`.
    pub fn wrote(&mut self, tick: Tick, at: MonoTime) {
        self.written.push_back((tick, at));
    }

    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Number of snapshots skipped so far.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_US: u64 = 33_333;

    /// Runs 900 snapshots at 30 Hz against a client that acknowledges each `rtt_us` later unless it is stalled. Returns the number of
    /// skips and the most snapshots that were in flight at once.
    fn skipped(rtt_us: u64, stalled: impl Fn(u64) -> bool) -> (u64, usize) {
        let (mut flow, mut in_flight, mut most) = (Flow::default(), VecDeque::new(), 0);
        for tick in 0..900u32 {
            let now = MonoTime(u64::from(tick) * INTERVAL_US);
            while let Some((ack, at)) = in_flight.front().copied()
                && at <= now.0
                && !stalled(now.0)
            {
                in_flight.pop_front();
                flow.handle_ack(ack, MonoTime(at));
            }
            if let Decision::Write(_) = flow.decide(INTERVAL_US, SocketState::Free, 0) {
                flow.wrote(Tick(tick), now);
                in_flight.push_back((Tick(tick), now.0 + rtt_us));
            }
            most = most.max(flow.written.len());
        }
        (flow.skipped(), most)
    }

    #[test]
    fn a_healthy_client_is_never_skipped_up_to_300_ms_of_round_trip() {
        for rtt_ms in [0, 20, 60, 120, 300] {
            assert_eq!(skipped(rtt_ms * 1000, |_| false).0, 0, "{rtt_ms} ms");
        }
    }

    #[test]
    fn a_stalled_client_has_a_handful_of_snapshots_in_flight_and_the_rest_is_skipped() {
        let (skips, most) = skipped(30_000, |now| (5_000_000..13_000_000).contains(&now));
        assert!(most <= 5, "{most}");
        assert!(skips >= 230, "8 s at 30 Hz but for those in flight: {skips}");
    }

    #[test]
    fn one_long_stall_does_not_step_down() {
        let mut budget = Budget::default();
        for congested in [50..80, 300..600] {
            (0..1000).for_each(|i| budget.record(!congested.contains(&i)));
        }
        assert_eq!(budget.steps(), (0, 0));
    }

    #[test]
    fn a_budget_steps_down_while_the_link_is_congested_and_up_again_ever_more_cautiously() {
        let mut budget = Budget::default();
        (0..200).for_each(|i| budget.record(i % 2 == 0));
        assert_eq!(budget.level(), LEVEL_MAX);
        let until_up = |budget: &mut Budget| {
            let before = budget.level();
            (1..10_000).find(|_| {
                budget.record(true);
                budget.level() < before
            })
        };
        budget.record(false);
        assert_eq!(until_up(&mut budget), Some(UP_AFTER.div_ceil(4)));
        for _ in 0..DOWN_AFTER {
            budget.record(true);
            budget.record(false);
        }
        assert_eq!(budget.level(), LEVEL_MAX);
        assert_eq!(until_up(&mut budget), Some((UP_AFTER * 2).div_ceil(4)), "the step up did not last");
        (0..2000).for_each(|_| budget.record(true));
        let (down, up) = budget.steps();
        assert_eq!((down, budget.level()), (up, 0));
    }
}
