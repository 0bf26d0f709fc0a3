//! TeamLabel is near a point: a table of squares, rebuilt by counting sort in buffers that are kept.
//!
//! Things are entered into every square their circle (reach included) touches, so that a question is one look into one
//! square. The answer lists indices in rising order, which makes every rule that reads it ordered too.

use std::ops::Range;

use glam::Vec2;

/// The squares around the origin and what lies in each.
#[derive(Debug)]
pub(super) struct Grid {
    /// Squares per world unit.
    scale: f32,
    /// Squares per row; the table spans the things it holds and clamps everything further out to its rim.
    side: u32,
    /// Entries of square `i` are `items[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    items: Vec<u16>,
    added: Vec<Added>,
    /// The squares of what was added.
    blocks: Vec<Block>,
    extent: f32,
}

#[derive(Debug, Clone, Copy)]
struct Added {
    index: u16,
    at: Vec2,
    reach: f32,
}

/// A block of squares: first column and row, and those behind the last.
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
        let mut grid = Grid {
            scale: 1.0 / width,
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

    /// Forgets everything added; the squares stay as they are until [`Grid::build`].
    pub(super) fn clear(&mut self) {
        self.added.clear();
        self.extent = 0.0;
    }

    /// Adds a circle; indices must rise.
    pub(super) fn add(&mut self, index: u16, at: Vec2, reach: f32) {
        self.extent = self.extent.max(at.x.abs() + reach).max(at.y.abs() + reach);
        self.added.push(Added { index, at, reach });
    }

    /// Sorts what was added into squares.
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
        // From the last to the first, each square filled from its end: leaves every start in place and the indices rising.
        for (added, block) in self.added.iter().zip(&self.blocks).rev() {
            for squares in block.rows(side) {
                for start in &mut self.starts[squares] {
                    *start -= 1;
                    self.items[*start as usize] = added.index;
                }
            }
        }
    }

    /// Everything whose circle touches the square of `point`, in rising order.
    #[inline]
    pub(super) fn at(&self, point: Vec2) -> &[u16] {
        let line = |coordinate| line(self.scale, self.side, coordinate);
        let square = (line(point.y) * self.side + line(point.x)) as usize;
        self.squares(square..square + 1)
    }

    /// Everything whose circle touches a rectangle, and perhaps a little more; some of it several times, in no order.
    pub(super) fn within(&self, low: Vec2, high: Vec2) -> impl Iterator<Item = u16> {
        let rows = block(self.scale, self.side, low, high).rows(self.side);
        rows.flat_map(|squares| self.squares(squares).iter().copied())
    }

    /// What lies in some squares of a row.
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

/// The column or row of a coordinate. All that matters is that it never falls while the coordinate rises: so the sum may round, and
/// the conversion may cut off what is below 0.
#[inline]
fn line(scale: f32, side: u32, coordinate: f32) -> u32 {
    ((coordinate * scale + (side / 2) as f32) as u32).min(side - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_into_one_square_finds_every_circle_around_a_point_in_rising_order() {
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
