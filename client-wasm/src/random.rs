//! Randomness for what is only seen or heard: sparks, stars, noise. Never for rules.

use glam::Vec2;

/// A small fast generator (xorshift32, Marsaglia 2003).
#[derive(Debug, Clone)]
pub struct Random(u32);

impl Random {
    /// A generator; equal seeds give equal numbers.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        // Zero is the one state that xorshift never leaves.
        Random(seed ^ 0x9e37_79b9 | 1)
    }

    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / 16_777_216.0
    }

    /// A number in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A number in -1..1, more often near 0.
    pub fn bell(&mut self) -> f32 {
        self.unit() + self.unit() - 1.0
    }

    /// A unit vector in any direction.
    pub fn direction(&mut self) -> Vec2 {
        Vec2::from_angle(self.unit() * std::f32::consts::TAU)
    }
}
