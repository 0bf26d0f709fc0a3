//! Lookup of nearby circles: a table of squares, rebuilt by counting sort in reused buffers.
//!
//! A circle (reach included) is entered into every square it touches, so that a query reads one square. Results are
//! indices in increasing order, so that every rule that reads them is ordered too.

use std::ops::Range;

use glam::Vec2;
use serde::{Deserialize, Serialize};

/// The squares around the origin, and the contents of each. Saved as its circles: the squares follow from them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "SavedGrid")]
pub(super) struct Grid {
    /// Squares per world unit.
    scale: f32,
    /// Squares per row; the table spans its contents, and positions further out are clamped to its edge.
    #[serde(skip)]
    side: u32,
    /// The contents of square `i` are `items[starts[i]..starts[i + 1]]`.
    #[serde(skip)]
    starts: Vec<u32>,
    #[serde(skip)]
    items: Vec<u16>,
    added: Vec<Added>,
    /// The squares of each added circle.
    #[serde(skip)]
    blocks: Vec<Block>,
    #[serde(skip)]
    extent: f32,
}

/// What is saved of a [`Grid`].
#[derive(Deserialize)]
struct SavedGrid {
    scale: f32,
    added: Vec<Added>,
}

impl From<SavedGrid> for Grid {
    fn from(SavedGrid { scale, added }: SavedGrid) -> Self {
        let mut grid = Grid::of_scale(scale);
        for Added { index, at, reach } in added {
            grid.add(index, at, reach);
        }
        grid.build();
        grid
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Added {
    index: u16,
    at: Vec2,
    reach: f32,
}

/// A block of squares: first column and row, and the ends of both ranges.
#[derive(Debug, Clone, Copy)]
struct Block {
    columns: (u32, u32),
    rows: (u32, u32),
}

impl Block {
    /// The squares of each row.
    #[inline]
    fn rows(self, side: u32) -> impl Iterator<Item = Range<usize>> {
        (self.rows.0..self.rows.1)
            .map(move |row| (row * side + self.columns.0) as usize..(row * side + self.columns.1) as usize)
    }
}

impl Grid {
    pub(super) fn new(width: f32) -> Self {
        Grid::of_scale(1.0 / width)
    }

    fn of_scale(scale: f32) -> Self {
        let mut grid = Grid {
            scale,
            side: 1,
            starts: Vec::new(),
            items: Vec::new(),
            added: Vec::new(),
            blocks: Vec::new(),
            extent: 0.0,
        };
        grid.build();
        grid
    }

    /// Removes all circles; the squares stay unchanged until [`Grid::build`].
    pub(super) fn clear(&mut self) {
        self.added.clear();
        self.extent = 0.0;
    }

    /// Adds a circle; indices must increase.
    pub(super) fn add(&mut self, index: u16, at: Vec2, reach: f32) {
        self.extent = self.extent.max(at.x.abs() + reach).max(at.y.abs() + reach);
        self.added.push(Added { index, at, reach });
    }

    /// Sorts the added circles into squares.
    pub(super) fn build(&mut self) {
        let side = ((self.extent * self.scale) as u32 + 1) * 2;
        self.side = side;
        self.blocks.clear();
        self.starts.clear();
        self.starts.resize((side * side) as usize + 1, 0);
        for added in &self.added {
            let reach = Vec2::splat(added.reach);
            let block = block(self.scale, side, added.at - reach, added.at + reach);
            for squares in block.rows(side) {
                self.starts[squares].iter_mut().for_each(|count| *count += 1);
            }
            self.blocks.push(block);
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.items.clear();
        self.items.resize(end as usize, 0);
        // From the last to the first, each square filled from its end: this keeps every start in place and the indices increasing.
        for (added, block) in self.added.iter().zip(&self.blocks).rev() {
            for squares in block.rows(side) {
                for start in &mut self.starts[squares] {
                    *start -= 1;
                    self.items[*start as usize] = added.index;
                }
            }
        }
    }

    /// The circles that touch the square of `point`, in increasing order.
    #[inline]
    pub(super) fn at(&self, point: Vec2) -> &[u16] {
        let line = |coordinate| line(self.scale, self.side, coordinate);
        let square = (line(point.y) * self.side + line(point.x)) as usize;
        self.squares(square..square + 1)
    }

    /// The circles that touch a rectangle, and perhaps a few more; some repeatedly, in no order.
    pub(super) fn within(&self, low: Vec2, high: Vec2) -> impl Iterator<Item = u16> {
        let rows = block(self.scale, self.side, low, high).rows(self.side);
        rows.flat_map(|squares| self.squares(squares).iter().copied())
    }

    /// The contents of some squares of a row.
    #[inline]
    fn squares(&self, squares: Range<usize>) -> &[u16] {
        &self.items[self.starts[squares.start] as usize..self.starts[squares.end] as usize]
    }
}

/// The squares that a rectangle touches.
#[inline]
fn block(scale: f32, side: u32, low: Vec2, high: Vec2) -> Block {
    let line = |coordinate| line(scale, side, coordinate);
    Block { columns: (line(low.x), line(high.x) + 1), rows: (line(low.y), line(high.y) + 1) }
}

/// The column or row of a coordinate. It only has to be monotonic: the sum may round, and the cast may truncate below
/// 0.
#[inline]
fn line(scale: f32, side: u32, coordinate: f32) -> u32 {
    ((coordinate * scale + (side / 2) as f32) as u32).min(side - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_finds_every_circle_around_a_point_in_increasing_order() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut grid = Grid::new(128.0);
        let circles: Vec<(Vec2, f32)> = (0..400)
            .map(|_| (Vec2::new(rng.f32() - 0.5, rng.f32() - 0.5) * 4000.0, 20.0 + rng.f32() * 200.0))
            .collect();
        for (i, (at, reach)) in circles.iter().enumerate() {
            grid.add(i as u16, *at, *reach);
        }
        grid.build();
        for _ in 0..500 {
            let point = Vec2::new(rng.f32() - 0.5, rng.f32() - 0.5) * 5000.0;
            let found = grid.at(point);
            assert!(found.is_sorted());
            for (i, (at, reach)) in circles.iter().enumerate() {
                assert!((point - *at).length() > *reach || found.contains(&(i as u16)), "{i} is missing at {point}");
            }
            let half = Vec2::new(rng.f32(), rng.f32()) * 500.0;
            let within: Vec<u16> = grid.within(point - half, point + half).collect();
            for (i, (at, reach)) in circles.iter().enumerate() {
                let near = (point - *at).abs().cmple(half + Vec2::splat(*reach)).all();
                assert!(!near || within.contains(&(i as u16)), "{i} is missing around {point}");
            }
        }
    }
}
