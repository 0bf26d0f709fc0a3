//! What comes in each snapshot, taken apart: the head, the own state, the cells, events and updates.

use super::pace::Calls;
use super::stats::Arrival;
use super::{Client, Detail, EVENTS_KEPT};
use crate::game::{CorrectionCause, Game, Standing};
use crate::protocol::codec;
use crate::protocol::limits::EVENTS_MAX;
use crate::protocol::message::RoomUpdate;
use crate::protocol::snapshot::SnapshotHead;
use crate::replication::bits::{BitReader, WireError};
use crate::time::{MonoTime, Tick};

/// Ticks after a missing input in which a correction is put down to it.
const INPUT_BLAME_TICKS: u32 = 6;

impl<G: Game> Client<G> {
    pub(super) fn handle_snapshot(&mut self, now: MonoTime, len: usize, bytes: &[u8]) -> Result<Arrival, WireError> {
        let mut bits = BitReader::new(bytes);
        let head = SnapshotHead::read(&mut bits)?;
        if let Some((newest, _)) = self.newest
            && head.tick <= newest
        {
            return Err(WireError::Range {
                what: "snapshot tick, not after the one before",
                value: head.tick.0.into(),
                limit: newest.0.into(),
            });
        }
        let own = if bits.flag()? { Some(G::read_player_state(&mut bits)?) } else { None };
        let own_end = bits.align()?;
        self.replica.apply(G::KINDS, head.tick, &mut bits)?;
        let cells_end = bits.align()?;
        if self.config.detail != Detail::Decode {
            G::prediction_context(self.replica.records(), &mut self.context);
        }
        let far = own.as_ref().map_or(0, |own| self.replica.blob_bytes_beyond(G::focus(own), G::VIEW * 0.5));
        self.stats.bytes_cells_far += far as u64;
        self.read_events(head.tick, &mut bits)?;
        let events_end = bits.align()?;
        self.read_notes(now, &bytes[events_end..])?;

        let mut arrival = self.arrival(now, &head, len);
        self.newest = Some((head.tick, now));
        self.stats.snapshots += 1;
        self.stats.budget_steps += u64::from(self.stats.budget != head.budget);
        self.stats.budget = head.budget;
        self.stats.bytes_own += own_end as u64 + 1;
        self.stats.bytes_cells += (cells_end - own_end) as u64;
        self.stats.bytes_events += (events_end - cells_end) as u64;
        self.stats.bytes_notes += (bytes.len() - events_end) as u64;
        arrival.corrected_units = self.reconcile(now, &head, own);
        if let Some(seat) = self.seat
            && self.config.detail == Detail::View
            && self.clock.is_set()
        {
            let server_tick = seat.tick_at(self.clock.server_us(now));
            self.interpolation.handle_snapshot(head.tick, server_tick, self.replica.records_by_tick());
        }
        Ok(arrival)
    }

    fn arrival(&mut self, now: MonoTime, head: &SnapshotHead, len: usize) -> Arrival {
        let mut input_to_ack_us = None;
        if head.consumed > self.acked_input {
            self.acked_input = head.consumed;
            while self.stamps.front().is_some_and(|(tick, _)| *tick < head.consumed) {
                self.stamps.pop_front();
            }
            let stamp = self.stamps.front().filter(|(tick, _)| *tick == head.consumed);
            input_to_ack_us = stamp.map(|(_, at)| now.us_since(*at));
        }
        let gap_us = self.newest.map(|(_, at)| now.us_since(at));
        let age_ms = self.seat.map_or(0.0, |seat| {
            (seat.tick_at(self.clock.server_us(now)) - f64::from(head.tick.0)) * 1000.0 / f64::from(seat.tick_hz)
        });
        Arrival { tick: head.tick, bytes: len, gap_us, age_ms, input_to_ack_us, corrected_units: 0.0 }
    }

    /// Gives the world units by which the own position had to be corrected.
    fn reconcile(&mut self, now: MonoTime, head: &SnapshotHead, own: Option<G::LocalPlayerState>) -> f32 {
        let counters = (head.missing, head.dropped);
        // Before it has the first of our inputs, the server steps without.
        if self.counters.is_some_and(|before| before != counters) || head.consumed == Tick(0) {
            self.input_missing_at = Some(head.tick);
        }
        if let Some((missing, dropped)) = self.counters {
            self.stats.inputs_missing += u64::from(head.missing.wrapping_sub(missing));
            self.stats.inputs_dropped += u64::from(head.dropped.wrapping_sub(dropped));
        }
        self.counters = Some(counters);
        if head.early != SnapshotHead::NO_INPUT {
            self.stats.input_early_ms = f64::from(head.early) / 10.0;
            let every = self.seat.map_or(1, |seat| self.input_every(&seat));
            self.lead.handle_early(now, (head.tick, every), self.stats.input_early_ms, self.clock.jitter_ms());
        }
        let (Some(own), Some(seat), true) = (own, self.seat, self.clock.is_set()) else { return 0.0 };
        if !self.prediction.started() {
            let calls = match self.config.detail {
                // Where somebody looks, calls come when images do.
                Detail::View => Calls::Free,
                Detail::Replica | Detail::Decode => Calls::Due,
            };
            self.lead.start(self.clock.rtt_ms(), seat.tick_hz, seat.snapshot_every, calls);
        }
        let correction = self.prediction.reconcile(now, head.tick, own, &self.context);
        self.prediction.confirm_spawns(seat.player, head.tick, self.replica.records());
        if let Some((distance, cause)) = correction {
            // The server uses another input for a tick, and the difference may show a little later.
            let input = self.input_missing_at.is_some_and(|at| head.tick.since(at) <= INPUT_BLAME_TICKS);
            self.stats.count_correction(distance, if input { CorrectionCause::Input } else { cause });
        }
        correction.map_or(0.0, |(distance, _)| distance)
    }

    fn read_events(&mut self, tick: Tick, bits: &mut BitReader) -> Result<(), WireError> {
        let count = bits.count(1, EVENTS_MAX, "events")?;
        bits.align()?;
        for _ in 0..count {
            let at = tick.before(bits.bits(8)?);
            let event = G::read_event(bits)?;
            bits.align()?;
            if self.config.detail != Detail::Decode {
                self.events.push_back((at, event));
            }
        }
        if !self.events.iter().is_sorted_by_key(|(at, _)| *at) {
            self.events.make_contiguous().sort_by_key(|(at, _)| *at);
        }
        while self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
        Ok(())
    }

    fn read_notes(&mut self, now: MonoTime, mut bytes: &[u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let (note, used) = codec::decode_update(bytes)?;
            bytes = &bytes[used..];
            match note {
                // Thousands of players that each know the names of thousands would be no cheap ones.
                RoomUpdate::Named { .. } if self.config.detail == Detail::Decode => {}
                RoomUpdate::Named { player, name } => {
                    self.away.remove(&player);
                    self.names.insert(player, name);
                }
                RoomUpdate::Left { player } => {
                    self.away.remove(&player);
                    self.names.remove(&player);
                }
                RoomUpdate::Away { player } => {
                    self.away.insert(player);
                }
                RoomUpdate::Back { player } => {
                    self.away.remove(&player);
                }
                RoomUpdate::Match(match_status) => self.match_status = Some(match_status),
                RoomUpdate::Message(msg) => self.handle_control(now, &msg),
                RoomUpdate::Board { lines, players, extent, .. } => {
                    (self.players, self.extent) = (players, extent);
                    self.board = lines.into_iter().map(|(player, score)| Standing { player, score }).collect();
                }
            }
        }
        Ok(())
    }
}
