//! What a player asks for in one tick.

use broadside_shared::protocol::input::GameInput;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;
use glam::Vec2;

/// A push: on each axis from -127 to 127.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steer {
    x: i8,
    y: i8,
}

impl Steer {
    /// A push in `direction`, whose length 1 is full push.
    #[must_use]
    pub fn towards(direction: Vec2) -> Steer {
        // A cast from a float keeps within the range of the integer.
        let push = direction * 127.0;
        Steer { x: push.x as i8, y: push.y as i8 }
    }

    /// The push as a vector of length 0 to 1.
    #[must_use]
    pub fn direction(self) -> Vec2 {
        (Vec2::new(f32::from(self.x), f32::from(self.y)) / 127.0).clamp_length_max(1.0)
    }
}

/// An axis on the wire, as clients in other languages read it from the schema.
const AXIS: Layout = Layout::Scaled { bits: 8, lowest: -128, step: 1.0 };

impl GameInput for Steer {
    const LAYOUT: Layout = Layout::Fields(&[("x", AXIS), ("y", AXIS)]);

    fn write(&self, out: &mut BitWriter) {
        let mut axis = |push: i8| out.bits((i32::from(push) + 128) as u32, 8);
        axis(self.x);
        axis(self.y);
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError> {
        let mut axis = || Ok((bits.bits(8)? as i32 - 128) as i8);
        Ok(Steer { x: axis()?, y: axis()? })
    }

    /// What is assumed when an input is late: no push.
    fn idle(&self) -> Self {
        Steer::default()
    }
}
