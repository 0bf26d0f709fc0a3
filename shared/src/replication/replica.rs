//! The receiving end: a client's copy of the cells it is subscribed to.

use glam::Vec2;

use super::bits::{BitReader, WireError};
use super::cells::CellId;
use super::delta::{self, Base};
use super::fields::{KindSpec, Record};
use super::viewer::SUBSCRIBED_MAX;
use crate::time::Tick;

/// A client's copy of its cells.
///
/// All records lie in one list, and the next frame's list is written beside it: a client with thousands of entities
/// reads two stretches of memory per frame, where a list per cell took twice as long.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    /// In order of number.
    cells: Vec<Cell>,
    /// The records of all cells, in order of cell, then id.
    records: Vec<Record>,
    /// Buffer for the next frame's records.
    next: Vec<Record>,
}

#[derive(Debug, Clone)]
struct Cell {
    id: CellId,
    /// The tick of the last applied state; `None` before the first.
    tick: Option<Tick>,
    /// The range of its records.
    start: u32,
    end: u32,
    /// Length of its encoded cell in the newest frame.
    encoded_cell_bytes: u32,
}

impl Cell {
    fn records<'a>(&self, all: &'a [Record]) -> &'a [Record] {
        &all[self.start as usize..self.end as usize]
    }
}

impl Replica {
    /// Applies the cells section of a frame of `tick`. Leaves `bits` at the first byte after the section.
    ///
    /// # Errors
    /// What is wrong with the bytes. The replica is then invalid: deltas would build on a wrong state.
    pub fn apply(&mut self, kinds: &[KindSpec], tick: Tick, bits: &mut BitReader) -> Result<(), WireError> {
        self.resubscribe(bits)?;
        let tiered = bits.flag()?;
        let (mut due, mut present) = (0u64, 0u64);
        for at in 0..self.cells.len() {
            let is_due = !tiered || bits.flag()?;
            due |= u64::from(is_due) << at;
            present |= u64::from(is_due && bits.flag()?) << at;
        }
        bits.align()?;
        self.next.clear();
        let mut ends = [0; SUBSCRIBED_MAX];
        let mut lengths = [0; SUBSCRIBED_MAX];
        for (at, cell) in self.cells.iter().enumerate() {
            let records = cell.records(&self.records);
            if present & (1 << at) == 0 {
                // Unchanged.
                self.next.extend_from_slice(records);
            } else {
                let from = bits.align()?;
                let (cells, all) = (&self.cells, &self.records);
                let near = |direction| neighbour_records(cells, all, cell, direction);
                let base = cell.tick.map(|tick| Base { records, tick, around: &near });
                delta::decode(kinds, cell.id, tick, base, bits, &mut self.next)?;
                lengths[at] = (bits.align()? - from) as u32;
            }
            ends[at] = self.next.len() as u32;
        }
        // Last, since encoded cells refer to the former state of their neighbours.
        std::mem::swap(&mut self.records, &mut self.next);
        let mut start = 0;
        for (at, cell) in self.cells.iter_mut().enumerate() {
            (cell.start, cell.end, cell.encoded_cell_bytes) = (start, ends[at], lengths[at]);
            start = cell.end;
            // A cell that was due and is not present is unchanged.
            if due & (1 << at) != 0 {
                cell.tick = Some(tick);
            }
        }
        Ok(())
    }

    /// Bytes of the newest frame's encoded cells whose middle lies outside a rectangle of `size` cell units around
    /// `centre`.
    #[must_use]
    pub(crate) fn cell_bytes_beyond(&self, centre: Vec2, size: Vec2) -> usize {
        let beyond = |cell: &&Cell| !(cell.id.centre() - centre).abs().cmple(size * 0.5).all();
        self.cells.iter().filter(beyond).map(|cell| cell.encoded_cell_bytes as usize).sum()
    }

    /// Every known record, in order of cell, then id. An entity that crossed a border is in one cell only, that of the
    /// newest snapshot.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// As [`Replica::records`], each with its tick: that of the newest snapshot in which its cell was due.
    pub(crate) fn records_by_tick(&self) -> impl Iterator<Item = (Tick, &Record)> {
        let known = self.cells.iter().filter_map(|cell| Some((cell.tick?, cell.records(&self.records))));
        known.flat_map(|(tick, records)| records.iter().map(move |record| (tick, record)))
    }

    /// Every cell with a known state, with the number of ticks it is behind `tick`, in order of number; other cells,
    /// and those too far behind to encode, are dropped. A resumed connection continues from these.
    pub(crate) fn keep_known(&mut self, tick: Tick) -> Vec<(u16, u8)> {
        let behind = |cell: &Cell| cell.tick.and_then(|at| u8::try_from(tick.since(at)).ok());
        self.cells.retain(|cell| behind(cell).is_some());
        self.cells.iter().filter_map(|cell| Some((cell.id.0, behind(cell)?))).collect()
    }

    /// Drops every cell: those of the next snapshot start with keyframes.
    pub(crate) fn forget_cells(&mut self) {
        self.cells.clear();
    }

    /// The subscribed cells, in order of number.
    pub fn cells(&self) -> impl Iterator<Item = CellId> + '_ {
        self.cells.iter().map(|cell| cell.id)
    }

    fn resubscribe(&mut self, bits: &mut BitReader) -> Result<(), WireError> {
        let removed = bits.count(0, self.cells.len(), "removed cells")?;
        let (mut index, mut shift) = (0usize, 0usize);
        for _ in 0..removed {
            index += bits.count(2, SUBSCRIBED_MAX, "cell index")?;
            let limit = self.cells.len() as u64;
            if index < shift || index - shift >= self.cells.len() {
                return Err(WireError::Range { what: "cell index", value: index as u64, limit });
            }
            self.cells.remove(index - shift);
            shift += 1;
            index += 1;
        }
        let added = bits.count(0, SUBSCRIBED_MAX - self.cells.len(), "added cells")?;
        for _ in 0..added {
            let id = CellId(bits.bits(16)? as u16);
            match self.cells.binary_search_by_key(&id, |cell| cell.id) {
                Ok(_) => return Err(WireError::Range { what: "repeated cell", value: id.0.into(), limit: 1 }),
                Err(at) => self.cells.insert(at, Cell { id, tick: None, start: 0, end: 0, encoded_cell_bytes: 0 }),
            }
        }
        Ok(())
    }
}

/// The records of a neighbour cell at the same tick; none if that is unknown.
fn neighbour_records<'a>(cells: &[Cell], all: &'a [Record], cell: &Cell, direction: u8) -> &'a [Record] {
    let known = |near: CellId| {
        let at = cells.binary_search_by_key(&near, |c| c.id).ok()?;
        (cells[at].tick == cell.tick).then_some(cells[at].records(all))
    };
    cell.id.neighbour(direction).and_then(known).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::super::fields::{FieldSpec, Motion, plain, velocity};
    use super::super::viewer::{AreaOfInterest, UpdateRateTier, VIEW_MAX, Viewer};
    use super::super::world::{Placement, WorldHistory, WorldState};
    use super::*;
    use crate::ids::EntityId;
    use std::sync::Arc;

    const KINDS: &[KindSpec] = &[
        KindSpec {
            name: "mover",
            motion: Motion::Moving,
            fields: &[FieldSpec::X, FieldSpec::Y, velocity("vx", 9, 60), velocity("vy", 9, 60)],
        },
        KindSpec { name: "rock", motion: Motion::Still, fields: &[FieldSpec::X, FieldSpec::Y, plain("size", 8, 1.0)] },
    ];
    const VIEW: Vec2 = Vec2::new(1920.0, 1200.0);

    /// Drifting entities: id, position and velocity; every fifth one stays still.
    struct Drift(Vec<(EntityId, Vec2, Vec2)>);

    impl Drift {
        fn scattered(rng: &mut fastrand::Rng) -> Drift {
            let mut unit = || rng.f32() * 2.0 - 1.0;
            let entities = (0..400u16).map(|i| {
                let at = Vec2::new(unit(), unit()) * 3000.0;
                (EntityId(i), at, if i % 5 == 0 { Vec2::ZERO } else { Vec2::new(unit(), unit()) * 400.0 })
            });
            Drift(entities.collect())
        }

        fn state(&self, tick: Tick, placement: &mut Placement) -> Arc<WorldState> {
            let placed = self.0.iter().map(|(id, at, v)| {
                let kind = u8::from(*v == Vec2::ZERO);
                let spec = &KINDS[usize::from(kind)];
                let values: &[f32] = if kind == 0 { &[at.x, at.y, v.x, v.y] } else { &[at.x, at.y, 40.0] };
                (*at, Record::pack(*id, kind, spec, values))
            });
            let mut state = WorldState::default();
            state.place(tick, placed, placement);
            Arc::new(state)
        }

        fn step(&mut self, rng: &mut fastrand::Rng) {
            for (_, at, v) in self.0.iter_mut().filter(|(_, _, v)| *v != Vec2::ZERO) {
                *at += *v / 60.0;
                if rng.u8(..) < 8 {
                    *v = Vec2::new(v.y, -v.x);
                }
            }
        }
    }

    #[test]
    fn a_replica_equals_the_world_in_its_cells_however_often_snapshots_are_skipped() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut drift = Drift::scattered(&mut rng);
        let (mut history, mut placement) = (WorldHistory::new(KINDS), Placement::default());
        let (mut viewer, mut replica) = (Viewer::default(), Replica::default());
        let (mut pause, mut compared) = (0, 0);
        for tick in 1..1500u32 {
            drift.step(&mut rng);
            history.push(drift.state(Tick(tick), &mut placement));
            if pause > 0 {
                pause -= 1;
                continue;
            }
            // Some pauses are longer than the history, so that keyframes occur as well.
            pause = if rng.u8(..) < 10 { rng.u32(0..150) } else { rng.u32(0..4) };
            let focus = Vec2::new((tick as f32 * 2.0) % 2000.0, 300.0);
            let mut frame = Vec::new();
            let tier = [UpdateRateTier::Full, UpdateRateTier::Far, UpdateRateTier::Farther][(tick / 200) as usize % 3];
            viewer.write(&mut history, &AreaOfInterest::new(focus, VIEW), tier, &mut frame);
            let mut bits = BitReader::new(&frame);
            replica.apply(KINDS, Tick(tick), &mut bits).expect("encoded bytes apply");
            assert_eq!(bits.finish(), Ok(()));
            assert!(viewer.cells().eq(replica.cells()));
            // Each cell is exactly as it was at its tick, which is the newest one unless the tier leaves out far cells.
            for cell in &replica.cells {
                let of = cell.tick.expect("a cell comes with its first encoding");
                assert!(of == Tick(tick) || tier != UpdateRateTier::Full, "tick {tick}");
                if let Some(state) = history.state(of) {
                    assert_eq!(
                        cell.records(&replica.records),
                        state.cell(cell.id),
                        "tick {tick}, cell {:?} of {of}",
                        cell.id
                    );
                    compared += 1;
                }
            }
        }
        assert!(compared > 3_000, "{compared}");
    }

    #[test]
    fn an_entity_that_lingers_on_a_border_stays_in_its_cell() {
        let mut placement = Placement::default();
        let cells: Vec<CellId> =
            [500.0, 515.0, 508.0, 520.0, 530.0, 505.0].map(|x| placement.cell(EntityId(1), Vec2::new(x, 9.0))).to_vec();
        let (left, right) = (CellId::of(Vec2::new(500.0, 9.0)), CellId::of(Vec2::new(530.0, 9.0)));
        assert_eq!(cells, [left, left, left, left, right, right]);
    }

    /// A coordinate near the border of two cells, in cell units: up to 20 on either side of it, more than an entity
    /// may linger.
    fn near_border(rng: &mut fastrand::Rng) -> f32 {
        (rng.f32() * 9.0 - 4.5).round() * CellId::SIZE + (rng.f32() - 0.5) * 40.0
    }

    #[test]
    fn every_entity_in_view_is_sent_whatever_the_view_and_however_entities_move_along_cell_borders() {
        let (mut in_view, mut lingering) = (0, 0);
        for seed in 0..40 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let entities = (0..400u16).map(|id| {
                let at = Vec2::new(near_border(&mut rng), near_border(&mut rng));
                (EntityId(id), at, Vec2::new(rng.f32() - 0.5, rng.f32() - 0.5) * 500.0)
            });
            let mut drift = Drift(entities.collect());
            let (mut history, mut placement) = (WorldHistory::new(KINDS), Placement::default());
            let (mut viewer, mut replica) = (Viewer::default(), Replica::default());
            for tick in 1..60u32 {
                drift.step(&mut rng);
                let state = drift.state(Tick(tick), &mut placement);
                history.push(Arc::clone(&state));
                if rng.u8(..) < 100 {
                    // A new viewer has no cells of earlier views; all others jump, as after a respawn.
                    (viewer, replica) = Default::default();
                }
                // The edges of the view lie near borders, too; its size is between a point and the largest view.
                let (low, high) = (Vec2::new(near_border(&mut rng), near_border(&mut rng)), VIEW_MAX * rng.f32());
                let high = (low + high).min(Vec2::new(near_border(&mut rng), near_border(&mut rng))).max(low);
                let (focus, view) = ((low + high) * 0.5, high - low);
                let mut frame = Vec::new();
                viewer.write(&mut history, &AreaOfInterest::new(focus, view), UpdateRateTier::Full, &mut frame);
                replica.apply(KINDS, Tick(tick), &mut BitReader::new(&frame)).expect("encoded bytes apply");
                let known: std::collections::BTreeSet<EntityId> = replica.records().map(|r| r.id).collect();
                for (id, at, _) in drift.0.iter().filter(|(_, at, _)| (*at - focus).abs().cmple(view * 0.5).all()) {
                    in_view += 1;
                    lingering += usize::from(placement.cell(*id, *at) != CellId::of(*at));
                    assert!(
                        known.contains(id),
                        "seed {seed}, tick {tick}: {id:?} at {at} in the view of {view} at {focus}"
                    );
                }
            }
        }
        assert!(in_view > 10_000 && lingering > 1_000, "{in_view} in view, {lingering} of them across a border");
    }

    #[test]
    fn viewers_with_the_same_baseline_share_the_same_encoded_cell() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut drift = Drift::scattered(&mut rng);
        let (mut history, mut placement) = (WorldHistory::new(KINDS), Placement::default());
        let mut viewers = vec![Viewer::default(); 50];
        for tick in 1..20u32 {
            drift.step(&mut rng);
            history.push(drift.state(Tick(tick), &mut placement));
            for viewer in &mut viewers {
                viewer.write(
                    &mut history,
                    &AreaOfInterest::new(Vec2::ZERO, VIEW),
                    UpdateRateTier::Full,
                    &mut Vec::new(),
                );
            }
        }
        let stats = history.stats();
        assert!(stats.served >= 50 * stats.encoded, "{stats:?}");
    }

    #[test]
    fn any_bytes_are_an_error_or_apply_to_cells_and_records_in_order() {
        let mut rng = fastrand::Rng::with_seed(9);
        let drift = Drift::scattered(&mut rng);
        let mut history = WorldHistory::new(KINDS);
        history.push(drift.state(Tick(5), &mut Placement::default()));
        let mut frame = Vec::new();
        Viewer::default().write(&mut history, &AreaOfInterest::new(Vec2::ZERO, VIEW), UpdateRateTier::Full, &mut frame);
        let mut applied = 0;
        for _ in 0..5000 {
            let mut bytes = frame.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(0..bytes.len());
                bytes[at] = rng.u8(..);
            }
            bytes.truncate(rng.usize(0..=bytes.len()));
            let mut replica = Replica::default();
            if replica.apply(KINDS, Tick(5), &mut BitReader::new(&bytes)).is_ok() {
                applied += 1;
                assert!(replica.cells().is_sorted_by(|a, b| a < b) && replica.cells().count() <= SUBSCRIBED_MAX);
                for record in replica.records() {
                    let kind = &KINDS[usize::from(record.kind)];
                    assert!(record.values[kind.fields.len()..].iter().all(|value| *value == 0), "{record:?}");
                }
            }
        }
        assert!(applied > 10 && applied < 5000, "both outcomes occur: {applied}");
    }
}
