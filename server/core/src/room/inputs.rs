//! A player's inputs, queued until the tick they are for.

use std::collections::VecDeque;

use broadside_shared::protocol::input::{GameInput, InputPacket};
use broadside_shared::protocol::limits::INPUT_AHEAD_MAX;
use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::time::{Tick, ViewTime};

/// Ticks for which the last input replaces a missing one; after them the player idles.
const REPEATED_MAX: u32 = 2;

/// One player's inputs by tick, and the measurements from which the client adjusts its input lead.
#[derive(Debug, Clone)]
pub struct InputQueue<I> {
    /// In order of tick, each tick at most once, at most [`INPUT_AHEAD_MAX`] entries.
    queued: VecDeque<(Tick, I, ViewTime)>,
    last: I,
    lag: u32,
    repeated: u32,
    consumed: Tick,
    early: i16,
    missing: u8,
    dropped: u8,
}

impl<I: GameInput> Default for InputQueue<I> {
    fn default() -> Self {
        InputQueue {
            queued: VecDeque::new(),
            last: I::default(),
            lag: 0,
            repeated: 0,
            consumed: Tick(0),
            early: SnapshotHead::NO_INPUT,
            missing: 0,
            dropped: 0,
        }
    }
}

impl<I: GameInput> InputQueue<I> {
    /// Queues the samples of a packet; the room is at `stepped`, and the first sample arrived `early_us` microseconds before its tick
    /// is due. Samples for ticks already stepped or too far ahead are dropped and counted; returns their number. A second sample for
    /// the same tick is ignored.
    pub fn push(&mut self, packet: &InputPacket<I>, stepped: Tick, early_us: i64) -> u32 {
        let tenths_of_ms = (early_us / 100).clamp(i64::from(i16::MIN) + 1, i64::from(i16::MAX)) as i16;
        self.early = if self.early == SnapshotHead::NO_INPUT { tenths_of_ms } else { self.early.min(tenths_of_ms) };
        let mut dropped = 0;
        for (at, sample) in packet.samples.iter().enumerate() {
            let tick = packet.first.after(at as u32);
            if tick <= stepped || tick.since(stepped) > INPUT_AHEAD_MAX {
                dropped += 1;
                continue;
            }
            match self.queued.binary_search_by_key(&tick, |(t, ..)| *t) {
                Ok(_) => {}
                Err(slot) => self.queued.insert(slot, (tick, *sample, packet.view_of(at))),
            }
        }
        self.dropped = self.dropped.wrapping_add(dropped as u8);
        dropped
    }

    /// The input for `tick` and the player's view time. A missing input is replaced by the last one for two ticks, then by
    /// idling.
    pub fn take(&mut self, tick: Tick) -> (I, ViewTime) {
        while self.queued.front().is_some_and(|(t, ..)| *t < tick) {
            self.queued.pop_front();
        }
        match self.queued.front() {
            Some((t, input, view)) if *t == tick => {
                self.last = *input;
                self.lag = ViewTime::of(tick).parts_since(*view);
                self.repeated = 0;
                self.consumed = tick;
                self.queued.pop_front();
            }
            Some(_) | None => {
                // Before the first input there is nothing to miss.
                if self.consumed != Tick(0) {
                    self.missing = self.missing.wrapping_add(1);
                }
                self.repeated += 1;
                if self.repeated > REPEATED_MAX {
                    self.last = self.last.idle();
                }
            }
        }
        (self.last, ViewTime(ViewTime::of(tick).0.saturating_sub(self.lag.into())))
    }

    /// The head of the player's snapshot of `tick`. Starts a new measurement of how early inputs arrive.
    pub fn report(&mut self, tick: Tick) -> SnapshotHead {
        let early = std::mem::replace(&mut self.early, SnapshotHead::NO_INPUT);
        SnapshotHead { tick, consumed: self.consumed, early, missing: self.missing, dropped: self.dropped, budget: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
    use broadside_shared::replication::layout::Layout;

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    struct Steer(i8);

    impl GameInput for Steer {
        const LAYOUT: Layout = Layout::Bits(8);

        fn write(&self, out: &mut BitWriter) {
            out.bits(u32::from(self.0 as u8), 8);
        }
        fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError> {
            Ok(Steer(bits.bits(8)? as u8 as i8))
        }
        fn idle(&self) -> Self {
            Steer(0)
        }
    }

    fn packet(first: u32, steer: &[i8]) -> InputPacket<Steer> {
        InputPacket { acked: Tick(0), first: Tick(first), lag: 0, samples: steer.iter().map(|s| Steer(*s)).collect() }
    }

    #[test]
    fn an_input_is_used_at_its_tick_and_a_missing_one_is_repeated_then_idle() {
        let mut queue = InputQueue::default();
        queue.push(&packet(11, &[1, 2]), Tick(10), 4_000);
        let used: Vec<i8> = (11..=16).map(|t| queue.take(Tick(t)).0.0).collect();
        assert_eq!(used, [1, 2, 2, 2, 0, 0]);
        let head = queue.report(Tick(16));
        assert_eq!((head.consumed, head.missing, head.dropped, head.early), (Tick(12), 4, 0, 40));
        assert_eq!(queue.report(Tick(17)).early, SnapshotHead::NO_INPUT);
    }

    #[test]
    fn late_early_and_duplicate_inputs_are_not_used_and_the_first_two_are_reported() {
        let mut queue = InputQueue::default();
        queue.push(&packet(9, &[1, 1, 5]), Tick(10), -9_000);
        queue.push(&packet(11, &[7]), Tick(10), 4_000);
        queue.push(&packet(11 + INPUT_AHEAD_MAX, &[3]), Tick(10), 2_000_000);
        assert_eq!(queue.take(Tick(11)).0, Steer(5));
        let head = queue.report(Tick(11));
        assert_eq!((head.dropped, head.early), (3, -90));
    }
}
