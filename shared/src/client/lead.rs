//! Input lead: how far ahead of the server the client runs its own player, so that inputs arrive just in time for their
//! tick.
//!
//! Every snapshot reports how early inputs arrived. If they are late, the client runs a few per mille fast until they
//! are in time; if they are early, it runs slow, since every tick of lead delays what other players see. This is the
//! link's share of the lead. The share of the program around the client, how long inputs wait for their packet, is in
//! [`Pace`].

use super::pace::{Calls, Pace, SentPacket};
use super::tick_ms;
use crate::time::{MonoTime, Tick};

/// Inputs should arrive this much before their tick, in milliseconds, on a link without jitter: a server reads them
/// once a tick.
const EARLY_MS: f64 = 6.0;
/// Multiple of the measured jitter that is added to [`EARLY_MS`].
const EARLY_JITTERS: f64 = 2.0;
/// Fastest the lead grows, in milliseconds per second: three percent while inputs are lost.
const GROW_MS_PER_S: f64 = 30.0;
/// Fastest the lead shrinks, in milliseconds per second: five per mille, which is invisible.
const SHRINK_MS_PER_S: f64 = 5.0;
/// Share of the excess over [`LONG_MS`] that the lead loses each second in addition, so that it is short again soon
/// after a bad stall.
const SHRINK_SHARE_PER_S: f64 = 0.3;
/// An excess of the lead that a player feels, in milliseconds.
const LONG_MS: f64 = 30.0;
/// With an error above this in consecutive reports, in milliseconds, the link has changed permanently and the lead is
/// set again.
const JUMP_MS: f64 = 250.0;
/// Consecutive reports that this takes: a single one is an accident, such as a retransmitted segment.
const JUMP_REPORTS: u32 = 4;
/// Longest lead in milliseconds; beyond it, inputs are late at any lead.
const LEAD_MS_MAX: f64 = 1_000.0;

/// The steered lead: the link's share here, the program's share in [`Pace`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Lead {
    tick_ms: f64,
    lead_ms: f64,
    goal_ms: f64,
    /// Consecutive reports with an error above [`JUMP_MS`].
    far_off: u32,
    moved_at: MonoTime,
    pace: Pace,
}

impl Lead {
    /// Sets the first lead from the round trip time, for a game of `tick_hz` whose inputs are sent every `every` ticks,
    /// and a program with this manner of calls.
    pub(super) fn start(&mut self, rtt_ms: f64, tick_hz: u32, every: u32, calls: Calls) {
        self.tick_ms = tick_ms(tick_hz);
        self.lead_ms = (rtt_ms / 2.0 + EARLY_MS).min(LEAD_MS_MAX);
        self.goal_ms = self.lead_ms;
        self.pace.start(calls, f64::from(every) * self.tick_ms);
    }

    /// The program calls the client.
    pub(crate) fn handle_call(&mut self, now: MonoTime) {
        self.pace.handle_call(now);
    }

    /// Whether the inputs since `due` must be sent before `every` ticks have gathered, since the next call is too late
    /// for them.
    #[must_use]
    pub(crate) fn cannot_wait(&self, now: MonoTime, server_tick: f64, due: Tick, every: u32) -> bool {
        self.pace.cannot_wait(self.waited_ms(now, server_tick, due), f64::from(every) * self.tick_ms)
    }

    /// A packet is sent at `server_tick` with a first sample for `first`; its first sample should be for `due`, and a
    /// packet is due every `every` ticks.
    pub(crate) fn handle_sent(&mut self, now: MonoTime, server_tick: f64, (due, first): (Tick, Tick), every: u32) {
        let waited_ms = self.waited_ms(now, server_tick, due);
        let (every_ms, lost_ms) = (f64::from(every) * self.tick_ms, f64::from(first.since(due)) * self.tick_ms);
        self.pace.handle_sent(now, &SentPacket { first, waited_ms, every_ms, tick_ms: self.tick_ms, lost_ms });
    }

    fn waited_ms(&self, now: MonoTime, server_tick: f64, due: Tick) -> f64 {
        (self.client_tick(now, server_tick) - f64::from(due.0)) * self.tick_ms
    }

    /// Takes the report, in the snapshot of `tick`, of how early inputs arrived since the snapshot `every` ticks before
    /// it, in milliseconds; negative is late.
    pub(crate) fn handle_early(&mut self, now: MonoTime, (tick, every): (Tick, u32), early_ms: f64, jitter_ms: f64) {
        // The time that inputs waited for their packet is not the link's.
        let Some(slack_ms) = self.pace.slack_ms(tick, every, early_ms / self.tick_ms.max(1.0)) else { return };
        self.move_to(now);
        let miss_ms = EARLY_MS + EARLY_JITTERS * jitter_ms - (early_ms - slack_ms);
        // The report is one round trip old and already being acted on, so follow half of it.
        self.goal_ms = (self.lead_ms + 0.5 * miss_ms).clamp(0.0, LEAD_MS_MAX);
        self.far_off = if miss_ms.abs() > JUMP_MS { self.far_off + 1 } else { 0 };
        if self.far_off >= JUMP_REPORTS {
            self.far_off = 0;
            self.goal_ms = (self.lead_ms + miss_ms).clamp(0.0, LEAD_MS_MAX);
            self.lead_ms = self.goal_ms;
        }
    }

    /// The client's tick, with a fraction, when the server is at `server_tick`.
    #[must_use]
    pub(crate) fn client_tick(&self, now: MonoTime, server_tick: f64) -> f64 {
        if self.tick_ms == 0.0 {
            return server_tick;
        }
        server_tick + (self.lead_at(now) + self.pace.covered_ms(now)) / self.tick_ms
    }

    fn lead_at(&self, now: MonoTime) -> f64 {
        let seconds = now.us_since(self.moved_at) as f64 / 1e6;
        let long_ms = (self.lead_ms - self.goal_ms - LONG_MS).max(0.0);
        let shrink = (SHRINK_MS_PER_S + long_ms * SHRINK_SHARE_PER_S) * seconds.min(1.0);
        self.lead_ms + (self.goal_ms - self.lead_ms).clamp(-shrink, GROW_MS_PER_S * seconds)
    }

    fn move_to(&mut self, now: MonoTime) {
        self.lead_ms = self.lead_at(now);
        self.moved_at = now;
    }
}
