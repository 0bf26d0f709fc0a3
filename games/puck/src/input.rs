//! A player's input for one tick.

use broadside_shared::protocol::input::GameInput;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;
use glam::Vec2;

/// Steps of the push along an axis, each way.
const STEPS: i8 = 15;
const AXIS_BITS: u32 = 5;
const AXIS: Layout = Layout::Scaled { bits: AXIS_BITS as u8, lowest: -(STEPS as i32), step: 1.0 / STEPS as f32 };

/// A player's input for one tick: 11 bits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PuckInput {
    /// The push to the right, in fifteenths: -15..=15.
    right: i8,
    /// The push downward, in fifteenths.
    down: i8,
    /// Whether the kick is held: the puck is kicked once per press, as soon as it is close enough.
    pub kick: bool,
}

impl PuckInput {
    /// Pushes in a direction, with full strength at length 1 (a longer vector counts as 1; y grows downward).
    #[must_use]
    pub fn new(push: Vec2, kick: bool) -> Self {
        let steps = (push.clamp_length_max(1.0) * f32::from(STEPS)).round();
        PuckInput { right: steps.x as i8, down: steps.y as i8, kick }
    }

    /// The push, at most of length 1.
    #[must_use]
    pub fn push(&self) -> Vec2 {
        (Vec2::new(f32::from(self.right), f32::from(self.down)) / f32::from(STEPS)).clamp_length_max(1.0)
    }

    /// Its bits as a number, for hashes.
    pub(crate) fn number(&self) -> u64 {
        u64::from(self.right as u8) << 16 | u64::from(self.down as u8) << 8 | u64::from(self.kick)
    }
}

impl GameInput for PuckInput {
    const LAYOUT: Layout = Layout::Fields(&[("right", AXIS), ("down", AXIS), ("kick", Layout::Flag)]);

    fn write(&self, out: &mut BitWriter) {
        out.bits((self.right + STEPS) as u32, AXIS_BITS);
        out.bits((self.down + STEPS) as u32, AXIS_BITS);
        out.flag(self.kick);
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError> {
        let mut axis = || match bits.bits(AXIS_BITS)? {
            steps if steps <= 2 * STEPS as u32 => Ok(steps as i8 - STEPS),
            steps => Err(WireError::Range { what: "push", value: steps.into(), limit: 2 * STEPS as u64 }),
        };
        Ok(PuckInput { right: axis()?, down: axis()?, kick: bits.flag()? })
    }

    fn idle(&self) -> Self {
        PuckInput::default()
    }
}
