//! The pace of the program around the client: how rarely it can send, and the lead that covers it.
//!
//! A packet holds the inputs of all ticks since the previous one, and the first of them must arrive in time. A program
//! that calls when a packet is due holds inputs for as long as packets are apart. A page calls when it can: slightly
//! later than that while it is fast, and five times a second if it draws in software. The lead therefore covers the
//! longest time that a call may let a packet wait, whether or not the last packet waited that long; the server's report
//! on a packet is judged as if it had.

use std::collections::VecDeque;

use crate::time::{MonoTime, Tick};

/// Packets remembered: two seconds of a fast page, half a dozen of a slow one.
const PACKETS: usize = 32;
/// Calls further apart than this many milliseconds do not count for the pace: the program was suspended.
const APART_MS_MAX: f64 = 700.0;
/// If calls are further apart than this many milliseconds, single images are visible anyway, and the lead may jump.
const SLOW_MS: f64 = 60.0;
/// Fastest the covered time grows where it may not jump, in milliseconds per second.
const GROW_MS_PER_S: f64 = 30.0;
/// Fastest it shrinks: milliseconds per second, and the share of the excess that it loses each second in addition.
const SHRINK_MS_PER_S: f64 = 5.0;
/// See [`SHRINK_MS_PER_S`].
const SHRINK_SHARE_PER_S: f64 = 0.3;

/// When the program calls the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Calls {
    /// When there is something to send.
    #[default]
    Due,
    /// When it can, independently of the ticks.
    Free,
}

/// The measured pace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    calls: Calls,
    packets: VecDeque<Packet>,
    called_at: Option<MonoTime>,
    /// Milliseconds between the last two calls, and the longest such time since the last packet.
    apart_ms: f64,
    longest_ms: f64,
    covered_ms: f64,
    wanted_ms: f64,
    moved_at: MonoTime,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    /// The tick of its first sample.
    first: Tick,
    /// The longest time between calls while it waited, in milliseconds.
    apart_ms: f64,
    /// How much earlier it arrives than a packet that waits for the whole covered time and has a sample for every tick
    /// since the previous packet; in milliseconds.
    slack_ms: f64,
}

/// A packet that is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentPacket {
    /// The tick of its first sample.
    pub first: Tick,
    /// Milliseconds that the inputs since the previous packet have waited.
    pub waited_ms: f64,
    /// Milliseconds from one packet to the next.
    pub every_ms: f64,
    /// Milliseconds from one tick to the next.
    pub tick_ms: f64,
    /// Of the time waited, the milliseconds whose samples are gone, since snapshots overtook them.
    pub lost_ms: f64,
}

impl Pace {
    /// Starts with a covered time for a program with this manner of calls, whose packets are `every_ms` apart.
    pub(super) fn start(&mut self, calls: Calls, every_ms: f64) {
        self.calls = calls;
        (self.covered_ms, self.wanted_ms) = (self.covered_ms.max(every_ms), every_ms);
    }

    /// The program calls.
    pub(crate) fn handle_call(&mut self, now: MonoTime) {
        let apart_ms = self.called_at.map_or(0.0, |at| now.ms_since(at));
        self.called_at = Some(now);
        if apart_ms <= APART_MS_MAX {
            self.apart_ms = apart_ms;
            self.longest_ms = self.longest_ms.max(apart_ms);
        }
    }

    /// Whether inputs that have waited `waited_ms` would wait too long if they waited for the next call, where packets
    /// are `every_ms` apart.
    #[must_use]
    pub(crate) fn cannot_wait(&self, waited_ms: f64, every_ms: f64) -> bool {
        self.calls == Calls::Free && waited_ms + self.apart_ms > every_ms * 1.2
    }

    /// A packet is sent.
    pub(crate) fn handle_sent(&mut self, now: MonoTime, sent: &SentPacket) {
        self.move_to(now);
        let apart_ms = std::mem::take(&mut self.longest_ms);
        let slack_ms = sent.lost_ms
            + match self.calls {
                Calls::Due => 0.0,
                Calls::Free => self.covered_ms - sent.waited_ms,
            };
        if self.packets.len() == PACKETS {
            self.packets.pop_front();
        }
        self.packets.push_back(Packet { first: sent.first, apart_ms, slack_ms });
        self.wanted_ms = match self.calls {
            Calls::Due => sent.every_ms,
            Calls::Free => {
                let apart_ms = self.apart_most();
                apart_ms.max((sent.every_ms - sent.tick_ms + apart_ms).min(sent.every_ms * 1.2))
            }
        };
        if self.apart_most() > SLOW_MS {
            self.covered_ms = self.covered_ms.max(self.wanted_ms);
        }
    }

    /// The slack, in milliseconds, of the packet that the snapshot of `tick` reports as early by `early_ticks`, where
    /// snapshots are `every` ticks apart: how much earlier than necessary it arrived. `None` if the packet is no longer
    /// known.
    #[must_use]
    pub(crate) fn slack_ms(&self, tick: Tick, every: u32, early_ticks: f64) -> Option<f64> {
        // It arrived after the previous snapshot, and this much before its tick.
        let last = f64::from(tick.0) + early_ticks + 0.6;
        let first = last - f64::from(every) - 1.2;
        let among = |packet: &&Packet| (first..=last).contains(&f64::from(packet.first.0));
        self.packets.iter().filter(among).map(|packet| packet.slack_ms).reduce(f64::max)
    }

    /// The lead that lets every packet wait as long as it may have to, in milliseconds.
    #[must_use]
    pub(crate) fn covered_ms(&self, now: MonoTime) -> f64 {
        let seconds = (now.us_since(self.moved_at) as f64 / 1e6).min(1.0);
        let shrink_ms = SHRINK_MS_PER_S + (self.covered_ms - self.wanted_ms).max(0.0) * SHRINK_SHARE_PER_S;
        self.covered_ms + (self.wanted_ms - self.covered_ms).clamp(-shrink_ms * seconds, GROW_MS_PER_S * seconds)
    }

    fn move_to(&mut self, now: MonoTime) {
        self.covered_ms = self.covered_ms(now);
        self.moved_at = now;
    }

    /// The longest time to expect between calls: the recent maximum, plus half of its difference from the mean, since
    /// uneven calls may become longer. A single one that is much longer than all others is a hiccup and does not count.
    fn apart_most(&self) -> f64 {
        let (mut most, mut second, mut sum) = (0.0f64, 0.0f64, 0.0);
        for apart_ms in self.packets.iter().map(|packet| packet.apart_ms) {
            (most, second) = (most.max(apart_ms), second.max(apart_ms.min(most)));
            sum += apart_ms;
        }
        if second < most / 2.0 {
            return second;
        }
        let uneven = if most > SLOW_MS { (most - sum / self.packets.len() as f64) / 2.0 } else { 0.0 };
        (most + uneven).min(APART_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MS: f64 = 1000.0 / 60.0;

    /// Calls `apart_ms` milliseconds apart, each with a packet; gives the covered time after the last.
    fn covered(calls: Calls, apart_ms: impl IntoIterator<Item = u64>) -> f64 {
        let (mut pace, mut now) = (Pace::default(), MonoTime(1_000_000));
        pace.start(calls, 3.0 * TICK_MS);
        pace.handle_call(now);
        for (n, apart_ms) in apart_ms.into_iter().enumerate() {
            now = now.plus_ms(apart_ms);
            pace.handle_call(now);
            let first = Tick(n as u32 * 3);
            let waited_ms = apart_ms as f64;
            pace.handle_sent(
                now,
                &SentPacket { first, waited_ms, every_ms: 3.0 * TICK_MS, tick_ms: TICK_MS, lost_ms: 0.0 },
            );
        }
        pace.covered_ms(now)
    }

    #[test]
    fn a_page_that_keeps_up_is_covered_for_a_packet_and_a_hiccup_is_not_its_pace() {
        assert!((covered(Calls::Free, [16; 100]) - 50.0).abs() < 1.0);
        let hiccup = (0..100).map(|n| if n == 90 { 400 } else { 16 });
        assert!((covered(Calls::Free, hiccup) - 50.0).abs() < 1.0);
    }

    #[test]
    fn a_slow_page_is_covered_from_its_third_packet_on_and_an_uneven_one_with_a_margin() {
        assert!((covered(Calls::Free, [200; 3]) - 200.0).abs() < 1.0);
        let uneven = covered(Calls::Free, [170, 300, 480, 240, 350]);
        assert!((520.0..600.0).contains(&uneven), "{uneven}");
    }

    #[test]
    fn covered_time_shrinks_when_the_page_is_fast_again_and_is_constant_for_calls_in_time() {
        let back = covered(Calls::Free, [200; 20].into_iter().chain([16; 1200]));
        assert!((back - 50.0).abs() < 3.0, "{back}");
        assert!((covered(Calls::Due, [200; 20]) - 50.0).abs() < 1.0);
    }

    #[test]
    fn a_packet_is_judged_by_how_long_it_waited() {
        let mut pace = Pace::default();
        pace.start(Calls::Free, 50.0);
        let sent = SentPacket { first: Tick(100), waited_ms: 35.0, every_ms: 50.0, tick_ms: TICK_MS, lost_ms: 0.0 };
        pace.handle_sent(MonoTime(1), &sent);
        // 1.5 ticks early in the snapshot of tick 99, that of ticks 97 to 99.
        let slack_ms = pace.slack_ms(Tick(99), 3, 1.5).expect("a known packet");
        assert!((slack_ms - 15.0).abs() < 0.1, "{slack_ms}");
        assert_eq!(pace.slack_ms(Tick(90), 3, 1.5), None);
    }
}
