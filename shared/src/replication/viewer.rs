//! One connection's view of the world: its subscribed cells, their baselines, and its next frame.
//!
//! A viewer is subscribed to the cells around its focus. For each it keeps the tick of the last encoded cell that was
//! written. It is subscribed to every cell that may contain a record in its view, which is more than the cells that its
//! view touches, since a record may be slightly outside its cell ([`Placement`]). All viewers with the same baseline
//! share the bytes of an encoded cell.
//!
//! ```text
//! cells := removed count (golomb 0), index gap - 1 (golomb 2) each      indices into the list before the change
//!          added count (golomb 0), cell number (16 bits) each
//!          tiered:1, then for each subscribed cell in order of number: [tiered: due:1], [due: present:1]; padding to a byte
//!          the encoded cells that are present, each a whole number of bytes
//! ```

use glam::Vec2;

use super::bits::BitWriter;
use super::cells::{CellBlock, CellId, LayerSet};
use super::world::{EncodedCell, Placement, WorldHistory};
use crate::time::Tick;

/// Most cells that a viewer is subscribed to; a view of 1920 x 1200 units has 12 to 20, and up to 30 with those that
/// linger.
pub const SUBSCRIBED_MAX: usize = 64;
/// Largest view of a game, in cell units: with the cells kept around it, it touches at most 8 by 8 cells.
pub const VIEW_MAX: Vec2 = Vec2::splat(6.0 * CellId::SIZE);
/// A cell is subscribed to when it is within this many cell units of the view: an entity slightly outside its cell may
/// be in view when the cell is not. One more unit covers the rounding of positions.
const REACH: f32 = Placement::LINGER + 1.0;
/// A cell stays subscribed until it is this many cell units outside the view, so that moving along a border costs
/// nothing. Half a cell took 8 % more bytes and 13 % more records, and saved 0.3 % of the encoded cells (`ledger 300`).
const KEEP: f32 = CellId::SIZE * 0.125;
const _: () = assert!(SUBSCRIBED_MAX <= u64::BITS as usize, "one bit per cell");
const _: () = assert!(SUBSCRIBED_MAX >= 8 * 8, "the largest view is covered whole");
const _: () = assert!(REACH < KEEP, "a wanted cell is kept");
const _: () = assert!(cells_max(6.0 * CellId::SIZE) <= 8, "the largest view with what is kept around it");

/// The most cells along one side of a layer that a viewer has, with a view of this width or height.
pub(crate) const fn cells_max(view: f32) -> usize {
    let (width, size) = (view + 2.0 * KEEP, CellId::SIZE);
    let whole = (width / size) as usize;
    whole + if whole as f32 * size < width { 2 } else { 1 }
}

/// What a viewer may see, in cell units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaOfInterest {
    /// Its centre.
    pub focus: Vec2,
    /// Its width and height.
    pub view: Vec2,
    /// The layers.
    pub layers: LayerSet,
}

impl AreaOfInterest {
    /// The area of someone who sees layer 0 alone.
    #[must_use]
    pub fn new(focus: Vec2, view: Vec2) -> Self {
        AreaOfInterest { focus, view, layers: LayerSet::EVERYONE }
    }
}

/// A connection's subscriptions and the baseline of each.
#[derive(Debug, Clone, Default)]
pub struct Viewer {
    /// The subscribed cells of the last frame.
    around: Option<(CellBlock, CellBlock, LayerSet)>,
    subscribed: Vec<Subscription>,
    next: Vec<Subscription>,
}

#[derive(Debug, Clone, Copy)]
struct Subscription {
    cell: CellId,
    /// The tick of the state that the other end has; `None` before the first encoded cell.
    base: Option<Tick>,
}

/// How often a connection receives its far cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum UpdateRateTier {
    /// Every cell in every snapshot.
    #[default]
    Full,
    /// Far cells in every 2nd snapshot.
    Far,
    /// Far cells in every 4th snapshot, those half way to them in every 2nd.
    Farther,
}

impl UpdateRateTier {
    /// The period of a cell in snapshots, seen from `focus` with a view of `view`.
    fn period(self, cell: CellId, focus: Vec2, view: Vec2) -> u32 {
        let within = |share: f32| {
            let reach = view * (0.5 * share) + Vec2::splat(CellId::SIZE * 0.5);
            (cell.centre() - focus).abs().cmple(reach).all()
        };
        match self {
            UpdateRateTier::Full => 1,
            UpdateRateTier::Far => {
                if within(0.6) {
                    1
                } else {
                    2
                }
            }
            UpdateRateTier::Farther if within(0.3) => 1,
            UpdateRateTier::Farther => {
                if within(0.6) {
                    2
                } else {
                    4
                }
            }
        }
    }
}

/// The parts of a frame's cells section, for byte accounting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CellsWritten {
    /// Subscribed cells.
    pub cells: usize,
    /// Bytes of encoded cells.
    pub encoded_cell_bytes: usize,
    /// Bytes of subscription changes and of the mask of present cells.
    pub head_bytes: usize,
}

impl Viewer {
    /// A connection whose other end has these cells at these ticks; of repeated cells one counts, and at most
    /// [`SUBSCRIBED_MAX`] in all.
    #[must_use]
    pub fn resumed(cells: impl Iterator<Item = (CellId, Tick)>) -> Self {
        let mut subscribed: Vec<_> =
            cells.take(SUBSCRIBED_MAX).map(|(cell, tick)| Subscription { cell, base: Some(tick) }).collect();
        subscribed.sort_unstable_by_key(|s| s.cell);
        subscribed.dedup_by_key(|s| s.cell);
        Viewer { subscribed, ..Viewer::default() }
    }

    /// Appends the cells section that brings this connection to the newest state of the cells in `area`. The
    /// connection then counts as having it: call this only if the frame will be written.
    pub fn write(
        &mut self,
        history: &mut WorldHistory,
        area: &AreaOfInterest,
        tier: UpdateRateTier,
        out: &mut Vec<u8>,
    ) -> CellsWritten {
        let Some((tick, interval)) = history.newest().map(|state| (state.tick, state.interval())) else {
            return CellsWritten::default();
        };
        let turn = tick.0 / interval;
        let from = out.len();
        let mut head = BitWriter::new(out);
        self.resubscribe(area, &mut head);
        let mut encoded_cells = std::mem::take(history.frame_buffer());
        encoded_cells.clear();
        let (mut due, mut present) = (u64::MAX, 0);
        head.flag(tier != UpdateRateTier::Full);
        for (at, Subscription { cell, base }) in self.subscribed.iter().enumerate() {
            if tier != UpdateRateTier::Full {
                // Turns are staggered by the cell's number, so that frames stay about equally long. A new cell is due at once. Turns
                // belong to the world and not to the viewer: all viewers leave out the same cells and share the same encoded cells.
                // After a skipped turn, overdue cells are due.
                let period = tier.period(*cell, area.focus, area.view);
                let overdue = |base: &Tick| tick.since(*base) > 2 * period * interval;
                if base.is_some_and(|base| !overdue(&base))
                    && !turn.wrapping_add(u32::from(cell.0)).is_multiple_of(period)
                {
                    due &= !(1 << at);
                    continue;
                }
            }
            let encoded_cell = history.encoded_cell(*cell, *base, |near| base.is_some() && self.base_of(near) == *base);
            if let EncodedCell::Bytes(bytes) = encoded_cell {
                present |= 1 << at;
                encoded_cells.push(bytes);
            }
        }
        if tier == UpdateRateTier::Full {
            head.flags(present, self.subscribed.len() as u32);
        } else {
            for bit in (0..self.subscribed.len()).map(|at| 1u64 << at) {
                head.flag(due & bit != 0);
                if due & bit != 0 {
                    head.flag(present & bit != 0);
                }
            }
        }
        for (at, subscription) in self.subscribed.iter_mut().enumerate() {
            if due & (1 << at) != 0 {
                subscription.base = Some(tick);
            }
        }
        head.finish();
        let head_bytes = out.len() - from;
        for encoded_cell in &encoded_cells {
            history.append(*encoded_cell, out);
        }
        *history.frame_buffer() = encoded_cells;
        CellsWritten { cells: self.subscribed.len(), encoded_cell_bytes: out.len() - from - head_bytes, head_bytes }
    }

    /// The subscribed cells, in order of number.
    pub fn cells(&self) -> impl Iterator<Item = CellId> + '_ {
        self.subscribed.iter().map(|s| s.cell)
    }

    fn base_of(&self, cell: CellId) -> Option<Tick> {
        let at = self.subscribed.binary_search_by_key(&cell, |s| s.cell).ok()?;
        self.subscribed[at].base
    }

    /// Follows the focus, and writes the removed and the added cells.
    fn resubscribe(&mut self, area: &AreaOfInterest, out: &mut BitWriter) {
        let AreaOfInterest { focus, view, layers } = *area;
        let wanted = CellBlock::around(focus, view + Vec2::splat(2.0 * REACH));
        let kept = CellBlock::around(focus, view + Vec2::splat(2.0 * KEEP));
        if self.around == Some((wanted, kept, layers)) {
            // The same cells as in the last frame, as usual: none is removed and none added.
            out.golomb(0, 0);
            out.golomb(0, 0);
            return;
        }
        self.around = Some((wanted, kept, layers));
        self.change_cells(&wanted, &kept, layers, out);
    }

    fn change_cells(&mut self, wanted: &CellBlock, kept: &CellBlock, layers: LayerSet, out: &mut BitWriter) {
        let stays = |s: &Subscription| kept.holds(s.cell) && layers.contains(s.cell.layer());
        out.golomb(self.subscribed.iter().filter(|s| !stays(s)).count() as u32, 0);
        let mut next_index = 0;
        for (index, _) in self.subscribed.iter().enumerate().filter(|(_, s)| !stays(s)) {
            out.golomb(index as u32 - next_index, 2);
            next_index = index as u32 + 1;
        }
        self.next.clear();
        self.next.extend(self.subscribed.iter().filter(|s| stays(s)));
        let old = self.next.len();
        let is_new = |cell: &CellId, list: &[Subscription]| list[..old].binary_search_by_key(cell, |s| s.cell).is_err();
        for cell in layers.iter().flat_map(|layer| wanted.cells().map(move |cell| cell.in_layer(layer))) {
            if self.next.len() < SUBSCRIBED_MAX && is_new(&cell, &self.next) {
                self.next.push(Subscription { cell, base: None });
            }
        }
        out.golomb((self.next.len() - old) as u32, 0);
        for added in &self.next[old..] {
            out.bits(u32::from(added.cell.0), 16);
        }
        self.next.sort_unstable_by_key(|s| s.cell);
        std::mem::swap(&mut self.subscribed, &mut self.next);
    }
}
