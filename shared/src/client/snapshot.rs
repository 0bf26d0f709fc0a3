//! Reading a snapshot: head, own state, cells, events and updates.

use super::stats::{SnapshotArrival, Stats};
use super::{Client, Detail};
use crate::game::{Game, Standing, in_cell_units};
use crate::protocol::codec;
use crate::protocol::message::RoomUpdate;
use crate::protocol::snapshot::SnapshotHead;
use crate::replication::bits::{BitReader, WireError};
use crate::time::MonoTime;

impl<G: Game> Client<G> {
    pub(super) fn handle_snapshot(
        &mut self,
        now: MonoTime,
        len: usize,
        bytes: &[u8],
    ) -> Result<SnapshotArrival, WireError> {
        let mut bits = BitReader::new(bytes);
        let head = SnapshotHead::read(&mut bits)?;
        if let Some((newest, _)) = self.world.newest
            && head.tick <= newest
        {
            return Err(WireError::Range {
                what: "snapshot tick, not after the one before",
                value: head.tick.0.into(),
                limit: newest.0.into(),
            });
        }
        let detail = self.session.config.detail;
        let own = if bits.flag()? { Some(G::read_player_state(&mut bits)?) } else { None };
        let own_end = bits.align()?;
        self.session.choose_heads();
        if !self.session.decodes() {
            let mut arrival = self.arrival(now, &head, len);
            self.world.newest = Some((head.tick, now));
            let stats = &mut self.out.stats;
            count_head(stats, &head, own_end);
            stats.bytes_unread += (bytes.len() - own_end) as u64;
            arrival.corrected_units = self.local.reconcile(now, &head, own, &self.session, &self.world.replica, stats);
            return Ok(arrival);
        }
        self.world.replica.apply(G::KINDS, head.tick, &mut bits)?;
        let cells_end = bits.align()?;
        if !detail.is_for_load() {
            G::prediction_context(self.world.replica.records(), &mut self.local.context);
        }
        let far = own.as_ref().map_or(0, |own| {
            let (focus, view) = (in_cell_units::<G>(G::focus(own)), in_cell_units::<G>(G::VIEW));
            self.world.replica.cell_bytes_beyond(focus, view * 0.5)
        });
        self.out.stats.bytes_cells_far += far as u64;
        self.world.read_events(detail, head.tick, &mut bits)?;
        let events_end = bits.align()?;
        self.read_updates(now, &bytes[events_end..])?;

        let mut arrival = self.arrival(now, &head, len);
        self.world.newest = Some((head.tick, now));
        let stats = &mut self.out.stats;
        count_head(stats, &head, own_end);
        stats.bytes_cells += (cells_end - own_end) as u64;
        stats.bytes_events += (events_end - cells_end) as u64;
        stats.bytes_updates += (bytes.len() - events_end) as u64;
        arrival.corrected_units = self.local.reconcile(now, &head, own, &self.session, &self.world.replica, stats);
        if detail == Detail::View
            && self.session.clock.is_set()
            && let Some(room_time) = self.session.room_time(now)
        {
            let records = self.world.replica.records_by_tick();
            self.world.interpolation.handle_snapshot(head.tick, room_time.server_tick, records);
        }
        Ok(arrival)
    }

    fn arrival(&mut self, now: MonoTime, head: &SnapshotHead, len: usize) -> SnapshotArrival {
        let tick = f64::from(head.tick.0);
        let room_time = self.session.room_time(now);
        SnapshotArrival {
            tick: head.tick,
            bytes: len,
            gap_us: self.world.newest.map(|(_, at)| now.us_since(at)),
            age_ms: room_time.map_or(0.0, |time| time.ms(time.server_tick - tick)),
            input_to_ack_us: self.local.handle_ack(now, head.consumed),
            corrected_units: 0.0,
        }
    }

    fn read_updates(&mut self, now: MonoTime, mut bytes: &[u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let (update, used) = codec::decode_update(bytes)?;
            bytes = &bytes[used..];
            let world = &mut self.world;
            match update {
                // A load test runs thousands of clients; each would hold the names of thousands.
                RoomUpdate::Named { .. } if self.session.config.detail.is_for_load() => {}
                RoomUpdate::Named { player, name } => {
                    world.away.remove(player);
                    world.bots.remove(player);
                    world.names.insert(player, name);
                }
                RoomUpdate::Left { player } => {
                    world.away.remove(player);
                    world.bots.remove(player);
                    world.names.remove(player);
                }
                RoomUpdate::Away { player } => {
                    world.away.insert(player, ());
                }
                RoomUpdate::Back { player } => {
                    world.away.remove(player);
                }
                RoomUpdate::Bot { player } => {
                    world.bots.insert(player, ());
                }
                RoomUpdate::Match(match_status) => world.match_status = Some(match_status),
                RoomUpdate::State(state) => world.room_state = codec::decode_value(&state)?,
                RoomUpdate::Message(msg) => self.handle_control(now, &msg),
                RoomUpdate::Board { lines, players, extent, .. } => {
                    (world.players, world.extent) = (players, extent);
                    world.board = lines.into_iter().map(|(player, score)| Standing { player, score }).collect();
                }
            }
        }
        Ok(())
    }
}

/// Counts a snapshot whose head and own state end `own_end` bytes after the kind byte.
fn count_head(stats: &mut Stats, head: &SnapshotHead, own_end: usize) {
    stats.snapshots += 1;
    stats.budget_steps += u64::from(stats.budget != head.budget);
    stats.budget = head.budget;
    stats.bytes_own += own_end as u64 + 1;
}
