//! The replicated world at one tick, and the cell that each entity belongs to.

use glam::Vec2;

use super::cells::{CellBlock, CellId};
use super::delta::CELL_RECORDS_MAX;
use super::encoded_cells::{Largest, SharedEncodedCells};
use super::fields::Record;
use crate::ids::EntityId;
use crate::time::Tick;

/// Every replicated entity at one tick, in order of cell, then id; and the encoded cells that lead to this state, each
/// encoded by the first thread that needs it. Threads share a state: it changes only during the capture.
#[derive(Debug, Default)]
pub struct WorldState {
    /// The tick.
    pub tick: Tick,
    /// The tick that most viewers have when they are sent this one.
    common: Option<Tick>,
    records: Vec<Record>,
    /// The ids of `records`, in the same order.
    ids: Vec<EntityId>,
    /// The cells that contain anything, and their neighbours.
    block: CellBlock,
    /// Number of layers; each has all cells of `block`.
    layers: u8,
    /// Index of the first record of each cell of `block`, layer by layer; and the end of the last cell.
    starts: Vec<u32>,
    encoded_cells: SharedEncodedCells,
}

impl WorldState {
    /// Takes the entities that `gather` appends as the state at `tick`, each with the point that decides its cell; and their
    /// layers, if there is more than one.
    ///
    /// # Panics
    /// If there are more entities than entity numbers.
    pub(crate) fn gather(
        &mut self,
        tick: Tick,
        gather: impl FnOnce(&mut Vec<(Vec2, Record)>, &mut Vec<u8>),
        placement: &mut Placement,
    ) {
        placement.gathered.clear();
        placement.layer_of.clear();
        gather(&mut placement.gathered, &mut placement.layer_of);
        self.take(tick, placement);
    }

    /// Takes the given entities as the state at `tick`, each with the point that decides its cell.
    ///
    /// # Panics
    /// If there are more entities than entity numbers.
    pub fn place(&mut self, tick: Tick, placed: impl Iterator<Item = (Vec2, Record)>, placement: &mut Placement) {
        self.gather(tick, |gathered, _| gathered.extend(placed), placement);
    }

    /// Sorts the gathered records by cell, then id, with a counting sort: one pass finds the cells, one the order, and
    /// each record is copied once.
    fn take(&mut self, tick: Tick, placement: &mut Placement) {
        self.tick = tick;
        self.common = (placement.every > 0).then(|| tick.before(placement.every));
        self.block = placement.find_cells();
        self.layers = placement.layers;
        let Placement { gathered, found, order, largest, .. } = placement;
        assert!(gathered.len() <= MOST, "{} entities, limit {MOST}: each has a number of its own", gathered.len());
        // Counted two places ahead, so that summing gives the start of each cell one place ahead, and filling then moves it to
        // the start of the next cell.
        let cells = self.block.len() * usize::from(self.layers);
        // As much space as any state of this world has needed: see `Largest`.
        let (cells_max, records_max) = largest.with(cells, gathered.len());
        self.starts.clear();
        self.starts.reserve_exact(cells_max + 2);
        self.starts.resize(cells + 2, 0);
        for place in found.iter_mut() {
            *place = place_in(&self.block, CellId(*place)).expect("the block contains every cell found") as u16;
            self.starts[usize::from(*place) + 2] += 1;
        }
        for at in 2..self.starts.len() {
            self.starts[at] += self.starts[at - 1];
        }
        order.clear();
        order.resize(gathered.len(), 0);
        for (index, (place, (_, record))) in found.iter().zip(gathered.iter()).enumerate() {
            let at = &mut self.starts[usize::from(*place) + 1];
            order[*at as usize] = u32::from(record.id.0) << 16 | index as u32;
            *at += 1;
        }
        self.starts.truncate(cells + 1);
        for range in self.starts.windows(2) {
            order[range[0] as usize..range[1] as usize].sort_unstable();
        }
        self.ids.clear();
        self.ids.reserve_exact(records_max);
        self.ids.extend(order.iter().map(|key| EntityId((key >> 16) as u16)));
        self.records.clear();
        self.records.reserve_exact(records_max);
        self.records.extend(order.iter().map(|key| gathered[(key & 0xffff) as usize].1));
        self.encoded_cells.reset(cells, self.records.len(), largest);
    }

    /// The records of a cell, in order of id.
    #[must_use]
    pub fn cell(&self, cell: CellId) -> &[Record] {
        self.place_of(cell).map_or(&[], |place| self.records_at(place))
    }

    /// The records of the cell at this place of the index.
    pub(super) fn records_at(&self, place: usize) -> &[Record] {
        &self.records[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    /// A cell's place in the index and among the shared encoded cells; `None` for a cell that is not near any entity.
    pub(super) fn place_of(&self, cell: CellId) -> Option<usize> {
        if cell.layer() >= self.layers {
            return None;
        }
        place_in(&self.block, cell)
    }

    /// Finds the neighbour of `cell` that contained the entity with this id.
    ///
    /// Three searches of the id list suffice, since three cells of a row are adjacent in it. Most ids are new and found
    /// in none of the eight neighbours.
    pub(super) fn origin(&self, cell: CellId, id: EntityId) -> Option<Origin> {
        let place = self.block.place(cell)?;
        let layer = usize::from(cell.layer()) * self.block.len();
        (0..3u8).find_map(|row| {
            let (first, middle, last) = self.block.beside(place, row)?;
            let (first, middle, last) = (layer + first, layer + middle, layer + last);
            let (from, to) = (self.starts[first] as usize, self.starts[last + 1] as usize);
            let index = from + self.ids[from..to].iter().position(|other| *other == id)?;
            let held_by = (first..=last).rfind(|held_by| self.starts[*held_by] as usize <= index)?;
            let start = self.starts[held_by] as usize;
            // Of the nine places, the fifth is the cell itself.
            let at = row * 3 + (held_by + 1 - middle) as u8;
            let count = (self.starts[held_by + 1] as usize - start).min(CELL_RECORDS_MAX);
            (at != 4 && index - start < count).then_some(Origin {
                direction: at - u8::from(at > 4),
                at: (index - start) as u16,
                count: count as u16,
                index: index as u32,
            })
        })
    }

    /// The record of a migrated entity.
    pub(super) fn record_of(&self, origin: &Origin) -> &Record {
        &self.records[origin.index as usize]
    }

    /// Every record of the world.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Ticks between two snapshots of most viewers, at least 1; 1 if unknown.
    pub(super) fn interval(&self) -> u32 {
        self.common.map_or(1, |common| self.tick.since(common).max(1))
    }

    /// The tick that most viewers have when they are sent this one, if known: see [`Placement::every`].
    pub(super) fn common(&self) -> Option<Tick> {
        self.common
    }

    /// The encoded cells that lead to this state, shared by all threads.
    pub(super) fn encoded_cells(&self) -> &SharedEncodedCells {
        &self.encoded_cells
    }
}

/// Where a migrated entity was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Direction of the neighbour: [`CellId::neighbour`].
    pub(super) direction: u8,
    /// Index among the records there.
    pub(super) at: u16,
    /// Number of records there.
    pub(super) count: u16,
    /// Index among all records.
    index: u32,
}

/// The place of a cell among those of all layers.
#[inline(always)] // Once per record and per cell of a frame; nearly always in layer 0.
fn place_in(block: &CellBlock, cell: CellId) -> Option<usize> {
    if cell.layer() == 0 { block.place(cell) } else { place_in_layer(block, cell) }
}

#[cold]
fn place_in_layer(block: &CellBlock, cell: CellId) -> Option<usize> {
    block.place(cell).map(|place| usize::from(cell.layer()) * block.len() + place)
}

/// Most entities of a world: one per entity number.
const MOST: usize = 1 << 16;

/// State kept from one capture to the next: each entity's last cell, and buffers for sorting. An entity stays in its
/// cell until it is clearly outside, so that it does not alternate between cells on a border.
#[derive(Debug, Clone)]
pub struct Placement {
    /// By entity number; [`CellId::COUNT`] where unknown.
    cells: Vec<CellId>,
    /// Ticks between two snapshots of most viewers, or 0 if unknown.
    every: u32,
    /// Number of layers of the world, at least 1.
    layers: u8,
    gathered: Vec<(Vec2, Record)>,
    /// The layer of each gathered record; empty in a world with one layer.
    layer_of: Vec<u8>,
    /// The cells of `gathered`, by number and then by place.
    found: Vec<u16>,
    /// Id and index into `gathered` of each entity, in order of cell, then id.
    order: Vec<u32>,
    largest: Largest,
}

impl Default for Placement {
    fn default() -> Self {
        Placement::every(0)
    }
}

impl Placement {
    /// Cell units an entity may be outside its cell before it changes to another.
    pub(super) const LINGER: f32 = 12.0;

    /// A placement for a world that is sent to most viewers every `ticks` ticks. The encoded cells between two such
    /// snapshots are then shared by all threads, instead of being encoded by each.
    #[must_use]
    pub fn every(ticks: u32) -> Placement {
        Placement {
            cells: Vec::new(),
            every: ticks,
            layers: 1,
            gathered: Vec::new(),
            layer_of: Vec::new(),
            found: Vec::new(),
            order: Vec::new(),
            largest: Largest::default(),
        }
    }

    /// Sets the ticks between two snapshots of most viewers, from the next capture on.
    pub fn set_every(&mut self, ticks: u32) {
        self.every = ticks;
    }

    /// Sets the number of layers of the world.
    pub(crate) fn set_layers(&mut self, layers: u8) {
        self.layers = layers;
    }

    /// The cell of the entity with this id, at this position.
    pub fn cell(&mut self, id: EntityId, at: Vec2) -> CellId {
        place(&mut self.cells, id, at)
    }

    /// Finds the cell of every gathered record, and the block of those cells and their neighbours.
    fn find_cells(&mut self) -> CellBlock {
        self.found.clear();
        let cells = &mut self.cells;
        let mut block = CellBlock::default();
        self.found.extend(self.gathered.iter().map(|(at, record)| {
            let cell = place(cells, record.id, *at);
            block.include(cell);
            cell.0
        }));
        for (cell, layer) in self.found.iter_mut().zip(&self.layer_of) {
            *cell = CellId(*cell).in_layer(*layer).0;
        }
        block.widened()
    }
}

#[inline(always)] // Once per record.
fn place(cells: &mut Vec<CellId>, id: EntityId, at: Vec2) -> CellId {
    let index = usize::from(id.0);
    if cells.len() <= index {
        cells.resize(index + 1, CellId(CellId::COUNT));
    }
    let was = &mut cells[index];
    // The former entity with this id was far from here, or so close that it does not matter.
    let lingers =
        was.0 != CellId::COUNT && (at - was.centre()).abs().max_element() <= CellId::SIZE * 0.5 + Placement::LINGER;
    if !lingers {
        *was = CellId::of(at);
    }
    *was
}

#[cfg(test)]
mod tests {
    use super::super::fields::FIELDS_MAX;
    use super::*;

    #[test]
    fn what_one_state_of_a_world_has_needed_every_state_has_from_its_next_use_on() {
        let (mut placement, mut states) = (Placement::default(), [WorldState::default(), WorldState::default()]);
        for (state, count) in states.iter_mut().zip([1000, 1]) {
            let record = |number| Record { id: EntityId(number), kind: 0, values: [0; FIELDS_MAX] };
            state.place(Tick(1), (0..count).map(|number| (Vec2::ZERO, record(number))), &mut placement);
            assert_eq!(state.records.len(), usize::from(count));
            assert!(state.records.capacity().min(state.ids.capacity()) >= 1000);
        }
    }
}
