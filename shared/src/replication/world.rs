//! The recent states of the replicated world, and the encoded cells that lead from each to the newest one.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cells::CellId;
use super::encode::{self, Refer, Scratch, Subject};
use super::encoded_cells::{LocalEncodedCells, LocalKey, Slot, Stored};
use super::fields::KindSpec;
use crate::time::Tick;

pub use super::state::{Placement, WorldState};

/// Ticks that a delta may reach back; older baselines get keyframes. 2.4 s at 60 Hz.
pub const HISTORY_TICKS: usize = 144;
/// A delta over more ticks than this is compared with the keyframe, and the shorter one is sent.
const WEIGH_TICKS: u32 = 8;

/// The content to send to a subscriber of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedCell {
    /// The subscriber has the cell's state and nothing in it moves, so nothing is sent.
    Same,
    /// Bytes to append with [`WorldHistory::append`].
    Bytes(EncodedCellBytes),
}

/// Where the bytes of an encoded cell are, until the next push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedCellBytes {
    at: u32,
    len: u32,
    /// Whether they are in the newest state or in the history's own cache.
    shared: bool,
}

impl EncodedCellBytes {
    /// Number of bytes, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Always false: an encoded cell has at least one byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Counts of encoding work, for benches and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeStats {
    /// Cells encoded here; one that several histories share counts where it was encoded.
    pub encoded: u64,
    /// Bytes of the cells encoded here.
    pub encoded_bytes: u64,
    /// Encoded cells served, shared ones included.
    pub served: u64,
}

/// The world of the last [`HISTORY_TICKS`] ticks, and the encoded cells that lead to the newest one: each encoded at
/// most once per baseline.
///
/// Threads that send the same world each have their own history of the same states. Keyframes and the cells from the
/// common baseline are encoded by the first thread that needs them, and read by all; those from rarer baselines by each
/// thread for itself.
#[derive(Debug)]
pub struct WorldHistory {
    kinds: &'static [KindSpec],
    states: VecDeque<Arc<WorldState>>,
    /// Index in `states` of the newest state's common baseline, and its tick.
    common: Option<(usize, Tick)>,
    local: LocalEncodedCells,
    /// Buffer of a cell that is encoded into the newest state.
    buffer: Vec<u8>,
    buffers: Buffers,
    /// Buffer for the encoded cells of a frame.
    frame: Vec<EncodedCellBytes>,
    stats: EncodeStats,
}

/// Buffers for encoding, reused from cell to cell.
#[derive(Debug, Default)]
struct Buffers {
    scratch: Scratch,
    keyframe: Vec<u8>,
}

impl WorldHistory {
    /// An empty history for a game with these kinds.
    #[must_use]
    pub fn new(kinds: &'static [KindSpec]) -> Self {
        WorldHistory {
            kinds,
            states: VecDeque::with_capacity(HISTORY_TICKS + 1),
            common: None,
            local: LocalEncodedCells::default(),
            buffer: Vec::new(),
            buffers: Buffers::default(),
            frame: Vec::new(),
            stats: EncodeStats::default(),
        }
    }

    /// Makes `state` the newest, and drops those that are too old. Ticks without recipients may be left out.
    ///
    /// # Panics
    /// If `state` is not newer than the newest: ticks only go forward.
    pub fn push(&mut self, state: Arc<WorldState>) {
        assert!(self.states.back().is_none_or(|newest| newest.tick < state.tick), "ticks only go forward");
        let too_old = |oldest: &mut Arc<WorldState>| state.tick.since(oldest.tick) >= HISTORY_TICKS as u32;
        while self.states.pop_front_if(too_old).is_some() {}
        self.common = state.common().and_then(|tick| Some((self.find(tick)?, tick)));
        self.states.push_back(state);
        self.local.clear();
    }

    /// The newest state.
    #[must_use]
    pub fn newest(&self) -> Option<&WorldState> {
        self.states.back().map(Arc::as_ref)
    }

    /// The state at a tick, if the history contains it.
    #[must_use]
    pub fn state(&self, tick: Tick) -> Option<&WorldState> {
        self.find(tick).map(|at| self.states[at].as_ref())
    }

    /// The encoded cell that brings a subscriber of `cell` from `base` (`None`: it has nothing) to the newest state.
    /// Encoded on first demand, then shared. `knows` says whether the subscriber has another cell at the same baseline.
    ///
    /// # Panics
    /// If the history is empty.
    pub fn encoded_cell(&mut self, cell: CellId, base: Option<Tick>, knows: impl Fn(CellId) -> bool) -> EncodedCell {
        self.stats.served += 1;
        let base = match base {
            Some(tick) if self.common.is_some_and(|(_, common)| common == tick) => self.common.map(|(at, _)| at),
            Some(tick) => self.find(tick),
            None => None,
        };
        let Some(at) = base else { return self.get(cell, None, Slot::Keyframe).0 };
        match self.get(cell, Some(at), Slot::CrossCell) {
            (_, sources) if sources != 0 && !sources_known(cell, sources, knows) => {
                self.get(cell, Some(at), Slot::WithinCell).0
            }
            (encoded_cell, _) => encoded_cell,
        }
    }

    /// Appends the bytes of a cell that [`WorldHistory::encoded_cell`] gave since the last push.
    pub fn append(&self, encoded_cell: EncodedCellBytes, out: &mut Vec<u8>) {
        if encoded_cell.shared {
            let newest = self.states.back().expect("a cell was served from it");
            newest.encoded_cells().append(encoded_cell.at, encoded_cell.len(), out);
        } else {
            out.extend_from_slice(&self.local.bytes()[encoded_cell.at as usize..][..encoded_cell.len()]);
        }
    }

    /// The buffer for the encoded cells of one frame; the caller takes it and gives it back.
    pub(super) fn frame_buffer(&mut self) -> &mut Vec<EncodedCellBytes> {
        &mut self.frame
    }

    /// Encoding work so far.
    #[must_use]
    pub fn stats(&self) -> EncodeStats {
        self.stats
    }

    fn find(&self, tick: Tick) -> Option<usize> {
        self.states.binary_search_by_key(&tick, |state| state.tick).ok()
    }

    /// The encoded cell from a base (an index into `states`), and the directions it refers to.
    #[inline(always)] // Nearly all of a frame's work per cell: a tenth off a frame.
    fn get(&mut self, cell: CellId, base: Option<usize>, slot: Slot) -> (EncodedCell, u8) {
        let newest = self.states.back().expect("cells are encoded after a push");
        // Nearly always the cell is shared and already encoded.
        let is_shared = base.is_none() || base == self.common.map(|(at, _)| at);
        let place = if is_shared { newest.place_of(cell) } else { None };
        let stored = place.and_then(|place| newest.encoded_cells().get(place, slot));
        stored.and_then(shared_cell).unwrap_or_else(|| self.get_or_encode(cell, base, place, slot))
    }

    #[cold]
    fn get_or_encode(
        &mut self,
        cell: CellId,
        base: Option<usize>,
        place: Option<usize>,
        slot: Slot,
    ) -> (EncodedCell, u8) {
        let newest = self.states.back().expect("cells are encoded after a push");
        let base = base.map(|at| self.states[at].as_ref());
        let encoder = Encoder { kinds: self.kinds, cell, newest, base, slot };
        let (buffer, buffers, stats) = (&mut self.buffer, &mut self.buffers, &mut self.stats);
        if let Some(place) = place {
            let stored =
                newest.encoded_cells().get_or_encode(place, slot, buffer, |out| encoder.encode(out, buffers, stats));
            if let Some(encoded_cell) = shared_cell(stored) {
                return encoded_cell;
            }
        }
        let key = LocalKey { cell, base: base.map(|state| state.tick), slot };
        match self.local.get_or_encode(key, |out| encoder.encode(out, buffers, stats)) {
            None => (EncodedCell::Same, 0),
            Some((from, to, sources)) => {
                (EncodedCell::Bytes(EncodedCellBytes { at: from, len: to - from, shared: false }), sources)
            }
        }
    }
}

/// A cell stored in the newest state, and the directions it refers to; `None` if it is stored elsewhere.
#[inline]
fn shared_cell(stored: Stored) -> Option<(EncodedCell, u8)> {
    match stored {
        Stored::Same => Some((EncodedCell::Same, 0)),
        Stored::At { at, len, sources } => {
            Some((EncodedCell::Bytes(EncodedCellBytes { at, len: u32::from(len), shared: true }), sources))
        }
        Stored::Elsewhere => None,
    }
}

/// The inputs that decide the bytes of an encoded cell.
struct Encoder<'a> {
    kinds: &'static [KindSpec],
    cell: CellId,
    newest: &'a WorldState,
    base: Option<&'a WorldState>,
    slot: Slot,
}

impl Encoder<'_> {
    /// Appends the encoded cell; gives the directions of the neighbours it refers to, or `None` if nothing is sent.
    fn encode(&self, out: &mut Vec<u8>, buffers: &mut Buffers, stats: &mut EncodeStats) -> Option<u8> {
        let &Encoder { kinds, cell, newest, base, slot } = self;
        let (from, tick) = (out.len(), newest.tick);
        let subject = Subject { kinds, cell, tick, records: newest.cell(cell) };
        let mut sources = 0;
        match base {
            None => encode::keyframe(&subject, out),
            Some(base) => {
                let refer = match slot {
                    Slot::CrossCell => Refer::ToNeighbours,
                    Slot::WithinCell | Slot::Keyframe => Refer::ToNothing,
                };
                sources = encode::delta(&subject, base, refer, &mut buffers.scratch, out)?;
                if tick.since(base.tick) > WEIGH_TICKS {
                    buffers.keyframe.clear();
                    encode::keyframe(&subject, &mut buffers.keyframe);
                    if buffers.keyframe.len() < out.len() - from {
                        out.truncate(from);
                        out.extend_from_slice(&buffers.keyframe);
                        sources = 0;
                    }
                }
            }
        }
        stats.encoded += 1;
        stats.encoded_bytes += (out.len() - from) as u64;
        Some(sources)
    }
}

fn sources_known(cell: CellId, sources: u8, knows: impl Fn(CellId) -> bool) -> bool {
    (0..8).filter(|direction| sources & (1 << direction) != 0).all(|d| cell.neighbour(d).is_some_and(&knows))
}

#[cfg(test)]
mod tests {
    use super::super::fields::{FieldSpec, Motion, Record, plain, velocity};
    use super::super::viewer::AreaOfInterest;
    use super::super::viewer::{UpdateRateTier, Viewer};
    use super::*;
    use crate::ids::EntityId;
    use glam::Vec2;

    const KINDS: &[KindSpec] = &[
        KindSpec {
            name: "mover",
            motion: Motion::Moving,
            fields: &[FieldSpec::X, FieldSpec::Y, velocity("vx", 9, 60), velocity("vy", 9, 60)],
        },
        KindSpec { name: "rock", motion: Motion::Still, fields: &[FieldSpec::X, FieldSpec::Y, plain("size", 8, 1.0)] },
    ];
    const EVERY: u32 = 3;
    const TICKS: u32 = 90;
    const VIEWERS: usize = 40;

    /// Some hundred entities, most of them moving straight, captured at every tick.
    fn states(placement: &mut Placement) -> Vec<Arc<WorldState>> {
        let mut rng = fastrand::Rng::with_seed(21);
        let mut unit = || rng.f32() * 2.0 - 1.0;
        let entities: Vec<(Vec2, Vec2)> =
            (0..500).map(|_| (Vec2::new(unit(), unit()) * 2000.0, Vec2::new(unit(), unit()) * 400.0)).collect();
        let at_tick = |tick: u32| {
            let placed = entities.iter().zip(0..).map(move |((from, v), id)| {
                let at = *from + *v * (tick as f32 / 60.0);
                if id % 5 == 0 {
                    (*from, Record::pack(EntityId(id), 1, &KINDS[1], &[from.x, from.y, 9.0]))
                } else {
                    (at, Record::pack(EntityId(id), 0, &KINDS[0], &[at.x, at.y, v.x, v.y]))
                }
            });
            let mut state = WorldState::default();
            state.place(Tick(tick), placed, placement);
            Arc::new(state)
        };
        (1..=TICKS).map(at_tick).collect()
    }

    /// Whether viewers skip a snapshot now and then, so that rarer baselines occur as well.
    #[derive(Clone, Copy)]
    enum Skips {
        Some,
        None,
    }

    /// The frames of every `step`-th viewer from `first` on, and the encoding work they took.
    fn encode_frames(
        states: &[Arc<WorldState>],
        skips: Skips,
        first: usize,
        step: usize,
    ) -> (Vec<(u32, usize, Vec<u8>)>, EncodeStats) {
        let mut history = WorldHistory::new(KINDS);
        let mut viewers = vec![Viewer::default(); VIEWERS];
        let mut frames = Vec::new();
        for state in states {
            history.push(Arc::clone(state));
            let tick = state.tick.0;
            for index in
                (first..VIEWERS).step_by(step).filter(|index| (tick as usize + index).is_multiple_of(EVERY as usize))
            {
                if matches!(skips, Skips::Some) && (tick as usize * 7 + index * 13).is_multiple_of(11) {
                    continue;
                }
                let focus = Vec2::new(index as f32 * 60.0 - 1200.0, tick as f32 * 9.0 - 400.0);
                let mut frame = Vec::new();
                let view = Vec2::new(1920.0, 1200.0);
                let area = AreaOfInterest::new(focus, view);
                viewers[index].write(&mut history, &area, UpdateRateTier::Full, &mut frame);
                frames.push((tick, index, frame));
            }
        }
        frames.sort();
        (frames, history.stats())
    }

    #[test]
    fn an_encoded_cell_is_the_same_whether_it_is_shared_or_not() {
        let (frames, alone) = encode_frames(&states(&mut Placement::default()), Skips::Some, 0, 1);
        let (shared_frames, shared) = encode_frames(&states(&mut Placement::every(EVERY)), Skips::Some, 0, 1);
        assert_eq!(frames, shared_frames);
        assert_eq!(alone, shared);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test shows that threads may share states")]
    fn two_threads_encode_the_same_as_one_and_each_common_cell_once() {
        for skips in [Skips::Some, Skips::None] {
            let (frames, alone) = encode_frames(&states(&mut Placement::every(EVERY)), skips, 0, 1);
            let shared = states(&mut Placement::every(EVERY));
            let (mut both, ours, theirs) = std::thread::scope(|scope| {
                let other = scope.spawn(|| encode_frames(&shared, skips, 1, 2));
                let (mut frames, ours) = encode_frames(&shared, skips, 0, 2);
                let (more, theirs) = other.join().expect("the other thread");
                frames.extend(more);
                (frames, ours, theirs)
            });
            both.sort();
            assert_eq!(both, frames);
            assert_eq!(ours.served + theirs.served, alone.served);
            match skips {
                // Each thread encodes the rarer ones for itself.
                Skips::Some => assert!(ours.encoded + theirs.encoded > alone.encoded),
                Skips::None => assert_eq!(ours.encoded + theirs.encoded, alone.encoded),
            }
        }
    }
}
