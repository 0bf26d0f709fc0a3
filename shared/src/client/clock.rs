//! The server's clock, estimated from pings.
//!
//! Of the last few pings, the one with the shortest round trip was delayed least, so that its middle is the best
//! estimate (as in NTP's clock filter, RFC 5905 section 10). The estimate moves slowly, so that the game's tick never
//! jumps.

use std::collections::VecDeque;

use crate::time::MonoTime;

/// Pings from which the best is chosen.
const SAMPLES: usize = 8;
/// Fastest the estimate moves, in microseconds per second: half a percent.
const SLEW_US_PER_S: f64 = 5_000.0;
/// With a larger error, in microseconds, moving would take too long and the estimate jumps: after the computer was
/// suspended, for example.
const JUMP_US: f64 = 250_000.0;

/// An estimate of the server's clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    samples: VecDeque<Sample>,
    /// Server time minus client time, in microseconds, as used at `slewed_at`.
    offset_us: f64,
    slewed_at: MonoTime,
    rtt_ms: f64,
    jitter_ms: f64,
    /// The next answer is that of another clock.
    is_replaced: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    rtt_us: u64,
    offset_us: f64,
}

impl Clock {
    /// Takes an answered ping: when it was sent by the client's clock, the server's time, and when the answer arrived.
    pub(crate) fn handle_pong(&mut self, sent: MonoTime, server: MonoTime, now: MonoTime) {
        if now < sent {
            return;
        }
        let rtt_us = now.us_since(sent);
        let offset_us = server.0 as f64 - (sent.0 as f64 + rtt_us as f64 / 2.0);
        // A middle is wrong by at most half of its round trip. Samples that contradict this one come from a server process that
        // has been restarted since.
        let one_clock = |s: &Sample| (s.offset_us - offset_us).abs() <= (s.rtt_us + rtt_us) as f64 / 2.0 + JUMP_US;
        self.samples.retain(one_clock);
        if std::mem::take(&mut self.is_replaced) {
            self.samples.clear();
        }
        let first = self.samples.is_empty();
        let rtt_ms = rtt_us as f64 / 1000.0;
        if first {
            self.rtt_ms = rtt_ms;
        } else {
            // Gains of RFC 6298, section 2.
            self.jitter_ms += 0.25 * ((rtt_ms - self.rtt_ms).abs() - self.jitter_ms);
            self.rtt_ms += 0.125 * (rtt_ms - self.rtt_ms);
        }
        self.slew(now);
        self.samples.push_back(Sample { rtt_us, offset_us });
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
        if first || (self.best() - self.offset_us).abs() > JUMP_US {
            self.offset_us = self.best();
        }
    }

    /// From now on the answers are those of another server. Until the first the former estimate holds, so that nothing that is drawn jumps
    /// twice.
    pub(crate) fn expect_another(&mut self) {
        self.is_replaced = true;
    }

    /// The server's clock at `now`, in microseconds; the client's own before the first answer.
    #[must_use]
    pub(crate) fn server_us(&self, now: MonoTime) -> f64 {
        now.0 as f64 + self.offset_at(now)
    }

    /// Whether an answer has arrived.
    #[must_use]
    pub(crate) fn is_set(&self) -> bool {
        !self.samples.is_empty()
    }

    /// Whether as many answers have arrived as are kept.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.samples.len() == SAMPLES
    }

    /// Smoothed round trip time in milliseconds, 0 before the first answer.
    #[must_use]
    pub(super) fn rtt_ms(&self) -> f64 {
        self.rtt_ms
    }

    /// Smoothed mean deviation of the round trip time in milliseconds.
    #[must_use]
    pub(super) fn jitter_ms(&self) -> f64 {
        self.jitter_ms
    }

    fn best(&self) -> f64 {
        self.samples.iter().min_by_key(|s| s.rtt_us).map_or(0.0, |s| s.offset_us)
    }

    fn offset_at(&self, now: MonoTime) -> f64 {
        let step = SLEW_US_PER_S * now.us_since(self.slewed_at) as f64 / 1e6;
        self.offset_us + (self.best() - self.offset_us).clamp(-step, step)
    }

    fn slew(&mut self, now: MonoTime) {
        self.offset_us = self.offset_at(now);
        self.slewed_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_finds_the_server_through_a_jittery_link_and_never_jumps() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut clock = Clock::default();
        let truth = |now: MonoTime| now.0 as f64 + 3_000_000.0;
        let (mut last, mut on_way) = (None, None);
        for step in 0..2000u64 {
            let now = MonoTime(step * 16_667);
            if let Some((sent, server, back)) = on_way.filter(|(_, _, back)| *back <= now) {
                clock.handle_pong(sent, server, back);
                on_way = None;
            }
            if step % 30 == 0 {
                let (up, down) = (20_000 + rng.u64(0..20_000), 20_000 + rng.u64(0..20_000));
                on_way = Some((now, MonoTime(truth(now.plus_us(up)) as u64), now.plus_us(up + down)));
            }
            let estimate = clock.server_us(now);
            // The first answer sets the clock, all others move it slowly.
            if let Some(last) = last.filter(|_| step > 8) {
                let moved: f64 = estimate - last;
                assert!((moved - 16_667.0).abs() < 90.0, "at most half a percent: {moved}");
            }
            if step > 8 {
                assert!((estimate - truth(now)).abs() < 10_000.0, "at most half of the jitter");
            }
            last = Some(estimate);
        }
        assert!((clock.rtt_ms() - 60.0).abs() < 10.0);
    }

    #[test]
    fn a_restarted_servers_clock_counts_from_its_first_answer_on() {
        let mut clock = Clock::default();
        for second in 0..20 {
            let sent = MonoTime(second * 1_000_000);
            clock.handle_pong(sent, MonoTime(sent.0 + 3_600_000_000), sent.plus_us(20_000));
        }
        // The first answer of the new process takes longer than those before.
        let now = MonoTime(25_000_000);
        clock.handle_pong(now, MonoTime(700_000), now.plus_us(300_000));
        assert!((clock.server_us(now) - 700_000.0).abs() <= 150_000.0, "{}", clock.server_us(now));
        // The clock of another server may be near that of the former one, and counts at once as well.
        let mut moved = clock.clone();
        moved.handle_pong(now, MonoTime(800_000), now.plus_us(300_000));
        assert!((moved.server_us(now) - clock.server_us(now)).abs() < 10_000.0, "taken for a bad answer");
        moved.expect_another();
        assert!((moved.server_us(now) - clock.server_us(now)).abs() < 10_000.0);
        moved.handle_pong(now, MonoTime(800_000), now.plus_us(300_000));
        assert!((moved.server_us(now) - 650_000.0).abs() < 10_000.0, "{}", moved.server_us(now));
        // An even slower answer does not change the estimate.
        clock.handle_pong(now, MonoTime(700_000), now.plus_us(900_000));
        assert!((clock.server_us(now) - 700_000.0).abs() <= 150_000.0, "{}", clock.server_us(now));
    }
}
