//! The world hash: equal worlds have equal hashes on every machine.

use glam::Vec2;

/// A running FNV-1a hash (constants from the FNV reference, Fowler, Noll and Vo). Not for hash tables and not against
/// an adversary: it only detects that two runs of a world differ.
#[derive(Debug, Clone)]
pub struct WorldHash(u64);

impl Default for WorldHash {
    fn default() -> Self {
        WorldHash(0xcbf2_9ce4_8422_2325)
    }
}

impl WorldHash {
    /// Adds an integer.
    pub fn u64(&mut self, value: u64) {
        for byte in value.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds a float by its bits. Every NaN counts as the same one, since their payloads differ between machines.
    pub fn f32(&mut self, value: f32) {
        let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
        self.u64(u64::from(bits));
    }

    /// Adds both components.
    pub fn vec2(&mut self, value: Vec2) {
        self.f32(value.x);
        self.f32(value.y);
    }

    /// The hash of everything added so far.
    #[must_use]
    pub fn finish(&self) -> u64 {
        self.0
    }
}
