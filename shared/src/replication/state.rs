//! The replicated world at one tick, and the cell that each thing in it belongs to.

use glam::Vec2;

use super::cells::{CellBlock, CellId};
use super::delta::CELL_RECORDS_MAX;
use super::encoded_cells::SharedEncodedCells;
use super::fields::Record;
use crate::ids::EntityId;
use crate::time::Tick;

/// Every replicated thing at one tick, in order of cell, then id; and the encoded_cells that lead to it, encoded by whoever needs one
/// first. Threads share it: it changes only while it is captured.
#[derive(Debug, Default)]
pub struct WorldState {
    /// The tick.
    pub tick: Tick,
    /// The tick that most viewers have when they are told of this one.
    common: Option<Tick>,
    records: Vec<Record>,
    /// Their numbers, in the same order.
    ids: Vec<EntityId>,
    /// The cells that hold anything, and those around.
    block: CellBlock,
    /// Where the records of each cell of `block` begin; and where those of the last end.
    starts: Vec<u32>,
    encoded_cells: SharedEncodedCells,
}

impl WorldState {
    /// Takes what `gather` appends as the state at `tick`, each with the point that decides its cell.
    ///
    /// # Panics
    /// If there are more entities than entity numbers.
    pub(crate) fn gather(
        &mut self,
        tick: Tick,
        gather: impl FnOnce(&mut Vec<(Vec2, Record)>),
        placement: &mut Placement,
    ) {
        placement.gathered.clear();
        gather(&mut placement.gathered);
        self.take(tick, placement);
    }

    /// Takes the given things as the state at `tick`, each with the point that decides its cell.
    ///
    /// # Panics
    /// If there are more things than entity numbers.
    pub fn place(&mut self, tick: Tick, placed: impl Iterator<Item = (Vec2, Record)>, placement: &mut Placement) {
        self.gather(tick, |gathered| gathered.extend(placed), placement);
    }

    /// Sorts what was gathered by cell, then id, by counting: one pass finds the cells, one the order, and each record is copied
    /// once.
    fn take(&mut self, tick: Tick, placement: &mut Placement) {
        self.tick = tick;
        self.common = (placement.every > 0).then(|| tick.before(placement.every));
        self.block = placement.find_cells();
        let Placement { gathered, found, order, .. } = placement;
        assert!(gathered.len() <= MOST, "{} things, limit {MOST}: each has a number of its own", gathered.len());
        // Counted two places further on, so that summing gives the start of each cell one place further on, and filling in then
        // moves it to the start of the next.
        let cells = self.block.len();
        self.starts.clear();
        self.starts.resize(cells + 2, 0);
        for place in found.iter_mut() {
            *place = self.block.place(CellId(*place)).expect("the block holds every cell found") as u16;
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
        self.ids.extend(order.iter().map(|key| EntityId((key >> 16) as u16)));
        self.records.clear();
        self.records.extend(order.iter().map(|key| gathered[(key & 0xffff) as usize].1));
        self.encoded_cells.reset(cells, self.records.len());
    }

    /// The records of a cell, in order of id; none if nothing is there.
    #[must_use]
    pub fn cell(&self, cell: CellId) -> &[Record] {
        self.block.place(cell).map_or(&[], |place| self.records_at(place))
    }

    /// The records of the cell in this place of the index.
    pub(super) fn records_at(&self, place: usize) -> &[Record] {
        &self.records[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    /// Where a cell is in the index and among the shared encoded_cells; `None` if it lies away from everything.
    pub(super) fn place_of(&self, cell: CellId) -> Option<usize> {
        self.block.place(cell)
    }

    /// Which of the cells around `cell` held the thing with this number.
    ///
    /// Three looks into the list of numbers, since three cells of a row lie side by side in it: most of what is asked for is new
    /// and found nowhere, so that all eight cells are looked through.
    pub(super) fn origin(&self, cell: CellId, id: EntityId) -> Option<Origin> {
        let place = self.block.place(cell)?;
        (0..3u8).find_map(|row| {
            let (first, middle, last) = self.block.beside(place, row)?;
            let (from, to) = (self.starts[first] as usize, self.starts[last + 1] as usize);
            let index = from + self.ids[from..to].iter().position(|other| *other == id)?;
            let held_by = (first..=last).rfind(|held_by| self.starts[*held_by] as usize <= index)?;
            let start = self.starts[held_by] as usize;
            // Of the nine places around, the fifth is the cell itself.
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

    /// The record of what came over.
    pub(super) fn record_of(&self, origin: &Origin) -> &Record {
        &self.records[origin.index as usize]
    }

    /// Every record of the world.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Ticks between two snapshots of most viewers, as far as that was said; at least 1.
    pub(super) fn interval(&self) -> u32 {
        self.common.map_or(1, |common| self.tick.since(common).max(1))
    }

    /// The tick that most viewers have when they are told of this one, if that was said: see [`Placement::every`].
    pub(super) fn common(&self) -> Option<Tick> {
        self.common
    }

    /// The encoded_cells that lead to this state and are shared by all who tell of it.
    pub(super) fn encoded_cells(&self) -> &SharedEncodedCells {
        &self.encoded_cells
    }
}

/// Where something was before it came over from a neighbour cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Which neighbour: [`CellId::neighbour`].
    pub(super) direction: u8,
    /// Its place among the records there.
    pub(super) at: u16,
    /// How many were there.
    pub(super) count: u16,
    /// Its place among all records.
    index: u32,
}

/// The most things a world holds: one per entity number.
const MOST: usize = 1 << 16;

/// What is kept from one capture to the next: which cell each thing was last in (it stays there until it is clearly outside, so
/// that what lingers on a border does not go to and fro), and room for sorting.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// By entity number; [`CellId::COUNT`] where nothing is known.
    cells: Vec<CellId>,
    /// Ticks between two snapshots of most viewers, or 0.
    every: u32,
    gathered: Vec<(Vec2, Record)>,
    /// The cells of `gathered`, by number and then by place.
    found: Vec<u16>,
    /// Number and index into `gathered` of each thing, in order of cell, then number.
    order: Vec<u32>,
}

impl Placement {
    /// World units a thing may be outside its cell before it changes.
    pub(super) const LINGER: f32 = 12.0;

    /// A placement for a world that most viewers are told of every so many ticks: the encoded_cells that lead from one such snapshot to
    /// the next are then shared by all threads, instead of being encoded by each.
    #[must_use]
    pub fn every(ticks: u32) -> Placement {
        Placement { every: ticks, ..Placement::default() }
    }

    /// From now on most viewers are told every so many ticks.
    pub fn set_every(&mut self, ticks: u32) {
        self.every = ticks;
    }

    /// The cell of the thing with this number, which is at this point.
    pub fn cell(&mut self, id: EntityId, at: Vec2) -> CellId {
        place(&mut self.cells, id, at)
    }

    /// Finds the cell of everything gathered, and the block of those cells and the ones around.
    fn find_cells(&mut self) -> CellBlock {
        self.found.clear();
        let cells = &mut self.cells;
        let mut block = CellBlock::default();
        self.found.extend(self.gathered.iter().map(|(at, record)| {
            let cell = place(cells, record.id, *at);
            block.include(cell);
            cell.0
        }));
        block.widened()
    }
}

fn place(cells: &mut Vec<CellId>, id: EntityId, at: Vec2) -> CellId {
    let index = usize::from(id.0);
    if cells.len() <= index {
        cells.resize(index + 1, CellId(CellId::COUNT));
    }
    let was = &mut cells[index];
    // A number that was another thing's before is far from where that was, or close enough not to matter.
    let lingers =
        was.0 != CellId::COUNT && (at - was.centre()).abs().max_element() <= CellId::SIZE * 0.5 + Placement::LINGER;
    if !lingers {
        *was = CellId::of(at);
    }
    *was
}
