//! The simulated network link, in virtual time: the effects of a link on an ordered stream.
//!
//! WebSocket runs on TCP, which keeps order and loses nothing while it lives. Therefore a link delays, varies,
//! throttles and stalls; a lost packet is a stall of everything behind it until it is retransmitted. Tests step a
//! [`Pipe`] with a number they add to, programs with a clock.

use std::collections::VecDeque;

use crate::time::MonoTime;

/// Bytes of a TCP segment on an ordinary link: 1,500 less headers and timestamps.
const SEGMENT_BYTES: usize = 1448;
/// Least time after which a sender retransmits a lost segment, in milliseconds (Linux: `TCP_RTO_MIN`).
const RETRANSMIT_MS: f64 = 200.0;
/// Most bytes in flight before the sender's socket refuses more: its send buffer and the receiver's.
const IN_FLIGHT_MAX: usize = 96 * 1024;

/// A kind of link, the same in both directions except for its rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkProfile {
    /// Name in flags and panels.
    pub name: &'static str,
    /// One-way delay in milliseconds.
    pub delay_ms: f64,
    /// Largest deviation of a frame's delay from `delay_ms`, in milliseconds. Order is kept.
    pub jitter_ms: f64,
    /// Share of segments that are lost and retransmitted, 0..=1.
    pub loss: f64,
    /// Rate towards the client in bits per second; `None` is unlimited.
    pub down_bps: Option<f64>,
    /// Rate towards the server in bits per second; `None` is unlimited.
    pub up_bps: Option<f64>,
    /// The part that pauses now and then.
    pub pause: Pause,
}

/// The part that pauses now and then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pause {
    /// None.
    Never,
    /// The link: nothing moves, then everything arrives at once.
    Link(Stall),
    /// The client's program: its timers stop and it reads nothing, while its socket answers pings, as in a frozen
    /// browser tab. The link itself continues; the program that runs the client must pause it.
    Client(Stall),
}

/// How often something stalls, and for how long: each drawn evenly from a range, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stall {
    /// Time from the end of one stall to the start of the next.
    pub every_s: (f64, f64),
    /// Length of a stall.
    pub lasts_s: (f64, f64),
}

const fn link(
    name: &'static str,
    delay_ms: f64,
    jitter_ms: f64,
    loss: f64,
    rates_mbps: Option<(f64, f64)>,
) -> LinkProfile {
    let (down_bps, up_bps) = match rates_mbps {
        Some((down, up)) => (Some(down * 1e6), Some(up * 1e6)),
        None => (None, None),
    };
    LinkProfile { name, delay_ms, jitter_ms, loss, down_bps, up_bps, pause: Pause::Never }
}

impl LinkProfile {
    /// A link without delay, loss or limits.
    pub const CLEAN: LinkProfile = link("clean", 0.0, 0.0, 0.0, None);

    /// Every named link.
    pub const ALL: [LinkProfile; 11] = [
        Self::CLEAN,
        link("cable", 14.0, 2.0, 0.0, Some((5.0, 1.0))),
        link("wifi", 5.0, 5.0, 0.005, Some((30.0, 15.0))),
        link("4g", 22.0, 10.0, 0.002, Some((20.0, 10.0))),
        link("lte", 35.0, 10.0, 0.0, Some((12.0, 12.0))),
        link("far", 60.0, 5.0, 0.0, Some((20.0, 10.0))),
        link("3g", 130.0, 50.0, 0.005, Some((1.6, 0.77))),
        link("jittery", 100.0, 100.0, 0.0, None),
        link("very-bad", 250.0, 50.0, 0.1, Some((1.0, 1.0))),
        LinkProfile {
            pause: Pause::Client(Stall { every_s: (10.0, 20.0), lasts_s: (5.0, 60.0) }),
            ..link("tab-freeze", 14.0, 2.0, 0.0, None)
        },
        LinkProfile {
            pause: Pause::Link(Stall { every_s: (8.0, 16.0), lasts_s: (2.0, 10.0) }),
            ..link("stall", 14.0, 2.0, 0.0, None)
        },
    ];

    /// The link with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<LinkProfile> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// Every name, for messages to people.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(|profile| profile.name).join(", ")
    }

    /// The two pipes of this link: towards the client, and towards the server. Equal seeds give equal links.
    #[must_use]
    pub fn pipes(&self, seed: u64) -> (Pipe, Pipe) {
        let stalls = match self.pause {
            Pause::Link(stall) => Some(stall),
            Pause::Never | Pause::Client(_) => None,
        };
        let pipe = |bps, seed| Pipe::new(self, bps, stalls.map(|stall| Stalls::new(stall, seed)), seed);
        // Both directions stall together, since their stalls have the same seed.
        let (mut down, mut up) = (pipe(self.down_bps, seed), pipe(self.up_bps, seed));
        down.rng = fastrand::Rng::with_seed(seed ^ 0xd0);
        up.rng = fastrand::Rng::with_seed(seed ^ 0x11);
        (down, up)
    }

    /// The client's stalls, if this link has them.
    #[must_use]
    pub fn freezes(&self, seed: u64) -> Option<Stalls> {
        match self.pause {
            Pause::Client(stall) => Some(Stalls::new(stall, seed)),
            Pause::Never | Pause::Link(_) => None,
        }
    }
}

/// A sequence of stalls, drawn from a seed.
#[derive(Debug, Clone)]
pub struct Stalls {
    stall: Stall,
    rng: fastrand::Rng,
    from: MonoTime,
    until: MonoTime,
}

impl Stalls {
    /// Stalls of this kind, the first after some time.
    #[must_use]
    pub fn new(stall: Stall, seed: u64) -> Self {
        let mut stalls = Stalls { stall, rng: fastrand::Rng::with_seed(seed), from: MonoTime(0), until: MonoTime(0) };
        stalls.draw();
        stalls
    }

    /// The end of the stall at `now`; `None` outside a stall. Times must not decrease.
    pub fn stalled_until(&mut self, now: MonoTime) -> Option<MonoTime> {
        while now >= self.until {
            self.draw();
        }
        (now >= self.from).then_some(self.until)
    }

    fn draw(&mut self) {
        let mut between = |(low, high): (f64, f64)| ((low + (high - low) * self.rng.f64()) * 1e6) as u64;
        self.from = self.until.plus_us(between(self.stall.every_s));
        self.until = self.from.plus_us(between(self.stall.lasts_s));
    }
}

/// One direction of a link: frames go in, and come out later.
#[derive(Debug, Clone)]
pub struct Pipe {
    delay_ms: f64,
    jitter_ms: f64,
    loss: f64,
    bps: Option<f64>,
    stalls: Option<Stalls>,
    rng: fastrand::Rng,
    in_flight: VecDeque<(MonoTime, Vec<u8>)>,
    in_flight_bytes: usize,
    /// When the link has sent everything that was put on it so far.
    idle_at: MonoTime,
    last_arrival: MonoTime,
}

impl Pipe {
    fn new(profile: &LinkProfile, bps: Option<f64>, stalls: Option<Stalls>, seed: u64) -> Self {
        Pipe {
            delay_ms: profile.delay_ms,
            jitter_ms: profile.jitter_ms,
            loss: profile.loss,
            bps,
            stalls,
            rng: fastrand::Rng::with_seed(seed),
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            idle_at: MonoTime(0),
            last_arrival: MonoTime(0),
        }
    }

    /// Sets delay and jitter, in milliseconds, for later frames.
    pub fn set_delay(&mut self, delay_ms: f64, jitter_ms: f64) {
        (self.delay_ms, self.jitter_ms) = (delay_ms, jitter_ms);
    }

    /// Whether the sender's socket accepts another frame.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        self.in_flight_bytes < IN_FLIGHT_MAX
    }

    /// Sends a frame at `now`.
    pub fn send(&mut self, now: MonoTime, frame: Vec<u8>) {
        let from = now.max(self.idle_at);
        let sending_us = self.bps.map_or(0.0, |bps| frame.len() as f64 * 8e6 / bps);
        self.idle_at = from.plus_us(sending_us as u64);
        let varied = self.delay_ms + self.jitter_ms * (self.rng.f64() * 2.0 - 1.0);
        let mut arrival = self.idle_at.plus_us((varied.max(0.0) * 1000.0) as u64);
        for _ in 0..frame.len().div_ceil(SEGMENT_BYTES) {
            if self.loss > 0.0 && self.rng.f64() < self.loss {
                arrival = arrival.plus_us((RETRANSMIT_MS.max(2.0 * self.delay_ms) * 1000.0) as u64);
            }
        }
        arrival = arrival.max(self.last_arrival);
        if let Some(until) = self.stalls.as_mut().and_then(|stalls| stalls.stalled_until(arrival)) {
            arrival = until;
        }
        self.last_arrival = arrival;
        self.in_flight_bytes += frame.len();
        self.in_flight.push_back((arrival, frame));
    }

    /// The next frame that has arrived by `now`.
    pub fn receive(&mut self, now: MonoTime) -> Option<Vec<u8>> {
        if self.in_flight.front()?.0 > now {
            return None;
        }
        let (_, frame) = self.in_flight.pop_front()?;
        self.in_flight_bytes -= frame.len();
        Some(frame)
    }

    /// When the next frame arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<MonoTime> {
        self.in_flight.front().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends 100-byte frames 50 times a second for a minute; gives each frame's time in flight, in milliseconds.
    fn times_in_flight(name: &str) -> Vec<f64> {
        let (mut down, _) = LinkProfile::named(name).expect("a known name").pipes(3);
        let mut times = Vec::new();
        for ms in 0..70_000u64 {
            let now = MonoTime(ms * 1000);
            while let Some(frame) = down.receive(now) {
                let sent = u64::from_le_bytes(frame[..8].try_into().expect("eight bytes"));
                times.push((ms - sent) as f64);
            }
            if ms < 60_000 && ms % 20 == 0 {
                let mut frame = vec![0; 100];
                frame[..8].copy_from_slice(&ms.to_le_bytes());
                down.send(now, frame);
            }
        }
        times
    }

    #[test]
    fn every_link_keeps_order_and_loses_nothing_and_is_as_slow_as_its_profile() {
        for profile in LinkProfile::ALL {
            let mut times = times_in_flight(profile.name);
            assert_eq!(times.len(), 3000, "{}", profile.name);
            times.sort_by(f64::total_cmp);
            let median = times[1500];
            // Keeping order makes a jittery link slower than its mean delay.
            let most = profile.delay_ms + profile.jitter_ms + 450.0 * f64::from(u8::from(profile.loss > 0.05)) + 2.0;
            assert!(median >= profile.delay_ms && median <= most, "{}: {median}", profile.name);
        }
    }

    #[test]
    fn a_loss_stalls_the_frames_behind_it_and_a_stall_ends_in_a_burst() {
        let wifi = times_in_flight("wifi");
        assert!(wifi.iter().any(|ms| *ms > 200.0));
        let stalled = times_in_flight("stall");
        let worst = stalled.iter().copied().fold(0.0, f64::max);
        assert!(worst > 2_000.0 && worst < 10_100.0, "{worst}");
    }
}
