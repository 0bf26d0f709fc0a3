//! On which ticks of an interval a seat's snapshots go out.
//!
//! Where a snapshot follows the client's input packet soon, TCP acknowledges the packet with the snapshot, and the snapshot with the
//! next packet, instead of with segments of their own: Linux delays an acknowledgement by up to 40 ms in the hope of data. So the seat
//! moves to the tick that follows its packets by about [`AFTER_INPUT_US`]. It moves only when most packets of a while agree, and only
//! where that leaves the ticks about evenly loaded.

use broadside_shared::game::Game;
use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::time::{MonoTime, Tick, tick_us};

use super::Room;

/// Time from the arrival of an input packet to the tick of the next snapshot that is aimed at, in microseconds. Sending takes a few
/// milliseconds more. The other gap, to the packet after the snapshot, is the rest of the interval.
const AFTER_INPUT_US: u64 = 20_000;
/// Packets of a seat that are counted before they may move it.
const VOTES: u8 = 32;
/// How many of them must agree before it moves: each move makes one interval longer or shorter.
const AGREEING: u8 = 24;
/// Below this occupancy all snapshots of a room go out on one tick; from [`SPREAD_MIN`] on they are staggered. In between the room keeps
/// what it has, since each change makes one interval shorter or longer.
const TOGETHER_MAX: u16 = 12;
/// See [`TOGETHER_MAX`].
const SPREAD_MIN: u16 = 16;
/// Most ticks in an interval.
const EVERY_MAX: usize = 12;

/// A seat's place in the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SnapshotPhase {
    /// Snapshots are due on ticks `t` where `t + phase` is a multiple of the interval.
    phase: u8,
    /// When the newest packet arrived that has not voted yet.
    arrived: Option<MonoTime>,
    /// For each phase the packets counted so far that it would follow best.
    votes: [u8; EVERY_MAX],
    voted: u8,
}

/// How many seats have each phase.
#[derive(Debug, Clone, Default)]
pub(super) struct PhaseLoad([u16; EVERY_MAX]);

impl PhaseLoad {
    /// The phase with the fewest seats, for another one.
    pub(super) fn take(&mut self, every: u32) -> SnapshotPhase {
        let phases = &mut self.0[..every as usize];
        let least = (0..phases.len()).min_by_key(|phase| phases[*phase]).unwrap_or(0);
        phases[least] += 1;
        SnapshotPhase { phase: least as u8, arrived: None, votes: [0; EVERY_MAX], voted: 0 }
    }

    /// A seat with this phase is given up.
    pub(super) fn free(&mut self, phase: SnapshotPhase) {
        self.0[usize::from(phase.phase)] -= 1;
    }

    /// Most seats that a phase may have before no other moves to it: a quarter more than an even share.
    fn most(&self, every: u32) -> u32 {
        let seats: u32 = self.0.iter().copied().map(u32::from).sum();
        (seats * 5).div_ceil(every * 4)
    }
}

impl SnapshotPhase {
    /// The phase in ticks, 0 to the length of the interval.
    pub(super) fn ticks(self) -> u32 {
        self.phase.into()
    }

    /// An input packet arrived.
    #[inline]
    pub(super) fn handle_input(&mut self, arrived: MonoTime) {
        self.arrived = Some(arrived);
    }

    /// Counts the newest packet, once per snapshot. Moves the seat once it has been clear for a while that another phase follows its packets
    /// better.
    pub(super) fn review(&mut self, tick_zero: MonoTime, (tick_hz, every): (u32, u32), load: &mut PhaseLoad) {
        let Some(arrived) = self.arrived.take().filter(|_| every > 1) else { return };
        // The first tick that is due at least this long after the packet.
        let after_us = AFTER_INPUT_US.saturating_sub(tick_us(tick_hz, 1) / 2);
        let since_us = arrived.plus_us(after_us).us_since(tick_zero);
        let tick = (since_us * u64::from(tick_hz)).div_ceil(1_000_000) % u64::from(every);
        let best = (u64::from(every) - tick) % u64::from(every);
        self.votes[best as usize] += 1;
        self.voted += 1;
        if self.voted < VOTES {
            return;
        }
        let (votes, own) = (std::mem::take(&mut self.votes), usize::from(self.phase));
        self.voted = 0;
        let agreed = votes.iter().position(|votes| *votes >= AGREEING).filter(|best| *best != own);
        if let Some(best) = agreed
            && u32::from(load.0[best]) < load.most(every)
        {
            load.0[own] -= 1;
            load.0[best] += 1;
            self.phase = best as u8;
        }
    }
}

impl<G: Game> Room<G> {
    /// Whether a snapshot for this seat is due on a tick.
    pub(super) fn is_due(&self, at: usize, tick: Tick, level: u8) -> bool {
        let Some(seat) = &self.seats[at] else { return false };
        let interval = self.config.snapshot_every;
        // At a reduced rate, the seats of a phase take turns.
        let phase = if self.is_spread { seat.phase.ticks() + interval * at as u32 } else { 0 };
        tick.0.wrapping_add(phase).is_multiple_of(interval * SnapshotHead::every(level))
    }

    /// Few snapshots go out on one tick, so that the other ticks capture and keep nothing. Many are staggered, so that no tick carries
    /// them all.
    pub(super) fn spread(&mut self) {
        match self.seated + self.spectators {
            0..TOGETHER_MAX => self.is_spread = false,
            SPREAD_MIN.. => self.is_spread = true,
            TOGETHER_MAX..SPREAD_MIN => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: MonoTime = MonoTime(5_000_000);

    /// Packets of a seat that arrive `at_us` after the start of each interval of three ticks at 60 Hz.
    fn packets(phase: &mut SnapshotPhase, load: &mut PhaseLoad, at_us: u64, count: u64) {
        for n in 0..count {
            phase.handle_input(ZERO.plus_us(n * 50_000 + at_us));
            phase.review(ZERO, (60, 3), load);
        }
    }

    /// Microseconds from the packets to the tick of the next snapshot.
    fn wait_us(phase: SnapshotPhase, at_us: u64) -> u64 {
        let due = (0..6).filter(|tick| (tick + phase.ticks()).is_multiple_of(3)).map(|tick| tick_us(60, tick));
        due.filter(|due| *due >= at_us).map(|due| due - at_us).min().expect("within two intervals")
    }

    #[test]
    fn a_seat_moves_to_the_tick_that_follows_its_packets_by_about_20_ms() {
        for at_us in (0..50_000).step_by(1_000) {
            let mut load = PhaseLoad([50; EVERY_MAX]);
            let mut phase = load.take(3);
            packets(&mut phase, &mut load, at_us, u64::from(VOTES));
            let wait_us = wait_us(phase, at_us);
            assert!((11_000..=29_000).contains(&wait_us), "{at_us}: {wait_us}");
        }
    }

    #[test]
    fn packets_that_do_not_agree_move_nothing() {
        let mut load = PhaseLoad([50; EVERY_MAX]);
        let mut phase = load.take(3);
        let before = phase.ticks();
        for n in 0..300 {
            phase.handle_input(ZERO.plus_us(n * 50_000 + n % 3 * 16_667));
            phase.review(ZERO, (60, 3), &mut load);
        }
        assert_eq!(phase.ticks(), before);
    }

    #[test]
    fn seats_whose_packets_arrive_together_leave_the_ticks_within_a_quarter_of_an_even_share() {
        let mut load = PhaseLoad::default();
        let mut phases: Vec<_> = (0..300).map(|_| load.take(3)).collect();
        assert_eq!(load.0[..3], [100; 3]);
        for phase in &mut phases {
            packets(phase, &mut load, 1_000, 10 * u64::from(VOTES));
        }
        assert_eq!(load.0[..3].iter().max(), Some(&125));
        assert_eq!(load.0[..3].iter().sum::<u16>(), 300);
        phases.into_iter().for_each(|phase| load.free(phase));
        assert_eq!(load.0, [0; EVERY_MAX]);
    }
}
