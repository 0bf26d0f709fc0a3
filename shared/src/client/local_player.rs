//! The local player: runs the client ticks, sends their inputs, and compares the prediction with each snapshot.

use std::collections::VecDeque;

use super::Detail;
use super::lead::Lead;
use super::output::Output;
use super::pace::Calls;
use super::prediction::Prediction;
use super::session::{RoomTime, Seat, Session};
use super::stats::Stats;
use super::world::World;
use crate::game::{CorrectionCause, Game};
use crate::protocol::input::InputPacket;
use crate::protocol::limits::SAMPLES_MAX;
use crate::protocol::snapshot::SnapshotHead;
use crate::replication::replica::Replica;
use crate::time::{MonoTime, Tick, ViewTime, ticks_of_ms};

/// Longest time, in milliseconds, whose client ticks are run in one call; further behind, the client jumps to the present. More than
/// half a second, which a page that draws in software may take for an image, and the most that [`pace`](super::pace) adds to it at once.
const CATCH_UP_MS: u32 = 1_400;
/// Inputs whose sampling time is remembered, to measure the time to their acknowledgement.
const SAMPLED_KEPT: usize = 256;
/// Time after a missing input, in milliseconds, during which a correction is attributed to it.
const INPUT_BLAME_MS: u32 = 100;

pub(super) struct LocalPlayer<G: Game> {
    pub(super) prediction: Prediction<G>,
    pub(super) lead: Lead,
    pub(super) context: G::PredictionContext,
    pub(super) lag_compensation: bool,
    /// The newest tick whose input was sent; for a spectator, the newest snapshot acknowledged.
    sent: Tick,
    /// The newest input that the server acknowledged.
    acked: Tick,
    /// When each input was sampled, oldest first.
    sampled: VecDeque<(Tick, MonoTime)>,
    /// The wrapping counts of missing and dropped inputs in the newest snapshot; `None` before the first of a connection.
    pub(super) counters: Option<(u8, u8)>,
    /// The newest snapshot that reported a missing or dropped input.
    input_missing_at: Option<Tick>,
}

impl<G: Game> LocalPlayer<G> {
    pub(super) fn new(detail: Detail) -> Self {
        LocalPlayer {
            prediction: Prediction::of(detail),
            lead: Lead::default(),
            context: G::PredictionContext::default(),
            lag_compensation: true,
            sent: Tick(0),
            acked: Tick(0),
            sampled: VecDeque::new(),
            counters: None,
            input_missing_at: None,
        }
    }

    /// Forgets the former seat. The lead stays, since the link does; so do the switches.
    pub(super) fn reset(&mut self, detail: Detail) {
        let hidden = self.prediction.hidden();
        let (lead, lag_compensation) = (std::mem::take(&mut self.lead), self.lag_compensation);
        *self = LocalPlayer { lead, lag_compensation, ..LocalPlayer::new(detail) };
        self.prediction.set_hidden(hidden);
    }

    /// Runs the client ticks that are due with `input`.
    pub(super) fn advance(&mut self, room_time: &RoomTime, input: &G::Input, stats: &mut Stats) {
        let now = room_time.now;
        self.lead.handle_call(now);
        let target = self.lead.client_tick(now, room_time.server_tick);
        let due = Tick(target.max(0.0) as u32);
        let (behind, ahead) = (due.since(self.prediction.tick()), self.prediction.tick().since(due));
        // The client is ahead after the estimate of the server's clock was corrected.
        if behind.max(ahead) > ticks_of_ms(G::TICK_HZ, CATCH_UP_MS) {
            self.prediction.jump_to(due.before(1));
            self.sent = self.sent.min(due.before(1));
        }
        while self.prediction.tick() < due {
            self.prediction.advance(input, &self.context);
            self.sampled.push_back((self.prediction.tick(), now));
            if self.sampled.len() > SAMPLED_KEPT {
                self.sampled.pop_front();
            }
        }
        stats.lead_ms = room_time.ms(target - room_time.server_tick);
    }

    /// Sends the inputs of every tick since the last packet, in as many packets as needed.
    pub(super) fn send_inputs(&mut self, room_time: &RoomTime, world: &World<G>, detail: Detail, out: &mut Output<G>) {
        let &RoomTime { now, server_tick, .. } = room_time;
        let (tick, every, due) = (self.prediction.tick(), input_every(&room_time.seat, &out.stats), self.sent.after(1));
        let ready = tick.since(self.sent);
        if ready == 0 || (ready < every && !self.lead.cannot_wait(now, server_tick, due, every)) {
            return;
        }
        if let Some((first, _)) = self.prediction.inputs_from(due).filter(|_| self.sent != Tick(0)) {
            self.lead.handle_sent(now, server_tick, (due, first), every);
        }
        // The picture is as far behind the newest sample as it was behind the first one at its time.
        let seen = if self.lag_compensation { world.seen_tick(detail) } else { f64::from(tick.0) };
        let lag = ViewTime::of(tick).parts_since(ViewTime::from_ticks(seen));
        let acked = world.newest_tick();
        // Older ones are too late at any lead.
        self.sent = self.sent.max(tick.before(ticks_of_ms(G::TICK_HZ, CATCH_UP_MS)));
        while let Some((first, samples)) = self.prediction.inputs_from(self.sent.after(1)) {
            self.sent = first.after(samples.len() as u32 - 1);
            out.send_frame(InputPacket { acked, first, lag, samples }.encode());
        }
    }

    /// A spectator has no inputs, but the server needs its acknowledgements.
    pub(super) fn send_ack(&mut self, newest: Tick, out: &mut Output<G>) {
        if newest <= self.sent {
            return;
        }
        self.sent = newest;
        let samples = std::iter::once(G::Input::default()).collect();
        out.send_frame(InputPacket { acked: newest, first: newest, lag: 0, samples }.encode());
    }

    /// When the next input packet is due, at the earliest now.
    pub(super) fn next_input_at(&self, room_time: &RoomTime, stats: &Stats) -> MonoTime {
        let at = self.lead.client_tick(room_time.now, room_time.server_tick);
        let ticks = f64::from(self.sent.0) + f64::from(input_every(&room_time.seat, stats)) - at;
        room_time.now.plus_us((ticks * 1e6 / f64::from(room_time.seat.tick_hz)).max(0.0).ceil() as u64)
    }

    /// Takes the newest acknowledged input of a snapshot; gives the microseconds since that input was sampled, if it is a new one.
    pub(super) fn handle_ack(&mut self, now: MonoTime, consumed: Tick) -> Option<u64> {
        if consumed <= self.acked {
            return None;
        }
        self.acked = consumed;
        while self.sampled.front().is_some_and(|(tick, _)| *tick < consumed) {
            self.sampled.pop_front();
        }
        let sampled = self.sampled.front().filter(|(tick, _)| *tick == consumed);
        sampled.map(|(_, at)| now.us_since(*at))
    }

    /// Compares the prediction with the server's state `own`; gives the correction of the own position in world units.
    pub(super) fn reconcile(
        &mut self,
        now: MonoTime,
        head: &SnapshotHead,
        own: Option<G::LocalPlayerState>,
        session: &Session,
        replica: &Replica,
        stats: &mut Stats,
    ) -> f32 {
        self.count_inputs(head, stats);
        if head.early != SnapshotHead::NO_INPUT {
            stats.input_early_ms = f64::from(head.early) / 10.0;
            let every = session.seat.map_or(1, |seat| input_every(&seat, stats));
            self.lead.handle_early(now, (head.tick, every), stats.input_early_ms, session.clock.jitter_ms());
        }
        let (Some(own), Some(seat), true) = (own, session.seat, session.clock.is_set()) else { return 0.0 };
        if !self.prediction.started() {
            let calls = match session.config.detail {
                // A program that draws calls once per image.
                Detail::View => Calls::Free,
                Detail::Replica | Detail::Decode | Detail::Heads => Calls::Due,
            };
            self.lead.start(session.clock.rtt_ms(), seat.tick_hz, seat.snapshot_every, calls);
        }
        let correction = self.prediction.reconcile(now, head.tick, own, &self.context);
        self.prediction.confirm_spawns(seat.player, head.tick, replica.records());
        if let Some((distance, cause)) = correction {
            // The server used another input for a tick, and the difference may show a little later.
            let input =
                self.input_missing_at.is_some_and(|at| head.tick.since(at) <= ticks_of_ms(G::TICK_HZ, INPUT_BLAME_MS));
            stats.count_correction(distance, if input { CorrectionCause::INPUT } else { cause });
        }
        correction.map_or(0.0, |(distance, _)| distance)
    }

    fn count_inputs(&mut self, head: &SnapshotHead, stats: &mut Stats) {
        let counters = (head.missing, head.dropped);
        // Until the first input arrives, the server steps without one.
        if self.counters.is_some_and(|before| before != counters) || head.consumed == Tick(0) {
            self.input_missing_at = Some(head.tick);
        }
        if let Some((missing, dropped)) = self.counters {
            stats.inputs_missing += u64::from(head.missing.wrapping_sub(missing));
            stats.inputs_dropped += u64::from(head.dropped.wrapping_sub(dropped));
        }
        self.counters = Some(counters);
    }
}

/// Ticks from one input packet to the next: the same as between snapshots, also where the server has reduced their rate. A server
/// that lacks time for snapshots lacks it for inputs too.
fn input_every(seat: &Seat, stats: &Stats) -> u32 {
    (seat.snapshot_every * SnapshotHead::every(stats.budget)).min(SAMPLES_MAX as u32)
}
