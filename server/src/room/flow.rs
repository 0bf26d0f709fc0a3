//! Newest wins: whether a connection should get the next snapshot or skip it.
//!
//! A client acknowledges the newest snapshot it applied in every input packet. When more are on their way than its line
//! explains, the next one is skipped: later it gets one newer snapshot and never a backlog.

use std::collections::VecDeque;

use broadside_shared::time::{MonoTime, Tick};

/// Snapshots on their way at the most, however long the line.
const UNACKED_MAX: usize = 16;
/// Snapshots on their way beyond what the round trip explains.
const SPARE: u64 = 2;
/// Round trip assumed before the first acknowledgement, in microseconds.
const FIRST_RTT_US: u64 = 300_000;

/// What is on its way to one connection.
#[derive(Debug, Clone)]
pub struct Flow {
    written: VecDeque<(Tick, MonoTime)>,
    rtt_us: u64,
    measured: bool,
    skipped: u64,
}

impl Default for Flow {
    fn default() -> Self {
        Flow { written: VecDeque::with_capacity(UNACKED_MAX), rtt_us: FIRST_RTT_US, measured: false, skipped: 0 }
    }
}

impl Flow {
    /// The client has applied `tick`; the word came at `at`.
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

    /// Whether the next snapshot may be written, snapshots being `interval_us` apart. A refusal is counted.
    pub fn may_write(&mut self, interval_us: u64) -> bool {
        let explained = self.rtt_us.div_ceil(interval_us.max(1)).saturating_add(SPARE);
        let may = (self.written.len() as u64) <= explained && self.written.len() < UNACKED_MAX;
        self.skipped += u64::from(!may);
        may
    }

    /// The snapshot of `tick` was written at `at`.
    pub fn wrote(&mut self, tick: Tick, at: MonoTime) {
        self.written.push_back((tick, at));
    }

    /// Snapshots skipped so far.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_US: u64 = 33_333;

    /// Runs `seconds` of snapshots against a client that acknowledges `rtt_us` later unless it is stalled.
    fn skipped(rtt_us: u64, stalled: impl Fn(u64) -> bool) -> (u64, usize) {
        let (mut flow, mut on_way, mut most) = (Flow::default(), VecDeque::new(), 0);
        for tick in 0..900u32 {
            let now = MonoTime(u64::from(tick) * INTERVAL_US);
            while let Some((ack, at)) = on_way.front().copied()
                && at <= now.0
                && !stalled(now.0)
            {
                on_way.pop_front();
                flow.handle_ack(ack, MonoTime(at));
            }
            if flow.may_write(INTERVAL_US) {
                flow.wrote(Tick(tick), now);
                on_way.push_back((Tick(tick), now.0 + rtt_us));
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
    fn a_stalled_client_has_a_handful_on_their_way_and_the_rest_is_skipped() {
        let (skips, most) = skipped(30_000, |now| (5_000_000..13_000_000).contains(&now));
        assert!(most <= 5, "{most}");
        assert!(skips >= 230, "8 s at 30 Hz but for those on their way: {skips}");
    }
}
