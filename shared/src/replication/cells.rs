//! Cells, the squares of the world, and which of them an area of interest touches.

use glam::Vec2;

use crate::math;

/// Cell units per position step: the worst error of a replicated position is half a step on each axis.
pub const POSITION_STEP: f32 = 1.0 / 4.0;

/// A square of one layer of the world, [`CellId::SIZE`] cell units wide. Its number is layer * 16,384 + row * 128 + column.
///
/// A layer is a world of its own in the same place: entities of a layer are sent to those who have it. Layer 0 is everyone's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(pub u16);

/// Cells per row, and number of rows; a cell's place in its layer takes 14 bits, and its layer two.
const SIDE: i32 = 128;
const STEPS: i32 = CellId::STEPS as i32;
const MARGIN: i32 = CellId::MARGIN as i32;

const _: () = assert!(STEPS + 2 * MARGIN == 1 << CellId::LOCAL_BITS);
const _: () = assert!(STEPS as f32 * POSITION_STEP == CellId::SIZE);

impl CellId {
    /// Width of a cell in cell units. In a game with the default [`Game::CELL`](crate::game::Game::CELL) these are the world units.
    pub const SIZE: f32 = 512.0;
    /// Bits of a position relative to a cell.
    pub const LOCAL_BITS: u32 = 12;
    /// Position steps per cell.
    pub const STEPS: u32 = 2048;
    /// How far outside its cell an entity may be while it still belongs to it, in position steps.
    pub const MARGIN: u32 = 1024;
    /// Rows of cells.
    pub const ROWS: usize = SIDE as usize;
    /// Number of cells of a layer.
    pub const COUNT: u16 = (SIDE * SIDE) as u16;
    /// Most layers.
    pub const LAYERS_MAX: u8 = 4;

    /// The cell of a point in cell units. The world is centred on the origin and reaches 32,768 units each way; points
    /// further out belong to the outermost cells.
    #[must_use]
    pub fn of(point: Vec2) -> CellId {
        let (column, row) = (index(point.x), index(point.y));
        CellId((row * SIDE + column) as u16)
    }

    /// Its layer, 0..[`CellId::LAYERS_MAX`].
    #[must_use]
    #[inline(always)] // See `CellBlock::place`.
    pub fn layer(self) -> u8 {
        (self.0 / CellId::COUNT) as u8
    }

    /// The same square in another layer.
    #[must_use]
    pub fn in_layer(self, layer: u8) -> CellId {
        CellId(self.square() + u16::from(layer) * CellId::COUNT)
    }

    /// Its number without the layer.
    #[inline(always)] // See `CellBlock::place`.
    fn square(self) -> u16 {
        self.0 & (CellId::COUNT - 1)
    }

    #[inline(always)] // See `CellBlock::place`.
    fn row_and_column(self) -> (i32, i32) {
        let square = i32::from(self.square());
        (square / SIDE, square % SIDE)
    }

    /// Its row, 0..[`CellId::ROWS`], by increasing y.
    #[must_use]
    pub fn row(self) -> usize {
        usize::from(self.square()) / SIDE as usize
    }

    /// The smallest x and y of the cell, in position steps.
    #[must_use]
    pub fn corner(self) -> (i32, i32) {
        let (row, column) = self.row_and_column();
        ((column - SIDE / 2) * STEPS, (row - SIDE / 2) * STEPS)
    }

    /// The middle of the cell in cell units.
    #[must_use]
    pub fn centre(self) -> Vec2 {
        let (x, y) = self.middle();
        Vec2::new(x as f32, y as f32) * POSITION_STEP
    }

    /// The middle of the cell, in position steps.
    #[must_use]
    pub fn middle(self) -> (i32, i32) {
        let (x, y) = self.corner();
        (x + STEPS / 2, y + STEPS / 2)
    }

    /// The neighbour in the same layer in a direction, 0..8, row by row from the smallest x and y; `None` outside the world.
    #[must_use]
    pub fn neighbour(self, direction: u8) -> Option<CellId> {
        // The cell itself is the fifth of the nine.
        let at = i32::from(direction) + i32::from(direction >= 4);
        let (row, column) = self.row_and_column();
        let (row, column) = (row + at / 3 - 1, column + at % 3 - 1);
        let inside = (0..SIDE).contains(&row) && (0..SIDE).contains(&column);
        inside.then(|| CellId((row * SIDE + column) as u16).in_layer(self.layer()))
    }

    /// A position relative to the cell's corner along one axis, in `LOCAL_BITS` bits; clamped to half a cell outside.
    pub(super) fn to_local(value: i32, corner: i32) -> u32 {
        (value - corner + MARGIN).clamp(0, (1 << Self::LOCAL_BITS) - 1) as u32
    }

    /// The position at the distance `local` from `corner`.
    pub(super) fn of_local(local: u32, corner: i32) -> i32 {
        local as i32 - MARGIN + corner
    }
}

fn index(coordinate: f32) -> i32 {
    math::floor(coordinate / CellId::SIZE).clamp(-SIDE / 2, SIDE / 2 - 1) + SIDE / 2
}

/// A set of layers; it always contains layer 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerSet(u8);

impl LayerSet {
    /// Layer 0 alone: what everyone has.
    pub const EVERYONE: LayerSet = LayerSet(1);

    /// The set with another layer, 0..[`CellId::LAYERS_MAX`].
    ///
    /// # Panics
    /// If the layer is higher.
    #[must_use]
    pub const fn with(self, layer: u8) -> LayerSet {
        assert!(layer < CellId::LAYERS_MAX, "a layer is less than LAYERS_MAX");
        LayerSet(self.0 | 1 << layer)
    }

    /// Whether it contains a layer.
    #[must_use]
    pub fn contains(self, layer: u8) -> bool {
        self.0 >> layer & 1 != 0
    }

    /// The layers in it, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..CellId::LAYERS_MAX).filter(move |layer| self.contains(*layer))
    }
}

/// A block of cells: those that a rectangle of the world touches, in every layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellBlock {
    columns: (i32, i32),
    rows: (i32, i32),
}

impl Default for CellBlock {
    /// An empty block.
    fn default() -> Self {
        CellBlock { columns: (SIDE, -1), rows: (SIDE, -1) }
    }
}

impl CellBlock {
    /// The cells that a rectangle of `size` cell units around `centre` touches.
    #[must_use]
    pub fn around(centre: Vec2, size: Vec2) -> CellBlock {
        let (low, high) = (centre - size * 0.5, centre + size * 0.5);
        CellBlock { columns: (index(low.x), index(high.x)), rows: (index(low.y), index(high.y)) }
    }

    /// Extends the block by as little as needed to contain a cell.
    pub(crate) fn include(&mut self, cell: CellId) {
        let (row, column) = cell.row_and_column();
        self.columns = (self.columns.0.min(column), self.columns.1.max(column));
        self.rows = (self.rows.0.min(row), self.rows.1.max(row));
    }

    /// The block and the cells around it; an empty block stays empty.
    #[must_use]
    pub(crate) fn widened(self) -> CellBlock {
        if self.is_empty() {
            return self;
        }
        let wider = |(low, high): (i32, i32)| ((low - 1).max(0), (high + 1).min(SIDE - 1));
        CellBlock { columns: wider(self.columns), rows: wider(self.rows) }
    }

    /// Number of cells of a layer.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.is_empty() { 0 } else { (self.width() * (self.rows.1 - self.rows.0 + 1)) as usize }
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.0 > self.columns.1 || self.rows.0 > self.rows.1
    }

    /// The index of a cell among those of its layer in the block, in order of number; `None` if the block does not contain it.
    #[must_use]
    #[inline]
    pub fn place(&self, cell: CellId) -> Option<usize> {
        let (row, column) = cell.row_and_column();
        let (row, column) = (row - self.rows.0, column - self.columns.0);
        let inside = row >= 0 && column >= 0 && row <= self.rows.1 - self.rows.0 && column < self.width();
        inside.then(|| (row * self.width() + column) as usize)
    }

    /// The rows it spans: [`CellId::row`].
    #[must_use]
    pub fn rows(&self) -> std::ops::RangeInclusive<usize> {
        self.rows.0.max(0) as usize..=self.rows.1.max(0) as usize
    }

    /// The indices of three cells in a row next to the cell at `place` (row 0 has the smaller y, 1 is its own, 2 has
    /// the larger y): the first that lies in the block, the middle one, and the last. `None` if the block has no such
    /// row.
    pub(super) fn beside(&self, place: usize, row: u8) -> Option<(usize, usize, usize)> {
        let width = self.width() as usize;
        let column = place % width;
        let middle = (place + usize::from(row) * width).checked_sub(width).filter(|middle| *middle < self.len())?;
        Some((middle - usize::from(column > 0), middle, middle + usize::from(column + 1 < width)))
    }

    fn width(&self) -> i32 {
        self.columns.1 - self.columns.0 + 1
    }

    /// Whether the block contains a cell.
    #[must_use]
    pub fn holds(&self, cell: CellId) -> bool {
        let (row, column) = cell.row_and_column();
        (self.columns.0..=self.columns.1).contains(&column) && (self.rows.0..=self.rows.1).contains(&row)
    }

    /// The cells of the block in layer 0, in order of number.
    pub fn cells(&self) -> impl Iterator<Item = CellId> + use<> {
        let (columns, rows) = (self.columns, self.rows);
        (rows.0..=rows.1)
            .flat_map(move |row| (columns.0..=columns.1).map(move |column| CellId((row * SIDE + column) as u16)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_in_its_cell_and_its_block_contains_that_cell() {
        for point in [Vec2::ZERO, Vec2::new(-0.1, 511.9), Vec2::new(-512.0, 512.0), Vec2::new(9e9, -9e9)] {
            let cell = CellId::of(point);
            let block = CellBlock::around(point, Vec2::new(1920.0, 1200.0));
            assert!(block.holds(cell));
            assert!(block.cells().any(|c| c == cell));
        }
        let cell = CellId::of(Vec2::new(-0.1, 511.9));
        assert_eq!(cell.centre(), Vec2::new(-256.0, 256.0));
    }

    #[test]
    fn neighbours_are_the_eight_cells_around_and_none_outside_the_world() {
        let cell = CellId::of(Vec2::new(5.0, 5.0));
        let around: Vec<Vec2> = (0..8).filter_map(|d| cell.neighbour(d)).map(|n| n.centre() - cell.centre()).collect();
        assert_eq!(around.len(), 8);
        assert!(around.iter().all(|d| d.abs().max_element() == CellId::SIZE));
        assert_eq!((0..8).filter_map(|d| CellId(0).neighbour(d)).count(), 3);
    }

    #[test]
    fn a_block_lists_exactly_its_cells_in_order() {
        let block = CellBlock::around(Vec2::new(100.0, -3000.0), Vec2::new(1920.0, 1200.0));
        let cells: Vec<_> = block.cells().collect();
        assert!(cells.is_sorted());
        assert_eq!(cells.len(), (0..CellId::COUNT).filter(|c| block.holds(CellId(*c))).count());
        assert!(cells.len() >= 12 && cells.len() <= 24, "{}", cells.len());
        assert_eq!(cells.len(), block.len());
        assert!((0..).map(Some).zip(&cells).all(|(place, cell)| block.place(*cell) == place));
    }

    #[test]
    fn a_block_grows_to_contain_a_cell_and_stays_within_the_world() {
        let mut block = CellBlock::default();
        assert_eq!((block.len(), block.is_empty(), block.widened().len()), (0, true, 0));
        assert!((0..CellId::COUNT).all(|cell| block.place(CellId(cell)).is_none()));
        block.include(CellId(0));
        assert_eq!((block.len(), block.place(CellId(0)), block.place(CellId(1))), (1, Some(0), None));
        assert_eq!(block.widened().len(), 4, "nothing outside the world");
        block.include(CellId(CellId::COUNT - 1));
        assert_eq!(block.widened().len(), usize::from(CellId::COUNT));
    }
}
