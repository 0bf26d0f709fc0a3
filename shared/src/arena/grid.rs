//! Who is near a point: a table of squares, rebuilt by counting sort in buffers that are kept.
//!
//! Things are entered into every square their circle (reach included) touches, so that a question is one look into one
//! square. The answer lists indices in rising order, which makes every rule that reads it ordered too.

use glam::Vec2;

/// The squares around the origin and what lies in each.
#[derive(Debug)]
pub(super) struct Grid {
    cell: f32,
    /// Squares per row; the table spans the things it holds and clamps everything further out to its rim.
    side: i32,
    /// Entries of square `i` are `items[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    items: Vec<u16>,
    added: Vec<Added>,
    extent: f32,
}

#[derive(Debug, Clone, Copy)]
struct Added {
    index: u16,
    at: Vec2,
    reach: f32,
}

impl Grid {
    pub(super) fn new(cell: f32) -> Self {
        let mut grid = Grid { cell, side: 1, starts: Vec::new(), items: Vec::new(), added: Vec::new(), extent: 0.0 };
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
        self.side = ((self.extent / self.cell) as i32 + 1) * 2;
        self.starts.clear();
        self.starts.resize((self.side * self.side) as usize + 1, 0);
        let mut entries = 0;
        for i in 0..self.added.len() {
            let (columns, rows) = self.span(self.added[i]);
            for row in rows.0..=rows.1 {
                for column in columns.0..=columns.1 {
                    self.starts[(row * self.side + column) as usize] += 1;
                    entries += 1;
                }
            }
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.items.clear();
        self.items.resize(entries, 0);
        // From the last to the first, each square filled from its end: leaves every start in place and the indices rising.
        for i in (0..self.added.len()).rev() {
            let (columns, rows) = self.span(self.added[i]);
            for row in rows.0..=rows.1 {
                for column in columns.0..=columns.1 {
                    let start = &mut self.starts[(row * self.side + column) as usize];
                    *start -= 1;
                    self.items[*start as usize] = self.added[i].index;
                }
            }
        }
    }

    /// Everything whose circle touches the square of `point`, in rising order.
    pub(super) fn at(&self, point: Vec2) -> &[u16] {
        let square = (self.line(point.y) * self.side + self.line(point.x)) as usize;
        &self.items[self.starts[square] as usize..self.starts[square + 1] as usize]
    }

    fn span(&self, added: Added) -> ((i32, i32), (i32, i32)) {
        let (low, high) = (added.at - Vec2::splat(added.reach), added.at + Vec2::splat(added.reach));
        ((self.line(low.x), self.line(high.x)), (self.line(low.y), self.line(high.y)))
    }

    fn line(&self, coordinate: f32) -> i32 {
        (libm::floorf(coordinate / self.cell) as i32).saturating_add(self.side / 2).clamp(0, self.side - 1)
    }
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
        }
    }
}
