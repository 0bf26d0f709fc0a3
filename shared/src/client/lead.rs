//! Input lead: how far ahead of the server the client runs its own ship, so that inputs arrive just in time for their tick.
//!
//! The server says in every snapshot how early inputs came. Too late, and the client runs a few per mille fast until they are
//! in time; too early, and it runs slow, since every tick of lead is a tick of delay between the hand and the others' eyes.
//! That is the line's part. How long inputs wait for the packet they go in is the part of the program context the client, and
//! [`Pace`] knows it.

use super::pace::{Calls, Pace, Sent};
use super::tick_ms;
use crate::time::{MonoTime, Tick};

/// Inputs should arrive this much before their tick, in milliseconds, on a line without jitter: a server reads them once a tick.
const EARLY_MS: f64 = 6.0;
/// And this many times the measured jitter on top.
const EARLY_JITTERS: f64 = 2.0;
/// Fastest the lead grows, in milliseconds per second: three percent while inputs are lost.
const GROW_MS_PER_S: f64 = 30.0;
/// Fastest the lead shrinks, in milliseconds per second: five per mille, which no eye sees.
const SHRINK_MS_PER_S: f64 = 5.0;
/// Share of what the lead is too long by more than [`LONG_MS`] that goes each second on top: after a bad stall it is soon short again.
const SHRINK_SHARE_PER_S: f64 = 0.3;
/// Longer than it should be by this many milliseconds is felt.
const LONG_MS: f64 = 30.0;
/// Further off than this, in milliseconds, report after report, and the line has changed for good: the lead is set anew.
const JUMP_MS: f64 = 250.0;
/// Reports in a row that it takes: one alone is an accident, such as a segment lost and sent again.
const JUMP_REPORTS: u32 = 4;
/// Longest lead in milliseconds; beyond, inputs are late whatever we do.
const LEAD_MS_MAX: f64 = 1_000.0;

/// The steered lead: the line's part here, the program's in [`Pace`].
#[derive(Debug, Clone, Default)]
pub struct Lead {
    tick_ms: f64,
    lead_ms: f64,
    goal_ms: f64,
    /// Reports in a row that were further off than [`JUMP_MS`].
    far_off: u32,
    moved_at: MonoTime,
    pace: Pace,
}

impl Lead {
    /// Sets the first lead from the round trip time, for a game of `tick_hz` whose inputs go every `every` ticks, and a program that
    /// calls like this.
    pub fn start(&mut self, rtt_ms: f64, tick_hz: u32, every: u32, calls: Calls) {
        self.tick_ms = tick_ms(tick_hz);
        self.lead_ms = (rtt_ms / 2.0 + EARLY_MS).min(LEAD_MS_MAX);
        self.goal_ms = self.lead_ms;
        self.pace.start(calls, f64::from(every) * self.tick_ms);
    }

    /// The program context the client calls.
    pub fn handle_call(&mut self, now: MonoTime) {
        self.pace.handle_call(now);
    }

    /// Whether the inputs since `due` have to go before `every` ticks are together, since the next call comes too late for them.
    #[must_use]
    pub fn cannot_wait(&self, now: MonoTime, server_tick: f64, due: Tick, every: u32) -> bool {
        self.pace.cannot_wait(self.waited_ms(now, server_tick, due), f64::from(every) * self.tick_ms)
    }

    /// A packet goes out at `server_tick` whose first sample is for `first`, where that of `due` would be next and a packet is due
    /// every `every` ticks.
    pub fn handle_sent(&mut self, now: MonoTime, server_tick: f64, (due, first): (Tick, Tick), every: u32) {
        let waited_ms = self.waited_ms(now, server_tick, due);
        let (every_ms, lost_ms) = (f64::from(every) * self.tick_ms, f64::from(first.since(due)) * self.tick_ms);
        self.pace.handle_sent(now, &Sent { first, waited_ms, every_ms, tick_ms: self.tick_ms, lost_ms });
    }

    fn waited_ms(&self, now: MonoTime, server_tick: f64, due: Tick) -> f64 {
        (self.client_tick(now, server_tick) - f64::from(due.0)) * self.tick_ms
    }

    /// Takes the server's word, in the snapshot of `tick`, on how early inputs arrived since the one `every` ticks before it, in
    /// milliseconds; negative is late.
    pub fn handle_early(&mut self, now: MonoTime, (tick, every): (Tick, u32), early_ms: f64, jitter_ms: f64) {
        // How long what came had waited is no matter of the line.
        let Some(slack_ms) = self.pace.slack_ms(tick, every, early_ms / self.tick_ms.max(1.0)) else { return };
        self.move_to(now);
        let miss_ms = EARLY_MS + EARLY_JITTERS * jitter_ms - (early_ms - slack_ms);
        // What the server says is one round trip old and already being acted on: follow half of it.
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
    pub fn client_tick(&self, now: MonoTime, server_tick: f64) -> f64 {
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
