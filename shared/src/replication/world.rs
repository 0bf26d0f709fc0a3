//! The replicated world at one tick, the recent past of it, and the blobs encoded from it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::cells::CellId;
use super::delta::{self, Against, Links};
use super::fields::{KindSpec, Motion, Record};
use crate::game::{EntityId, Game};
use crate::time::Tick;

/// Ticks of the past a delta may be written against; longer ago gets keyframes. About a second at 60 Hz.
pub const HISTORY_TICKS: usize = 64;
/// A delta over more ticks than this is weighed against the keyframe, and the shorter one is sent.
const WEIGH_TICKS: u32 = 8;

/// Every replicated thing at one tick, in order of cell, then id.
#[derive(Debug, Clone, Default)]
pub struct WorldState {
    /// The tick.
    pub tick: Tick,
    records: Vec<Record>,
    cells: Vec<(CellId, Range<usize>)>,
    /// Room kept from tick to tick for what [`WorldState::capture`] sorts.
    gathered: Vec<(glam::Vec2, Record)>,
    sorted: Vec<(CellId, Record)>,
}

impl WorldState {
    /// Takes the state of `game` at `tick`, reusing the room of whatever `self` held before.
    pub fn capture<G: Game>(&mut self, game: &G, tick: Tick, placement: &mut Placement) {
        let mut placed = std::mem::take(&mut self.gathered);
        placed.clear();
        game.replicate(tick, &mut placed);
        self.place(tick, placed.iter().copied(), placement);
        self.gathered = placed;
    }

    /// Takes the given things as the state at `tick`, each with the point that decides its cell.
    pub fn place(&mut self, tick: Tick, placed: impl Iterator<Item = (glam::Vec2, Record)>, placement: &mut Placement) {
        self.tick = tick;
        self.sorted.clear();
        self.sorted.extend(placed.map(|(at, record)| (placement.cell(record.id, at), record)));
        self.sorted.sort_unstable_by_key(|(cell, record)| (*cell, record.id));
        self.records.clear();
        self.records.extend(self.sorted.iter().map(|(_, record)| *record));
        self.cells.clear();
        for (at, (cell, _)) in self.sorted.iter().enumerate() {
            match self.cells.last_mut() {
                Some((last, range)) if last == cell => range.end = at + 1,
                _ => self.cells.push((*cell, at..at + 1)),
            }
        }
    }

    /// The records of a cell, in order of id; none if nothing is there.
    #[must_use]
    pub fn cell(&self, cell: CellId) -> &[Record] {
        match self.cells.binary_search_by_key(&cell, |(c, _)| *c) {
            Ok(at) => &self.records[self.cells[at].1.clone()],
            Err(_) => &[],
        }
    }

    /// The records of the cells around a cell.
    fn links(&self, cell: CellId) -> Links<'_> {
        Links(std::array::from_fn(|direction| {
            cell.neighbour(direction as u8).map_or(&[][..], |near| delta::bounded(self.cell(near)))
        }))
    }

    /// Every record of the world.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Which cell each thing was last in: it stays there until it is clearly outside, so that what lingers on a border does not go to
/// and fro.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// By entity number; [`CellId::COUNT`] where nothing is known.
    cells: Vec<CellId>,
}

impl Placement {
    /// World units a thing may be outside its cell before it changes.
    const LINGER: f32 = 12.0;

    /// The cell of the thing with this number, which is at this point.
    pub fn cell(&mut self, id: EntityId, at: glam::Vec2) -> CellId {
        let index = usize::from(id.0);
        if self.cells.len() <= index {
            self.cells.resize(index + 1, CellId(CellId::COUNT));
        }
        let was = &mut self.cells[index];
        // A number that was another thing's before is far from where that was, or close enough not to matter.
        let lingers =
            was.0 != CellId::COUNT && (at - was.centre()).abs().max_element() <= CellId::SIZE * 0.5 + Self::LINGER;
        if !lingers {
            *was = CellId::of(at);
        }
        *was
    }
}

/// What to send a subscriber of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// The cell is as the subscriber has it, and nothing in it moves: nothing need be sent.
    Same,
    /// These bytes of [`WorldHistory::bytes`], for subscribers who have the neighbours in these directions (as bits) as of the
    /// same baseline.
    Bytes(Range<usize>, u8),
}

/// Whether a blob may refer to the cells around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Refer {
    ToNeighbours,
    ToNothing,
}

/// Counts of encoding work, for benches and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeStats {
    /// Blobs encoded.
    pub encoded: u64,
    /// Bytes of them.
    pub encoded_bytes: u64,
    /// Blobs handed out, encoded or shared.
    pub served: u64,
}

/// The world of the last [`HISTORY_TICKS`] ticks, and the blobs of the newest one: each encoded at most once per baseline.
#[derive(Debug)]
pub struct WorldHistory {
    kinds: &'static [KindSpec],
    states: VecDeque<Arc<WorldState>>,
    blobs: BTreeMap<(CellId, Option<Tick>, Refer), Blob>,
    bytes: Vec<u8>,
    spare: Vec<u8>,
    stats: EncodeStats,
}

impl WorldHistory {
    /// An empty history for a game with these kinds.
    #[must_use]
    pub fn new(kinds: &'static [KindSpec]) -> Self {
        WorldHistory {
            kinds,
            states: VecDeque::with_capacity(HISTORY_TICKS + 1),
            blobs: BTreeMap::new(),
            bytes: Vec::new(),
            spare: Vec::new(),
            stats: EncodeStats::default(),
        }
    }

    /// Makes `state` the newest. Gives back the state that fell out of the history, so that its room can be reused.
    ///
    /// # Panics
    /// If `state` is not newer than the newest: ticks only go forward.
    pub fn push(&mut self, state: Arc<WorldState>) -> Option<Arc<WorldState>> {
        assert!(self.states.back().is_none_or(|newest| newest.tick < state.tick), "ticks only go forward");
        self.states.push_back(state);
        self.blobs.clear();
        self.bytes.clear();
        if self.states.len() > HISTORY_TICKS { self.states.pop_front() } else { None }
    }

    /// The newest state.
    #[must_use]
    pub fn newest(&self) -> Option<&WorldState> {
        self.states.back().map(Arc::as_ref)
    }

    /// The state at a tick, if the history still has it.
    #[must_use]
    pub fn state(&self, tick: Tick) -> Option<&WorldState> {
        self.find(tick).map(|at| self.states[at].as_ref())
    }

    /// The blob that brings a subscriber of `cell` from `base` (`None`: it has nothing) to the newest state. Encoded on first
    /// demand, then shared. `knows` says whether the subscriber has another cell as of the same baseline.
    ///
    /// # Panics
    /// If the history is empty.
    pub fn blob(&mut self, cell: CellId, base: Option<Tick>, knows: impl Fn(CellId) -> bool) -> Blob {
        let base = base.filter(|tick| self.find(*tick).is_some());
        self.stats.served += 1;
        let blob = self.shared(cell, base, Refer::ToNeighbours);
        match blob {
            Blob::Bytes(_, sources) if !sources_known(cell, sources, knows) => {
                self.shared(cell, base, Refer::ToNothing)
            }
            Blob::Bytes(..) | Blob::Same => blob,
        }
    }

    fn shared(&mut self, cell: CellId, base: Option<Tick>, refer: Refer) -> Blob {
        if let Some(blob) = self.blobs.get(&(cell, base, refer)) {
            return blob.clone();
        }
        let blob = self.encode(cell, base, refer);
        self.blobs.insert((cell, base, refer), blob.clone());
        blob
    }

    /// The bytes that [`Blob::Bytes`] points into, valid until the next push.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Work done so far.
    #[must_use]
    pub fn stats(&self) -> EncodeStats {
        self.stats
    }

    fn find(&self, tick: Tick) -> Option<usize> {
        self.states.binary_search_by_key(&tick, |state| state.tick).ok()
    }

    fn encode(&mut self, cell: CellId, base: Option<Tick>, refer: Refer) -> Blob {
        let newest = self.states.back().expect("blobs are asked for after a push");
        let new = newest.cell(cell);
        let from = self.bytes.len();
        let mut sources = 0;
        match base.and_then(|tick| self.find(tick)).map(|at| &self.states[at]) {
            None => {
                delta::encode(self.kinds, cell, newest.tick, Against::Nothing, new, &mut self.bytes);
            }
            Some(state) => {
                let records = state.cell(cell);
                let moves = |r: &Record| self.kinds[usize::from(r.kind)].motion == Motion::Moving;
                if records == new && !new.iter().any(moves) {
                    return Blob::Same;
                }
                let links = match refer {
                    Refer::ToNeighbours => state.links(cell),
                    Refer::ToNothing => Links::default(),
                };
                let against = Against::Baseline { records, tick: state.tick, links };
                sources = delta::encode(self.kinds, cell, newest.tick, against, new, &mut self.bytes);
                if newest.tick.since(state.tick) > WEIGH_TICKS {
                    self.spare.clear();
                    delta::encode(self.kinds, cell, newest.tick, Against::Nothing, new, &mut self.spare);
                    if self.spare.len() < self.bytes.len() - from {
                        self.bytes.truncate(from);
                        self.bytes.extend_from_slice(&self.spare);
                        sources = 0;
                    }
                }
            }
        }
        self.stats.encoded += 1;
        self.stats.encoded_bytes += (self.bytes.len() - from) as u64;
        Blob::Bytes(from..self.bytes.len(), sources)
    }
}

fn sources_known(cell: CellId, sources: u8, knows: impl Fn(CellId) -> bool) -> bool {
    (0..8).filter(|direction| sources & (1 << direction) != 0).all(|d| cell.neighbour(d).is_some_and(&knows))
}
