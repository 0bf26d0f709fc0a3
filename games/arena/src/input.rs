//! A player's input for one tick: heading and buttons.

use serde::{Deserialize, Serialize};
use std::f32::consts::TAU;

use super::rules::TICK_HZ;
use broadside_shared::protocol::input::GameInput;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;

/// A player's input for one tick: 24 bits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArenaInput {
    /// Wanted heading in 1/65536 turn from +x toward +y (y grows downward).
    pub aim: u16,
    /// Pressed buttons: [`ArenaInput::THRUST`] and so on.
    pub buttons: u8,
}

impl ArenaInput {
    /// Main engine.
    pub const THRUST: u8 = 1;
    /// Reverse engine: brakes, then backs up.
    pub const REVERSE: u8 = 2;
    /// Sideways to the ship's left.
    pub const LEFT: u8 = 4;
    /// Sideways to the ship's right.
    pub const RIGHT: u8 = 8;
    /// The cannon's trigger: while pressed, it fires as fast as the cannon can.
    pub const FIRE: u8 = 16;
    /// The rail's trigger: while pressed, it fires whenever the rail is ready.
    pub const RAIL: u8 = 32;
    /// The boost: more thrust along the nose and a higher top speed, while it lasts.
    pub const BOOST: u8 = 64;
    /// Leaves a mine, if one is ready.
    pub const MINE: u8 = 128;

    /// An input with a heading of `radians` and `buttons` pressed.
    #[must_use]
    pub fn new(radians: f32, buttons: u8) -> Self {
        ArenaInput { aim: turn_of(radians), buttons }
    }

    /// Whether a button is pressed.
    #[must_use]
    pub fn has(&self, button: u8) -> bool {
        self.buttons & button != 0
    }
}

impl GameInput for ArenaInput {
    const LAYOUT: Layout = Layout::Fields(&[("aim", Layout::Bits(16)), ("buttons", Layout::Bits(8))]);

    fn write(&self, out: &mut BitWriter) {
        out.bits(u32::from(self.aim), 16);
        out.bits(u32::from(self.buttons), 8);
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError> {
        Ok(ArenaInput { aim: bits.bits(16)? as u16, buttons: bits.bits(8)? as u8 })
    }

    fn idle(&self) -> Self {
        ArenaInput { aim: self.aim, buttons: 0 }
    }
}

/// An angle in radians as 1/65536 turns.
#[must_use]
pub fn turn_of(radians: f32) -> u16 {
    let turns = libm::roundf(radians / TAU * 65_536.0);
    // Through i64, because a float cast saturates and would not wrap.
    (turns as i64).rem_euclid(65_536) as u16
}

/// 1/65536 turns as an angle in radians, 0..TAU.
#[must_use]
pub fn radians_of(turn: u16) -> f32 {
    f32::from(turn) * (TAU / 65_536.0)
}

/// Seconds as a number of ticks.
#[must_use]
pub fn ticks_of(seconds: f32) -> u32 {
    (seconds * TICK_HZ as f32) as u32
}
